import csv
import os

import pytest

from cohear.data.clips import Clip
from cohear.data.datasets import drop_small, read_dataset
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
    assert (dataset.layout, dataset.name, dataset.root, dataset.notes) == ("folder", tmp_path.name, tmp_path, ())
    assert dataset.classes == ("cat", "dog")
    assert [(clip.path, clip.labels) for clip in dataset.clips] == [
        ("cat/a.wav", ("cat",)),
        ("dog/a.flac", ("dog",)),
        ("dog/b.wav", ("dog",)),
        ("dog/deep/er/c.MP3", ("dog",)),
    ]


def test_hidden_files_are_ignored_and_others_counted(tmp_path):
    touch(tmp_path, "dog/a.wav", "dog/._a.wav", ".git/x/a.wav", "__MACOSX/dog/a.wav", "cat/a.wav", "cat/notes.txt")
    touch(tmp_path, "stray.wav", "README.md", "docs/x.pdf")
    dataset = read_dataset(tmp_path)
    assert [clip.path for clip in dataset.clips] == ["cat/a.wav", "dog/a.wav"]
    assert dataset.notes == (
        "folders without sounds left out (1): docs",
        "sounds outside the class folders left out (1): stray.wav",
        "other files left out (3): README.md, cat/notes.txt, docs/x.pdf",
    )


@pytest.mark.parametrize(
    ("names", "n_notes"), [(("site1", "Site_2"), 1), (("2026-06-01", "2026-06-02"), 1), (("site1", "frog"), 0)]
)
def test_folders_that_may_be_places_or_dates_are_classes_with_a_word(tmp_path, names, n_notes):
    touch(tmp_path, *(f"{name}/a.wav" for name in names))
    assert len(read_dataset(tmp_path).notes) == n_notes


def test_esc50_has_folds_and_its_source_recordings_as_groups(tmp_path):
    dataset = read_dataset(write_esc50(tmp_path, ESC50_ROWS))
    assert (dataset.name, dataset.layout, dataset.classes) == ("ESC-50", "esc50", ("dog", "pig", "rooster"))
    assert (len(dataset.clips), dataset.clips[0]) == (4, Clip("audio/1-100-A-0.wav", ("dog",), 1, "100"))


def test_esc10_is_chosen_by_option_or_by_a_table_of_its_own(tmp_path):
    chosen = read_dataset(write_esc50(tmp_path / "a", ESC50_ROWS), esc10=True)
    own = read_dataset(write_esc50(tmp_path / "b", ESC50_ROWS[:3]))
    by_table = read_dataset(tmp_path / "b" / "meta" / "esc50.csv")
    assert chosen.name == own.name == by_table.name == "ESC-10"
    assert list(chosen.clips) == list(own.clips) == list(by_table.clips)
    assert by_table.root == tmp_path / "b"


def test_recordings_with_label_files_give_segments(tmp_path):
    touch(tmp_path, "site1/a.wav", "site2/b.wav", "site2/c.wav")
    (tmp_path / "site1" / "a.txt").write_text("0\t1\tfrog\n2\t3\ttoad\n")
    (tmp_path / "site2" / "b.Table.1.selections.txt").write_text("Begin Time (s)\tEnd Time (s)\tSpecies\n4\t5\tfrog\n")
    dataset = read_dataset(tmp_path)
    assert dataset.layout == "annotations"
    assert [clip.id for clip in dataset.clips] == ["site1/a.wav#0-1", "site1/a.wav#2-3", "site2/b.wav#4-5"]
    assert dataset.notes == ("1 recording without labels left out: site2/c.wav",)
    assert read_dataset(tmp_path / "site1" / "a.txt").classes == ("frog", "toad")
    (tmp_path / "site1" / "a.selections.txt").write_text("Begin Time (s)\tEnd Time (s)\tSpecies\n0\t1\tnewt\n")
    with pytest.raises(UserError, match=r"site1/a\.wav#0-1 .*('frog' and 'newt'|'newt' and 'frog')"):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    ("files", "given", "message"),
    [
        ({}, "nowhere", "nowhere does not exist"),
        ({"dog/readme.txt": ""}, ".", "holds no sounds"),
        ({"a.wav": "", "b.wav": ""}, ".", "have no labels"),
        ({"dog/a.wav": "", "dog/b.wav": ""}, ".", "only the class 'dog'"),
        ({"train/a.wav": "", "Test/a.wav": ""}, ".", "Test, train, which are no classes"),
        ({"dog/a.wav": ""}, "dog/a.wav", r"a\.wav is no data set"),
        ({"a/a.wav": "", "b/b.wav": "", "t.csv": "path,label\na/a.wav,dog\n"}, ".", r"the table t\.csv beside"),
        ({"a.wav": "", "a.selections.txt": "Begin Time (s)\tEnd Time (s)\tSpecies\n"}, ".", "no labeled clips"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path, files, given, message):
    touch(tmp_path, *files)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        read_dataset(tmp_path / given)


def test_small_classes_are_dropped_and_named_and_clips_keep_their_other_labels(tmp_path):
    (tmp_path / "t.csv").write_text("path,label\na,x;rare\nb,x;y\nc,y\nd,rarest\ne,\n")
    dataset = read_dataset(tmp_path / "t.csv")
    dropped = drop_small(dataset, 2)
    kept = [("a", ("x",)), ("b", ("x", "y")), ("c", ("y",)), ("e", ())]
    assert [(clip.path, clip.labels) for clip in dropped.clips] == kept
    assert dropped.multi_label
    assert dropped.notes == ("2 classes with fewer than 2 clips left out: rare, rarest",)
    assert drop_small(dataset, 1) is dataset
    with pytest.raises(UserError, match="have 3 clips"):
        drop_small(dataset, 3)


def test_links_that_go_round_end(tmp_path):
    for label in ("dog", "cat"):
        folder = touch(tmp_path, f"{label}/a.wav") / label
        for link, target in (("back", ".."), ("self", "."), ("loop", "loop")):
            (folder / link).symlink_to(target)
    for depth in range(30):  # twice as many ways to each next folder
        folder = tmp_path / "dog" / f"{depth}"
        folder.mkdir()
        for link in ("x", "y"):
            os.symlink(f"../{depth + 1}", folder / link)
    dataset = read_dataset(tmp_path)
    assert {clip.path for clip in dataset.clips if clip.path.count("/") == 1} == {"dog/a.wav", "cat/a.wav"}
    assert len(dataset.clips) < 10
