import numpy as np
import pytest
import soundfile

from cohear.data.check.groups_table import groups_table, sounds_folder
from cohear.data.check.recording_groups import find_kinship
from cohear.data.datasets import read_dataset
from cohear.data.folds import with_folds
from cohear.errors import UserError
from surveyed import dataset_of, heard


@pytest.mark.parametrize("folder", ["", "tables"])
def test_the_table_can_be_trained_on_and_its_folds_divide_nothing(tmp_path, folder):
    names = [
        "-dash first.wav",
        " blank first.wav",
        'comma, "quotes".wav',
        "é.wav",
        "site1_1.wav",
        "site1_2.wav",
        "x/site2_1.wav",
    ]
    for index, name in enumerate([*names, "x/site2_2.wav", "copy of é.wav"]):
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
    sounds = sounds_folder(dataset, kinship, table.parent)
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


@pytest.mark.parametrize(("second_fold", "keeps_folds"), [(1, True), (2, False)])
def test_folds_of_the_data_are_kept_where_they_divide_no_group(tmp_path, second_fold, keeps_folds):
    clips = [heard("a.wav", "dog", 1, content="A"), heard("b.wav", "dog", second_fold, content="A")]
    clips.append(heard("c.wav", "rain", 2))
    dataset = dataset_of(clips, folds_were_made=False)
    header = groups_table(dataset, find_kinship(dataset, clips), tmp_path).splitlines()[0]
    assert header == ("path,label,group,fold" if keeps_folds else "path,label,group")


def test_multi_label_data_stay_so_and_a_label_with_a_semicolon_is_refused(tmp_path):
    several = [heard("a.wav", "dog", multi_label=True), heard("b.wav", "", multi_label=True)]
    dataset = dataset_of(several)
    text = groups_table(dataset, find_kinship(dataset, several), dataset.root)
    assert text.splitlines()[1:] == ["a.wav,dog;,a.wav", "b.wav,;,b.wav"]
    one = [heard("a.wav", "dog;old")]
    with pytest.raises(UserError, match="'dog;old' cannot stand in a table"):
        groups_table(dataset_of(one), find_kinship(dataset_of(one), one), tmp_path)


def test_a_path_that_begins_with_a_blank_is_read_again(tmp_path):
    clips = [heard(" a.wav", "dog"), heard("b.wav", "rain")]
    dataset = dataset_of(clips)
    table = tmp_path / "t.csv"
    table.write_text(groups_table(dataset, find_kinship(dataset, clips), dataset.root))
    assert [clip.path for clip in read_dataset(table).clips] == [" a.wav", "b.wav"]


def test_sounds_that_links_lead_to_are_named_where_they_lie(tmp_path):
    for name in ("data/dog/a.wav", "data/rain/b.wav", "far/away/c.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, np.full(80, 0.1), 8000)
    (tmp_path / "data" / "dog" / "c.wav").symlink_to(tmp_path / "far" / "away" / "c.wav")
    dataset = read_dataset(tmp_path / "data")
    kinship = find_kinship(dataset, [heard(clip.path, clip.label) for clip in dataset.clips])
    sounds = sounds_folder(dataset, kinship, tmp_path / "data")
    assert sounds == tmp_path
    table = tmp_path / "data" / "groups.csv"
    table.write_text(groups_table(dataset, kinship, sounds))
    read = read_dataset(table, sounds=sounds)
    assert {(read.root / clip.path).resolve() for clip in read.clips} == {
        tmp_path / "data/dog/a.wav", tmp_path / "data/rain/b.wav", tmp_path / "far/away/c.wav"
    }  # fmt: skip
