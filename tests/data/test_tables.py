import json

import pytest

from cohear.data.clips import Clip
from cohear.data.tables import is_table, read_table
from cohear.errors import UserError


def write(tmp_path, text: str, name: str = "t.csv", encoding: str = "utf-8"):
    path = tmp_path / name
    path.write_text(text, encoding=encoding)
    return path


EXPECTED = [
    Clip("a.wav", "dog", 1, "yard", 0.5, 2.0),
    Clip("b/c.wav", "cat", 2, None, None, None),
]


@pytest.mark.parametrize(
    ("name", "encoding", "text"),
    [
        ("t.csv", "utf-8", "path,label,fold,group,start,end\na.wav,dog,1,yard,0.5,2\nb/c.wav,cat,2,,,\n"),
        ("t.csv", "utf-8-sig", "Path,LABEL,fold,group,start,end\r\na.wav,dog,1,yard,0.5,2\r\n./b/c.wav,cat,2\r\n"),
        ("t.csv", "utf-8", "label;path;start;end;fold;group\ndog;a.wav;0,5;2,0;1.0;yard\ncat;b/c.wav;;;2;\n"),
        (
            "t.tsv",
            "utf-8",
            "path\tlabel\tfold\tgroup\tstart\tend\tx\n\na.wav\tdog\t1\tyard\t.5\t2\t7\nb/c.wav\tcat\t2\n",
        ),
    ],
)
def test_tables_of_every_kind_read_the_same(tmp_path, name, encoding, text):
    assert read_table(write(tmp_path, text, name, encoding)) == EXPECTED


def test_json_lines_read_the_same(tmp_path):
    rows = [
        {"path": "a.wav", "label": "dog", "fold": 1, "group": "yard", "start": 0.5, "end": 2, "extra": [1]},
        {"path": "b/c.wav", "label": "cat", "fold": 2, "group": None},
    ]
    assert read_table(write(tmp_path, "\n".join(map(json.dumps, rows)), "t.jsonl")) == EXPECTED


def test_quoted_values_may_hold_the_separator(tmp_path):
    assert read_table(write(tmp_path, 'path,label\n"a,1.wav","big, dog"\n')) == [Clip("a,1.wav", "big, dog")]


MULTI_LABEL = [
    Clip(path, label, multi_label=True) for path, label in (("a", "big, dog;frog"), ("b", "frog"), ("c", ""))
]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", 'path,label\na,"frog; big, dog;"\nb,frog\nc,\n'),
        ("t.csv", 'path;label\na;"big, dog;frog;frog"\nb;frog\nc\n'),
        ("t.tsv", "path\tlabel\na\tfrog;big, dog\nb\tfrog\nc\t;\n"),
        (
            "t.jsonl",
            '{"path": "a", "label": ["frog", "big, dog"]}\n{"path": "b", "label": "frog"}\n{"path": "c", "label": []}',
        ),
        (
            "t.jsonl",
            '{"path": "a", "label": "frog;big, dog"}\n{"path": "b", "label": ["frog"]}\n{"path": "c", "label": ""}',
        ),
    ],
)
def test_several_labels_or_none_are_read_from_tables_of_every_kind(tmp_path, name, text):
    clips = read_table(write(tmp_path, text, name))
    assert clips == MULTI_LABEL
    assert [clip.labels for clip in clips] == [("big, dog", "frog"), ("frog",), ()]


def test_segments_of_one_file_have_names_of_their_own(tmp_path):
    clips = read_table(write(tmp_path, "path,label,start,end\na.wav,x,0,1\na.wav,x,1,2.25\na.wav,y,12345.678,\n"))
    assert [clip.id for clip in clips] == ["a.wav#0-1", "a.wav#1-2.25", "a.wav#12345.678-"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "path,labels\na.wav,dog\n",
            r"t\.csv has no column 'label' \(did you mean 'labels'\?\): its columns are path, labels",
        ),
        (
            "path\na.wav\n",
            r"t\.csv has no column 'label'.* path and label are needed; fold, group, start, end are optional",
        ),
        ("file,label\na.wav,dog\n", r"t\.csv has no column 'path'"),
        ("path,label,label\na.wav,dog,cat\n", r"t\.csv has the column 'label' twice"),
        ("path,label\na.wav,\n", r"t\.csv, line 2, column label: the value is missing"),
        ("path,label\n\na.wav,dog,\nb.wav,big,dog\n", r"t\.csv, line 4: 3 values for 2 columns"),
        ("path,label,fold\na.wav,dog,train\n", r"t\.csv, line 2, column fold: 'train' is not a number"),
        ("path,label,fold\na.wav,dog,1.5\n", r"t\.csv, line 2, column fold: '1\.5' is not a whole number"),
        (
            "path,label,start\na.wav,dog,-1\n",
            r"t\.csv, line 2, column start: '-1' is not a number from 0 to 1000000000",
        ),
        ("path,label,end\na.wav,dog,nan\n", r"t\.csv, line 2, column end: 'nan' is not a number"),
        (
            "path,label,start,end\na.wav,dog,2,1\n",
            r"t\.csv, line 2: the segment ends at 1 s, not after its start at 2 s",
        ),
        ("path,label\na.wav,dog\nb.wav,cat\n./a.wav,cat\n", r"t\.csv, line 4: a\.wav is listed already in line 2"),
        (
            "path,label\na.wav,dog;\na.wav,cat\n",
            r"line 3: a\.wav is listed .* one line, with its labels separated by ';'",
        ),
        ("path,label\n", r"t\.csv lists no clips"),
        ("", r"t\.csv lists no clips"),
    ],
)
def test_errors_name_file_line_and_column(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read_table(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"path": "a.wav"\n', r"t\.jsonl, line 1: not a JSON object"),
        ('{"path": "a.wav", "label": "x"}\n["b.wav"]\n', r"t\.jsonl, line 2: not a JSON object"),
        ('{"path": "a.wav"}\n', r"t\.jsonl, line 1, column label: the value is missing"),
        ('{"path": "a.wav", "label": {"x": 1}}\n', r"t\.jsonl, line 1, column label: one value is needed"),
        ('{"path": "a.wav", "label": ["x", null]}\n', r"t\.jsonl, line 1, column label: one value is needed"),
        ('{"path": "a.wav", "label": ["x"]}\n{"path": "b.wav"}', r"line 2, column label: the value is missing"),
    ],
)
def test_errors_of_json_lines_name_the_line(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read_table(write(tmp_path, text, "t.jsonl"))


def test_other_encodings_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"t\.csv is not UTF-8 text"):
        read_table(write(tmp_path, "path,label\nä.wav,dog\n", encoding="latin-1"))


def test_only_tables_of_clips_are_recognized(tmp_path):
    assert is_table(write(tmp_path, "path,label\na.wav,dog\n"))
    assert not is_table(write(tmp_path, "site,latitude\nx,1\n", "sites.csv"))
    assert not is_table(write(tmp_path, "path,label\na.wav,dog\n", "t.md"))
