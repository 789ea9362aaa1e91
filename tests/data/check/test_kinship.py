import numpy as np
import pytest
import soundfile

from cohear.data.check.kinship import find_kinship, groups_table, shared_stems, sounds_folder
from cohear.data.datasets import read_dataset
from cohear.data.folds import with_folds
from cohear.errors import UserError
from surveyed import dataset_of, heard


def stems_of(**names: str) -> list[str | None]:
    """Give the stems of names by label, all separated by blanks."""
    pairs = [(name, (label,)) for label, text in names.items() for name in text.split()]
    return shared_stems([name for name, _ in pairs], [labels for _, labels in pairs])


@pytest.mark.parametrize(("names", "stems"), [
    ("site3_001.wav site3_002.wav site4_001.wav site4_002.wav", ["site3", "site3", "site4", "site4"]),
    ("S1_20190101_053000.wav S1_20190102_053000.wav S2_20190101_053000.wav x.wav", ["S1", "S1", None, None]),
    ("20190101_053000_1.wav 20190101_053000_2.wav 20190102_053000.wav",
     ["20190101_053000", "20190101_053000", None]),
    ("pond-0.0-5.0.wav pond-5.0-10.0.wav lake-0.0-5.0.wav", ["pond", "pond", None]),
    ("pond_5s_10s.wav pond_0s_5s.wav lake.wav", ["pond", "pond", None]),
    ("pond_part1.wav pond-part2.wav lake_part1.wav", ["pond", "pond", None]),
    ("pond.wav pond_1.wav pond(2).wav lake.wav sea.wav fen.wav", ["pond", "pond", "pond", None, None, None]),
    ("day1/rec_1.wav day1/rec_2.wav day2/rec_1.wav day2/rec_2.wav",
     ["day1/rec", "day1/rec", "day2/rec", "day2/rec"]),
    ("100032-3-0-0.wav 100032-3-0-1.wav 100263-2-0-117.wav", ["100032-3-0", "100032-3-0", None]),
])  # fmt: skip
def test_parts_of_a_recording_are_known_by_their_stem(names, stems):
    assert stems_of(frog=names, toad="a.wav b.wav c.wav d.wav e.wav f.wav")[: len(stems)] == stems


@pytest.mark.parametrize("names", [
    {"dogs": "dog_1.wav dog_2.wav x.wav y.wav", "cat": "cat_1.wav cat_2.wav b.wav c.wav"},  # numbers of a label
    {"dog": "cat_1.wav cat_2.wav x.wav y.wav", "cat": "a.wav b.wav c.wav"},  # another label
    {"dog": "rec_1.wav rec_2.wav rec_3.wav", "cat": "a.wav b.wav c.wav d.wav"},  # all of a class
    {"dog": "rec_1.wav rec_2.wav rec_3.wav x.wav", "cat": "rec_4.wav rec_5.wav y.wav"},  # most of everything
    {"dog": "001.wav 002.wav 1_003.wav 1_004.wav", "cat": "a.wav b.wav c.wav d.wav"},  # nothing but numbers
    {"dog": "20190101_053000.wav 20190101_054000.wav x.wav", "cat": "a.wav b.wav c.wav"},  # one after another
    {"dog": "XC12345.wav XC12346.wav x.wav", "cat": "a.wav b.wav c.wav"},  # ids
    {"dog": "1-100032-A-0.wav 1-110389-A-0.wav 2-114280-A-0.wav 2-114280-B-0.wav", "rain": "x.wav"},  # ESC-50
    {"happy": "03-01-03-01-01-01-01.wav 03-01-03-01-01-01-02.wav 03-01-03-01-02-01-01.wav", "sad": "a.wav"},  # RAVDESS
])  # fmt: skip
def test_names_that_only_number_accuse_nothing(names):
    assert set(stems_of(**names)) == {None}


def test_groups_join_what_any_chain_of_group_name_and_content_joins():
    clips = [
        heard("a.wav", "dog", content="A"),
        heard("site1_1.wav", "dog", content="A"),
        heard("site1_2.wav", "dog"),
        heard("b.wav", "dog", content="site1_2.wav", group="pond"),
        heard("c.wav", "dog", group="pond"),
        *(heard(f"{i}.wav", "rain") for i in range(5)),
    ]
    assert find_kinship(dataset_of(clips), clips).groups == ["pond"] * 5 + [f"{i}.wav" for i in range(5)]


@pytest.mark.parametrize("folder", ["", "tables"])
def test_the_table_can_be_trained_on_and_its_folds_divide_nothing(tmp_path, folder):
    names = ["-dash first.wav", " blank first.wav", 'comma, "quotes".wav', "é.wav", "copy of é.wav"]
    names += ["site1_1.wav", "site1_2.wav", "x/site2_1.wav", "x/site2_2.wav"]
    for index, name in enumerate(names):
        for label in ("dog", "rain"):
            path = tmp_path / label / name
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, np.full(80, 0.1 + index / 100), 8000)
    dataset = read_dataset(tmp_path)
    clips = [
        heard(clip.path, clip.label, content=f"{clip.label} é" if "é" in clip.path else None) for clip in dataset.clips
    ]
    (tmp_path / folder).mkdir(exist_ok=True)
    table = tmp_path / folder / "groups.csv"
    kinship = find_kinship(dataset, clips)
    sounds = sounds_folder(dataset, table.parent)
    assert sounds == tmp_path
    table.write_text(groups_table(dataset, kinship, sounds))
    read = with_folds(read_dataset(table, sounds=None if folder == "" else sounds), 2, seed=0)
    files = {(read.root / clip.path).resolve(): clip for clip in read.clips}
    assert set(files) == {(tmp_path / clip.path).resolve() for clip in dataset.clips}
    for one, other in (("site1_1", "site1_2"), ("x/site2_1", "x/site2_2"), ("é", "copy of é")):
        first, second = files[tmp_path / f"dog/{one}.wav"], files[tmp_path / f"dog/{other}.wav"]
        assert (first.group, first.fold, first.label) == (second.group, second.fold, "dog")
    assert files[tmp_path / "dog/site1_1.wav"].group == files[tmp_path / "rain/site1_1.wav"].group
    assert len({clip.group for clip in read.clips}) == 10  # 2 sites, 2 pairs of copies, 6 others


@pytest.mark.parametrize(
    ("second_fold", "header"), [(1, "path,label,group,fold,start,end"), (2, "path,label,group,start,end")]
)
def test_folds_of_the_data_are_kept_where_they_divide_no_group(tmp_path, second_fold, header):
    clips = [heard("a.wav", "dog", 1, content="A"), heard("b.wav", "dog", second_fold, content="A")]
    clips.append(heard("c.wav", "rain", 2))
    dataset = dataset_of(clips, folds_were_made=False)
    assert groups_table(dataset, find_kinship(dataset, clips), tmp_path).splitlines()[0] == header


def test_multi_label_data_stay_so_and_a_label_with_a_semicolon_is_refused(tmp_path):
    several = [heard("a.wav", "dog", multi_label=True), heard("b.wav", "", multi_label=True)]
    dataset = dataset_of(several)
    text = groups_table(dataset, find_kinship(dataset, several), dataset.root)
    assert text.splitlines()[1:] == ["a.wav,dog;,a.wav,,", "b.wav,;,b.wav,,"]
    one = [heard("a.wav", "dog;old")]
    with pytest.raises(UserError, match="'dog;old'"):
        groups_table(dataset_of(one), find_kinship(dataset_of(one), one), tmp_path)
