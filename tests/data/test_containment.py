"""A table finds its sounds beneath its folder or the one that was named, links followed, and nowhere else."""

import json
import os
from pathlib import Path

import pytest

from cohear.data.clips import Clip
from cohear.data.datasets import read_dataset
from cohear.errors import UserError
from faults.fuzz.ways_out import KINDS, OUTSIDE, lay_out, table_of


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return lay_out(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OUTSIDE)
def test_what_lies_outside_is_refused_whether_it_is_there_or_not(place, kind, name):
    with pytest.raises(
        UserError,
        match=rf"line [23]: '.*' lies outside {place}, links followed: .* --sounds DIR \(its paths .* to DIR\)",
    ) as error:
        read_dataset(table_of(place, kind, name))
    assert "\n" not in str(error.value)


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
    ],
)
def test_what_lies_inside_has_one_name_there_or_not(place, kind, name, path):
    dataset = read_dataset(table_of(place, kind, name))
    assert dataset.clips == (Clip("a.wav", "x"), Clip(path, "y"))
    assert dataset.root == place


def test_an_absolute_path_beneath_the_folder_is_made_relative(place):
    assert read_dataset(table_of(place, "csv", str(place / "sub/b.wav"))).clips[1].path == "sub/b.wav"
    assert read_dataset(table_of(place, "raven", str(place / "sub/b.wav"))).clips[1].path == "sub/b.wav"


@pytest.mark.parametrize("kind", ["csv", "jsonl", "raven"])
def test_a_folder_can_be_named(place, tmp_path, kind):
    table = table_of(tmp_path / "data-2", kind, "sub/b.wav")
    dataset = read_dataset(table, sounds=place)
    assert dataset.root == place
    assert [clip.path for clip in dataset.clips] == ["a.wav", "sub/b.wav"]
    table = table_of(tmp_path / "data-2", kind, str(place / "sub/b.wav"))
    assert [clip.path for clip in read_dataset(table, sounds=place).clips] == ["a.wav", "sub/b.wav"]
    for outside in ("../secret.wav", "to-folder/c.wav", str(tmp_path / "data-2" / "c.wav")):
        with pytest.raises(
            UserError, match=f"lies outside {place}, .*: paths are relative to the folder that --sounds names and must"
        ) as error:
            read_dataset(table_of(tmp_path / "data-2", kind, outside), sounds=place)
        assert "DIR" not in str(error.value)


def test_a_folder_reached_by_a_link_is_the_folder(place, tmp_path):
    (tmp_path / "link").symlink_to(place)
    table = table_of(place, "csv", "sub/b.wav")
    assert read_dataset(tmp_path / "link" / table.name).root == tmp_path / "link"
    absolute = table_of(place, "csv", str(place / "sub/b.wav"))
    assert read_dataset(tmp_path / "link" / absolute.name).clips[1].path == "sub/b.wav"


def test_audio_of_esc50_may_lie_elsewhere_where_that_is_said(place, tmp_path):
    data = tmp_path / "linked"
    table_of_esc50 = "filename,fold,target,category,esc10,src_file,take\nd.wav,1,0,x,True,1,A\ne.wav,1,1,y,True,2,A\n"
    (data / "meta").mkdir(parents=True)
    (data / "meta" / "esc50.csv").write_text(table_of_esc50)
    (data / "audio").symlink_to(place / "audio")
    with pytest.raises(UserError, match="--sounds"):
        read_dataset(data)
    dataset = read_dataset(data, sounds=place)
    assert dataset.root == place
    assert [clip.path for clip in dataset.clips] == ["audio/d.wav", "audio/e.wav"]


def test_an_audacity_track_finds_its_recording_in_the_folder_that_is_named(place, tmp_path):
    track = tmp_path / "a.txt"
    track.write_text("0\t1\tx\n1\t2\ty\n")
    with pytest.raises(UserError, match="not beside it"):
        read_dataset(track)
    assert read_dataset(track, sounds=place).clips[0].path == "a.wav"


def test_names_that_no_file_can_have_are_refused(place):
    (place / "t.csv").write_bytes(b"path,label\na.wav,x\nb\0.wav,y\n")
    with pytest.raises(UserError, match=r"no file can be named 'b\\x00.wav'"):
        read_dataset(place / "t.csv")
    (place / "t.jsonl").write_text('{"path": "\\ud800.wav", "label": "x"}')
    with pytest.raises(UserError, match=r"no file can be named '\\ud800.wav'"):
        read_dataset(place / "t.jsonl")
    for long in ("é" * 126 + ".wav", "a/" * 2100 + "a.wav"):
        with pytest.raises(UserError, match="no file can be named"):
            read_dataset(table_of(place, "raven", long))


def test_names_of_every_other_kind_are_taken(place):
    names = [
        "two\nlines.wav",
        "é.wav",
        "e\u0301.wav",
        "\u05d0\u202e.wav",
        "😀.wav",
        "'quoted' \"twice\".wav",
        "n" * 200,
    ]
    rows = [{"path": name, "label": f"{index}"} for index, name in enumerate(names)]
    (place / "t.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    assert [clip.path for clip in read_dataset(place / "t.jsonl").clips] == names


def test_a_label_with_a_control_character_is_refused(place):
    for letter in ("\n", "\t", "\x00", "\x1b", "\x7f"):
        (place / "t.jsonl").write_text(json.dumps({"path": "a.wav", "label": f"x{letter}y"}))
        with pytest.raises(UserError, match="holds a line break or another control character"):
            read_dataset(place / "t.jsonl")


def test_sounds_go_with_a_table_and_are_a_folder(place):
    with pytest.raises(UserError, match="is a folder and brings its sounds"):
        read_dataset(place, sounds=place)
    table = table_of(place, "csv", "sub/b.wav")
    with pytest.raises(UserError, match=r"--sounds .*none is no folder"):
        read_dataset(table, sounds=place / "none")


def test_links_that_go_round_end(tmp_path):
    for label in ("dog", "cat"):
        folder = tmp_path / label
        folder.mkdir()
        (folder / "a.wav").touch()
        (folder / "back").symlink_to("..")
        (folder / "self").symlink_to(".")
        (folder / "loop").symlink_to("loop")
    for depth in range(30):  # twice as many ways to each next folder
        folder = tmp_path / "dog" / f"{depth}"
        folder.mkdir()
        for link in ("x", "y"):
            os.symlink(f"../{depth + 1}", folder / link)
    dataset = read_dataset(tmp_path)
    assert {clip.path for clip in dataset.clips if clip.path.count("/") == 1} == {"dog/a.wav", "cat/a.wav"}
    assert len(dataset.clips) < 10
