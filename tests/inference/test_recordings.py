"""Which recordings are meant, and where what is made of them goes."""

import re
from pathlib import Path

import pytest

from cohear.errors import UserError
from cohear.inference.recordings import find_recordings, output_paths


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a/1.wav", "a/b/2.FLAC", "a/notes.txt", "a/.3.wav", "c/1.wav", "c/x[1].mp3"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def found(*given: Path) -> list[tuple[str, str]]:
    return [(str(recording.path), str(recording.place)) for recording in find_recordings(given)]


def test_a_file_is_itself_whatever_its_name(folder):
    assert found(folder / "a" / "notes.txt") == [(f"{folder}/a/notes.txt", "notes.txt")]
    assert found(folder / "gone.wav") == [(f"{folder}/gone.wav", "gone.wav")]
    assert found(folder / "c" / "x[1].mp3") == [(f"{folder}/c/x[1].mp3", "x[1].mp3")]


def test_a_folder_is_all_sounds_in_it_and_below(folder):
    assert found(folder / "a") == [(f"{folder}/a/1.wav", "1.wav"), (f"{folder}/a/b/2.FLAC", "b/2.FLAC")]


def test_a_pattern_is_the_sounds_and_the_folders_that_it_matches(folder, monkeypatch):
    assert found(folder / "*" / "1.wav") == [(f"{folder}/a/1.wav", "a/1.wav"), (f"{folder}/c/1.wav", "c/1.wav")]
    assert found(folder / "a" / "*") == [(f"{folder}/a/1.wav", "1.wav"), (f"{folder}/a/b/2.FLAC", "b/2.FLAC")]
    assert [place for _, place in found(folder / "**" / "*.FLAC")] == ["a/b/2.FLAC"]
    monkeypatch.chdir(folder)
    assert found(Path("?/1.wav")) == [("a/1.wav", "a/1.wav"), ("c/1.wav", "c/1.wav")]


@pytest.mark.parametrize("kind", ["*", "**/*.wav", "*/*.wav", "**"])
def test_a_pattern_leads_nowhere_that_a_folder_would_not(folder, kind):
    for name in ("night/ok/1.wav", "night/#recycle/2.wav", "night/ok/@eaDir/3.wav", "night/lost+found/4.wav"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert found(folder / "night" / kind) == found(folder / "night") == [(f"{folder}/night/ok/1.wav", "ok/1.wav")]
    assert found(folder / "night/#recycle/*") == [(f"{folder}/night/#recycle/2.wav", "2.wav")]  # it was named


def test_a_link_that_leads_nowhere_is_not_passed_over(folder):
    (folder / "gone.wav").symlink_to(folder / "nowhere.wav")
    assert folder / "gone.wav" in [recording.path for recording in find_recordings([folder])]


def test_a_recording_that_is_meant_twice_is_heard_once(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert found(folder / "c" / "1.wav", Path("c"), Path("./c/1.wav")) == [
        (f"{folder}/c/1.wav", "1.wav"),
        ("c/x[1].mp3", "x[1].mp3"),
    ]


@pytest.mark.parametrize("given", ["empty", "*.ogg", "a/*.txt", "clips.csv"])
def test_what_means_no_sound_is_refused_by_name(folder, given):
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match=re.escape(given)):
        find_recordings([folder / given])


def test_files_are_made_for_the_places_of_the_recordings(folder):
    recordings = find_recordings([folder / "*"])
    assert output_paths(folder / "out", recordings, ".txt") == [
        folder / "out" / name for name in ("a/1.txt", "a/b/2.txt", "c/1.txt", "c/x[1].txt")
    ]
    assert not (folder / "out").exists()


def test_files_that_would_be_lost_are_refused(folder):
    with pytest.raises(UserError, match=r"'.*a/1\.wav' and '.*c/1\.wav' would both write '.*out/1\.npy'"):
        output_paths(folder / "out", find_recordings([folder / "a", folder / "c"]), ".npy")
    (folder / "a" / "1.txt").write_text("0\t1\tlabelled by ear\n")
    with pytest.raises(UserError, match=r"a/1\.txt' is there already and is not replaced"):
        output_paths(folder / "a", find_recordings([folder / "a"]), ".txt")
