import csv

import pytest

from cohear.data.clips import Clip
from cohear.data.datasets import drop_small, read_dataset
from cohear.data.folds import with_folds
from cohear.errors import UserError


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def write_esc50(root, rows):
    (root / "meta").mkdir(parents=True)
    with open(root / "meta" / "esc50.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "fold", "target", "category", "esc10", "src_file", "take"])
        writer.writerows(rows)
    return root


ESC50_ROWS = [
    ("1-100-A-0.wav", 1, 0, "dog", True, 100, "A"),
    ("2-100-B-0.wav", 2, 0, "dog", True, 100, "B"),
    ("1-101-A-1.wav", 1, 1, "rooster", True, 101, "A"),
    ("2-102-A-2.wav", 2, 2, "pig", False, 102, "A"),
]


def test_folder_gives_one_class_per_sub_folder(tmp_path):
    touch(tmp_path, "dog/b.wav", "dog/a.flac", "dog/deep/er/c.MP3", "cat/a.wav")
    dataset = read_dataset(tmp_path)
    assert dataset.layout == "folder"
    assert dataset.name == tmp_path.name
    assert dataset.root == tmp_path
    assert dataset.classes == ("cat", "dog")
    assert dataset.clips == (
        Clip("cat/a.wav", "cat"),
        Clip("dog/a.flac", "dog"),
        Clip("dog/b.wav", "dog"),
        Clip("dog/deep/er/c.MP3", "dog"),
    )
    assert dataset.notes == ()


def test_hidden_files_are_ignored_and_others_counted(tmp_path):
    touch(tmp_path, "dog/a.wav", "dog/._a.wav", ".git/x/a.wav", "__MACOSX/dog/a.wav", "cat/a.wav", "cat/notes.txt")
    touch(tmp_path, "stray.wav", "README.md", "docs/x.pdf")
    dataset = read_dataset(tmp_path)
    assert dataset.classes == ("cat", "dog")
    assert dataset.notes == (
        "1 folder without sounds left out: docs",
        "1 sound file outside the class folders left out",
        "3 other files left out",
    )


def test_table_gives_its_clips_relative_to_its_folder(tmp_path):
    (tmp_path / "sounds.csv").write_text("path,label,fold\na.wav,dog,1\nx/b.wav,cat,2\n")
    dataset = read_dataset(tmp_path / "sounds.csv")
    assert (dataset.name, dataset.root, dataset.layout) == ("sounds", tmp_path, "table")
    assert dataset.clips == (Clip("a.wav", "dog", 1), Clip("x/b.wav", "cat", 2))


def test_esc50_has_folds_and_its_source_recordings_as_groups(tmp_path):
    dataset = read_dataset(write_esc50(tmp_path, ESC50_ROWS))
    assert (dataset.name, dataset.layout, len(dataset.clips)) == ("ESC-50", "esc50", 4)
    assert dataset.clips[0] == Clip("audio/1-100-A-0.wav", "dog", 1, "100")
    assert dataset.classes == ("dog", "pig", "rooster")


def test_esc10_is_chosen_by_option_or_by_a_table_of_its_own(tmp_path):
    chosen = read_dataset(write_esc50(tmp_path / "a", ESC50_ROWS), esc10=True)
    own = read_dataset(write_esc50(tmp_path / "b", ESC50_ROWS[:3]))
    by_table = read_dataset(tmp_path / "b" / "meta" / "esc50.csv")
    assert chosen.name == own.name == by_table.name == "ESC-10"
    assert chosen.clips == own.clips == by_table.clips
    assert by_table.root == tmp_path / "b"


def test_recordings_with_label_files_give_segments(tmp_path):
    touch(tmp_path, "site1/a.wav", "site2/b.wav", "site2/c.wav")
    (tmp_path / "site1" / "a.txt").write_text("0\t1\tfrog\n2\t3\ttoad\n")
    (tmp_path / "site2" / "b.Table.1.selections.txt").write_text("Begin Time (s)\tEnd Time (s)\tSpecies\n4\t5\tfrog\n")
    dataset = read_dataset(tmp_path)
    assert dataset.layout == "annotations"
    assert [clip.id for clip in dataset.clips] == ["site1/a.wav#0-1", "site1/a.wav#2-3", "site2/b.wav#4-5"]
    assert dataset.classes == ("frog", "toad")
    assert dataset.notes == ("1 recording without labels left out: site2/c.wav",)


def test_one_label_file_is_a_data_set(tmp_path):
    touch(tmp_path, "a.wav")
    (tmp_path / "a.txt").write_text("0\t1\tfrog\n2\t3\ttoad\n")
    assert read_dataset(tmp_path / "a.txt").classes == ("frog", "toad")


def test_texts_beside_the_sounds_of_classes_are_no_annotations(tmp_path):
    touch(tmp_path, "dog/a.wav", "cat/a.wav")
    (tmp_path / "dog" / "a.txt").write_text("recorded in the yard\n")
    assert read_dataset(tmp_path).layout == "folder"


@pytest.mark.parametrize(
    ("files", "given", "message"),
    [
        ([], "nowhere", "nowhere does not exist"),
        ([], ".", "holds no sounds"),
        (["dog/readme.txt"], ".", "holds no sounds"),
        (["a.wav", "b.wav"], ".", "have no labels: put those of each class into a sub-folder"),
        (["dog/a.wav", "dog/b.wav"], ".", "has only the class 'dog': a classifier needs at least two"),
        (["train/a.wav", "Test/a.wav"], ".", "Test, train, which are no classes"),
        (["dog/a.wav"], "dog/a.wav", r"a\.wav is neither a folder nor a table"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path, files, given, message):
    touch(tmp_path, *files)
    with pytest.raises(UserError, match=message):
        read_dataset(tmp_path / given)


def test_table_beside_class_folders_must_be_given_itself(tmp_path):
    touch(tmp_path, "place1/a.wav", "place2/a.wav")
    (tmp_path / "sounds.csv").write_text("path,label\nplace1/a.wav,dog\nplace2/a.wav,cat\n")
    with pytest.raises(UserError, match=r"holds the table sounds\.csv beside the sounds: give .*sounds\.csv"):
        read_dataset(tmp_path)


def test_esc10_of_another_data_set_is_refused(tmp_path):
    touch(tmp_path, "dog/a.wav", "cat/a.wav")
    with pytest.raises(UserError, match="not laid out like ESC-50"):
        read_dataset(tmp_path, esc10=True)


def test_label_file_without_labels_is_refused(tmp_path):
    touch(tmp_path, "a.wav")
    (tmp_path / "a.selections.txt").write_text("Begin Time (s)\tEnd Time (s)\tSpecies\n")
    with pytest.raises(UserError, match="has no labeled clips"):
        read_dataset(tmp_path)


def test_small_classes_are_dropped_and_named(tmp_path):
    touch(tmp_path, "a/1.wav", "a/2.wav", "b/1.wav", "b/2.wav", "c/1.wav")
    dataset = read_dataset(tmp_path)
    dropped = drop_small(dataset, 2)
    assert dropped.classes == ("a", "b")
    assert dropped.notes == ("1 class with fewer than 2 clips left out: c",)
    assert drop_small(dataset, 1) is dataset
    with pytest.raises(UserError, match="fewer than two have at least 3 clips"):
        drop_small(dataset, 3)


def test_only_tables_hold_several_labels(tmp_path):
    touch(tmp_path, "dog; big/a.wav", "cat/a.wav")
    folder = read_dataset(tmp_path)
    (tmp_path / "t.csv").write_text("path,label\na.wav,dog; big\nb.wav,cat\nc.wav,\n")
    table = read_dataset(tmp_path / "t.csv")
    assert (folder.multi_label, folder.classes) == (False, ("cat", "dog; big"))
    assert (table.multi_label, table.classes) == (True, ("big", "cat", "dog"))


def test_clips_keep_their_other_labels_when_small_classes_are_dropped(tmp_path):
    (tmp_path / "t.csv").write_text("path,label\na,x;rare\nb,x;y\nc,y\nd,rarest\ne,\n")
    dropped = drop_small(read_dataset(tmp_path / "t.csv"), 2)
    assert [(clip.path, clip.labels) for clip in dropped.clips] == [
        ("a", ("x",)),
        ("b", ("x", "y")),
        ("c", ("y",)),
        ("e", ()),
    ]
    assert dropped.notes == ("2 classes with fewer than 2 clips left out: rare, rarest",)


def test_made_folds_are_none_that_the_data_brings(tmp_path):
    (tmp_path / "given.csv").write_text("path,label,fold\na,x,1\nb,y,2\n")
    (tmp_path / "none.csv").write_text("path,label\na,x\nb,y\n")
    given, none = (read_dataset(tmp_path / name) for name in ("given.csv", "none.csv"))
    assert [d.brings_folds for d in (given, with_folds(given, 2, 0), none, with_folds(none, 2, 0))] == [
        True,
        True,
        False,
        False,
    ]
