"""Tables read the same however they are written, and find their sounds beneath one folder, links followed."""

import json
from pathlib import Path

import pytest

from cohear.data.clips import Clip
from cohear.data.datasets import read_dataset
from cohear.data.tables import is_table, read_table
from cohear.errors import UserError
from faults.fuzz.ways_out import KINDS, OUTSIDE, lay_out, table_of


def write(tmp_path, text: str, name: str = "t.csv", encoding: str = "utf-8"):
    path = tmp_path / name
    path.write_text(text, encoding=encoding)
    return path


EXPECTED = (
    Clip("a.wav", ("dog",), 1, "yard", 0.5, 2.0),
    Clip("b/c.wav", ("cat",), 2, None, None, None),
)


@pytest.mark.parametrize(
    ("name", "encoding", "text"),
    [
        ("t.csv", "utf-8", "path,label,fold,group,start,end\na.wav,dog,1,yard,0.5,2\nb/c.wav,cat,2,,,\n"),
        ("t.csv", "utf-8-sig", "Path,LABEL,fold,group,start,end\r\na.wav,dog,1,yard,0.5,2\r\n./b/c.wav,cat,2\r\n"),
        ("t.csv", "utf-8", "label;path;start;end;fold;group\ndog;a.wav;0,5;2,0;1.0;yard\ncat;b/c.wav;;;2;\n"),
        (
            "t.tsv",
            "utf-8",
            "\npath\tlabel\tfold\tgroup\tstart\tend\tx\n\na.wav\tdog\t1\tyard\t.5\t2\t7\nb/c.wav\tcat\t2\n",
        ),
        (
            "t.jsonl",
            "utf-8",
            '{"path": "a.wav", "label": "dog", "fold": 1, "group": "yard", "start": 0.5, "end": 2, "extra": [1]}\n'
            '{"path": "b/c.wav", "label": "cat", "fold": 2, "group": null}',
        ),
    ],
)
def test_tables_of_every_kind_read_the_same(tmp_path, name, encoding, text):
    clips, multi_label = read_table(write(tmp_path, text, name, encoding))
    assert (tuple(clips), multi_label) == (EXPECTED, False)


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
    ],
)
def test_several_labels_or_none_are_read_from_tables_of_every_kind(tmp_path, name, text):
    clips, multi_label = read_table(write(tmp_path, text, name))
    assert multi_label
    assert [(clip.path, clip.labels) for clip in clips] == [("a", ("big, dog", "frog")), ("b", ("frog",)), ("c", ())]


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("t.csv", "path,labels\na.wav,dog\n", r"'label' \(did you mean 'labels'\?\)"),
        ("t.csv", "file,label\na.wav,dog\n", "'path'"),
        ("t.csv", "path,label\na.wav,\n", "line 2, column label"),
        ("t.csv", "path,label\n\na.wav,dog,\nb.wav,big,dog\n", "line 4: 3 values for 2 columns"),
        ("t.csv", "path,label,fold\na.wav,dog,1.5\n", r"line 2, column fold: '1\.5'"),
        ("t.csv", "path,label,end\na.wav,dog,nan\n", "line 2, column end: 'nan'"),
        ("t.csv", "path,label,start,end\na.wav,dog,2,1\n", "line 2: the segment ends at 1 s"),
        ("t.csv", "path,label\na.wav,dog\nb.wav,cat\n./a.wav,cat\n", r"line 4: a\.wav"),
        ("t.csv", "path,label\n", "lists no clips"),
        ("t.csv", "path,label\na.wav," + 200_000 * "x", "line 2: no valid CSV"),
        ("t.jsonl", '{"path": "a.wav", "label": "x"}\n["b.wav"]\n', "line 2: not a JSON object"),
        ("t.jsonl", '{"path": "a.wav", "label": ["x", null]}\n', "line 1, column label"),
        ("t.jsonl", '{"path": "\\ud800.wav", "label": "x"}', r"line 1: .*'\\ud800.wav'"),
        ("t.csv", "path,label\nb\0.wav,y\n", r"line 2: .*'b\\x00.wav'"),
        ("t.csv", f"path,label\n{'a/' * 2100}a.wav,y\n", "line 2"),
    ],
)
def test_errors_name_file_line_and_column(tmp_path, name, text, where):
    with pytest.raises(UserError, match=rf"{name.replace('.', '.')}.*{where}"):
        read_table(write(tmp_path, text, name))


def test_other_encodings_and_tables_of_other_things_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"t\.csv is not UTF-8"):
        read_table(write(tmp_path, "path,label\nä.wav,dog\n", encoding="latin-1"))
    assert is_table(write(tmp_path, "path,label\na.wav,dog\n"))
    assert not is_table(write(tmp_path, "site,latitude\nx,1\n", "sites.csv"))
    assert not is_table(write(tmp_path, '{"site": "x"}\n', "sites.jsonl"))
    assert not is_table(write(tmp_path, "path,label\na.wav,dog\n", "t.md"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return lay_out(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OUTSIDE)
def test_what_lies_outside_is_refused_whether_it_is_there_or_not(place, kind, name):
    with pytest.raises(UserError, match=rf"line [23]: '.*' lies outside {place}, links followed: .*--sounds"):
        read_dataset(table_of(place, kind, name))


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("sub/b.wav", "sub/b.wav"),
        ("sub/../sub/b.wav", "sub/b.wav"),
        ("../data/sub/b.wav", "sub/b.wav"),
        ("round/sub/b.wav", "round/sub/b.wav"),
        ("inside.wav", "inside.wav"),
        ("none.wav", "none.wav"),
        ("loop.wav", "loop.wav"),
        ("dangling.wav", "dangling.wav"),
        ("..b.wav", "..b.wav"),
    ],
)
def test_what_lies_inside_has_one_name_there_or_not(place, kind, name, path):
    dataset = read_dataset(table_of(place, kind, name))
    assert tuple(dataset.clips) == (Clip("a.wav", ("x",)), Clip(path, ("y",)))
    assert dataset.root == place


@pytest.mark.parametrize("kind", ["csv", "jsonl", "raven"])
def test_a_folder_can_be_named(place, tmp_path, kind):
    elsewhere = tmp_path / "data-2"
    for name in ("sub/b.wav", str(place / "sub/b.wav")):
        dataset = read_dataset(table_of(elsewhere, kind, name), sounds=place)
        assert dataset.root == place
        assert [clip.path for clip in dataset.clips] == ["a.wav", "sub/b.wav"]
    for outside in ("../secret.wav", "to-folder/c.wav", str(elsewhere / "c.wav")):
        with pytest.raises(UserError, match=f"lies outside {place}"):
            read_dataset(table_of(elsewhere, kind, outside), sounds=place)
    with pytest.raises(UserError, match=r"--sounds .*none"):
        read_dataset(table_of(place, kind, "sub/b.wav"), sounds=place / "none")


def test_names_of_every_other_kind_are_taken_but_no_control_characters_in_labels(place):
    names = ["two\nlines.wav", "e\u0301.wav", "\u05d0\u202e.wav", "😀.wav", "'quoted' \"twice\".wav", "n" * 200]
    rows = [{"path": name, "label": f"{index}"} for index, name in enumerate(names)]
    (place / "t.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    assert [clip.path for clip in read_dataset(place / "t.jsonl").clips] == names
    for letter in ("\n", "\x00", "\x1b", "\x7f"):
        (place / "t.jsonl").write_text(json.dumps({"path": "a.wav", "label": f"x{letter}y"}))
        with pytest.raises(UserError, match="control character"):
            read_dataset(place / "t.jsonl")
