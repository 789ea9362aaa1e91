"""Sets of a million clips: what a clip takes of memory, and sounds that are decoded in shards by several at once."""

import pickle
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from cohear.data import decoding, store, store_files
from cohear.data.datasets import read_dataset
from cohear.data.decoding import StoreSettings
from cohear.data.folds import with_folds
from cohear.data.store import Store, open_store
from cohear.errors import UserError
from made_stores import open_folder, steps, write


@pytest.fixture
def in_shards(monkeypatch) -> None:
    """Two clips a shard, three shards."""
    monkeypatch.setattr(store, "SHARD_CLIPS", 2)


def folders(cache: Path) -> list[Path]:
    return sorted(path for path in cache.iterdir() if path.is_dir())


def contents(cache: Path) -> dict[str, bytes]:
    return {f"{folder.name}/{file.name}": file.read_bytes() for folder in folders(cache) for file in folder.iterdir()}


def write_segments(folder: Path, n_clips: int) -> Path:
    """Write a table of segments of one recording, every second of them in a group with another."""
    rows = ["path,label,group,start,end"]
    for clip in range(n_clips):
        group = f"site {clip // 4}" if clip % 2 else ""
        rows.append(f"pond.wav,label {clip % 7},{group},{clip / 100},{clip / 100 + 0.1:.2f}")
    table = folder / f"{n_clips}.csv"
    table.write_text("\n".join(rows) + "\n")
    return table


@pytest.mark.slow
def test_a_clip_takes_few_bytes_of_memory(tmp_path):
    def held(n_clips: int) -> tuple[int, int]:
        table = write_segments(tmp_path, n_clips)
        tracemalloc.start()
        try:
            dataset = with_folds(read_dataset(table), 5, seed=0)
            assert len(dataset.clips) == n_clips
            return tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    held(100)  # what is made once
    few, many = np.array(held(1000)), np.array(held(3000))
    kept, peak = (many - few) / 2000
    assert kept < 180
    assert peak < 450


def test_what_clips_share_is_one_object(tmp_path):
    clips = read_dataset(write_segments(tmp_path, 100)).clips
    for of_clip in (lambda clip: clip.path, lambda clip: clip.labels, lambda clip: clip.group):
        assert len({id(of_clip(clip)) for clip in clips}) == len({of_clip(clip) for clip in clips})


@pytest.mark.usefixtures("in_shards")
def test_a_store_in_shards_is_the_store_in_one(sounds, monkeypatch):
    write(sounds / "cat" / "9.wav", steps(52, 2.5))
    done: list[tuple[int, int]] = []
    divided = open_folder(sounds, on_progress=lambda *counts: done.append(counts))
    assert len(folders(sounds.parent / "cache")) == len(divided.rows.files) == 4
    assert done == [(count, 7) for count in range(1, 8)]
    monkeypatch.setattr(store, "SHARD_CLIPS", 1000)
    whole = open_folder(sounds)
    assert (divided.contents, divided.fingerprint) == (whole.contents, whole.fingerprint)
    assert (list(divided.clips), divided.report.lines) == (list(whole.clips), whole.report.lines)
    for opened in (divided, pickle.loads(pickle.dumps(divided))):
        for rows in (range(9), [8, 0, 3, 3, 5, 1], []):
            np.testing.assert_array_equal(opened.read(rows), whole.read(rows))
    assert divided.rows.n_bytes == whole.rows.n_bytes


@pytest.mark.usefixtures("in_shards")
def test_bad_files_of_all_shards_are_told_together_and_good_shards_are_kept(sounds, decoded_paths):
    for name in ("cat/1.wav", "dog/1.wav", "dog/2.wav"):  # of the last shard, both
        (sounds / name).write_text("words\n" * 30)
    with pytest.raises(UserError, match=r"3 of 6 clips .*cat/1\.wav.*dog/1\.wav.*dog/2\.wav"):
        open_folder(sounds)
    assert len(folders(sounds.parent / "cache")) == 1
    opened = open_folder(sounds, skip_bad=True)
    assert [decoded_paths.count(f"{name}.wav") for name in ("cat/0", "cat/2", "dog/0", "dog/1")] == [2, 1, 1, 2]
    assert [clip.id for clip in opened.clips] == ["cat/0.wav", "cat/2.wav", "dog/0.wav"]
    np.testing.assert_array_equal(opened.read([2])[0] * 32768, steps(10))
    assert [clip_id for clip_id, _ in opened.report.skipped] == ["cat/1.wav", "dog/1.wav", "dog/2.wav"]


@pytest.mark.usefixtures("in_shards")
def test_of_a_store_only_the_damaged_shard_is_decoded_again_and_of_a_set_only_what_is_new(sounds, decoded_paths):
    open_folder(sounds)
    folders(sounds.parent / "cache")[1].joinpath("waveforms.int16").unlink()
    assert open_folder(sounds).replaces_damaged
    assert len(decoded_paths) == 8
    write(sounds / "dog" / "9.wav", steps(13))
    assert len(open_folder(sounds)) == 7
    assert decoded_paths[8:] == ["dog/9.wav"]


@pytest.mark.usefixtures("in_shards")
def test_a_second_builder_goes_on_with_the_shards_that_nobody_is_at(sounds, monkeypatch):
    is_held, may_go_on, opened = threading.Event(), threading.Event(), list[Store]()
    decoded: list[str] = []

    def decode_clips(root, clips, settings):
        if clips[0].path == "cat/0.wav":
            is_held.set()
            assert may_go_on.wait(60)
        decoded.append(clips[0].path)
        return decoding.decode_clips(root, clips, settings)

    monkeypatch.setattr(store_files, "decode_clips", decode_clips)
    first, second = (threading.Thread(target=lambda: opened.append(open_folder(sounds))) for _ in range(2))
    first.start()
    assert is_held.wait(60)
    second.start()
    while not {"cat/2.wav", "dog/0.wav", "dog/1.wav", "dog/2.wav"} <= set(decoded):
        second.join(0.01)
    may_go_on.set()
    for builder in (first, second):
        builder.join()
    assert len(decoded) == 6, "each is decoded once"
    assert opened[0].fingerprint == opened[1].fingerprint
    np.testing.assert_array_equal(opened[0].read(range(6)), opened[1].read(range(6)))


_BUILDER = """
import sys
from pathlib import Path
from cohear.data import store
from cohear.data.datasets import read_dataset
from cohear.data.decoding import StoreSettings
store.SHARD_CLIPS = 25
opened = store.open_store(read_dataset(Path(sys.argv[1])), StoreSettings(8000, 0.1), Path(sys.argv[2]))
print(opened.contents, opened.fingerprint)
"""


@pytest.mark.slow
def test_two_processes_at_once_make_the_bytes_of_one(tmp_path):
    write(tmp_path / "pond.wav", steps(1, 12.0))
    table = write_segments(tmp_path, 1000)

    def builder(cache: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _BUILDER, str(table), str(tmp_path / cache)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    said = [builder.communicate()[0] for builder in [builder("two"), builder("two")]]
    assert said == 2 * [builder("one").communicate()[0]]
    assert len(folders(tmp_path / "one")) == 40
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    alone = open_store(read_dataset(table), StoreSettings(8000, 0.1), tmp_path / "whole")
    assert f"{alone.contents} {alone.fingerprint}\n" == said[0]
