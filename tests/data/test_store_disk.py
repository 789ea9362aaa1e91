"""A store whose disk fails, that was cut short, or that others build and read at the same time."""

import errno
import hashlib
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock, Timeout

from cohear.data import decoding, store, store_files
from cohear.data.store import Store
from cohear.data.store_files import MISSING, content_hashes
from cohear.errors import UserError
from made_stores import open_folder, steps


@pytest.mark.parametrize(
    ("number", "message"),
    [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "permission is denied"), (errno.EIO, "output error")],
)
def test_disk_errors_are_worded_and_leave_nothing(sounds, monkeypatch, number, message):
    def fsync(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(UserError, match=rf"cache.*cannot be written.*{message}.*COHEAR_CACHE"):
        open_folder(sounds)
    monkeypatch.undo()
    assert not list((sounds.parent / "cache").glob("*.partial"))
    assert len(open_folder(sounds)) == 6


def test_remains_of_a_killed_builder_are_replaced(sounds):
    open_folder(sounds)
    (folder,) = (path for path in (sounds.parent / "cache").iterdir() if path.is_dir())
    (folder.rename(folder.with_suffix(".partial")) / "waveforms.int16").write_bytes(b"half")
    np.testing.assert_array_equal(open_folder(sounds).read([5])[0] * 32768, steps(12))
    assert not list((sounds.parent / "cache").glob("*.partial"))


def test_two_builders_share_one_store(sounds, decoded_paths):
    opened: list[Store] = []
    threads = [threading.Thread(target=lambda: opened.append(open_folder(sounds))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened[0].fingerprint == opened[1].fingerprint
    assert len(decoded_paths) == 6


@pytest.mark.parametrize("content", ["{", "[]", '{"cat/0.wav": 1, "cat/1.wav": []}'])
def test_damaged_index_only_costs_hashing(sounds, decoded_paths, content):
    before = open_folder(sounds)
    (index,) = (sounds.parent / "cache").glob("contents-*.json")
    index.write_text(content)
    assert open_folder(sounds).fingerprint == before.fingerprint
    assert len(decoded_paths) == 6


def test_a_file_that_its_disk_does_not_give_is_hashed_once_it_does(sounds, monkeypatch):
    digest = hashlib.file_digest
    before = content_hashes(sounds, ["cat/0.wav", "cat/1.wav"], sounds.parent / "elsewhere")

    def refuse(file, *arguments):
        if file.name.endswith("cat/0.wav"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return digest(file, *arguments)

    monkeypatch.setattr(hashlib, "file_digest", refuse)
    found = content_hashes(sounds, list(before), sounds.parent / "cache")
    assert found == {"cat/0.wav": MISSING, "cat/1.wav": before["cat/1.wav"]}
    monkeypatch.undo()
    assert content_hashes(sounds, list(before), sounds.parent / "cache") == before


@pytest.mark.parametrize("skip_bad", [False, True])
@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ENODEV])
def test_a_disk_that_fails_is_no_reason_to_leave_sounds_out(sounds, code, skip_bad, monkeypatch):
    def decode_clips(root, clips, settings):
        if clips[0].path == "dog/0.wav":
            return [UserError("dog/0.wav gives only 0.00 of 1.00 s")]  # all that a decoder knows
        return decoding.decode_clips(root, clips, settings)

    def refuse(path, mode):
        if Path(path).suffix != ".wav":
            return open(path, mode)
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(store_files, "decode_clips", decode_clips)
    monkeypatch.setattr(store_files, "open", refuse, raising=False)
    with pytest.raises(
        UserError, match=rf"the disk fails at '.*dog/0\.wav' \({os.strerror(code)}\): see to it, or leave"
    ):
        open_folder(sounds, skip_bad=skip_bad)
    assert [path for path in (sounds.parent / "cache").iterdir() if path.is_dir()] == []


def test_a_store_is_opened_before_anybody_may_replace_it(sounds, monkeypatch):
    locked = []

    def note_the_lock(folder, *arguments):
        with pytest.raises(Timeout):
            FileLock(f"{folder}.lock").acquire(timeout=0)
        locked.append(folder)
        return store_files.read_store(folder, *arguments)

    monkeypatch.setattr(store, "read_store", note_the_lock)
    open_folder(sounds)
    assert len(locked) == 2  # before it is made and after


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2])


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *((name, cut) for name in ("waveforms.int16", "store.json")),
        *((name, Path.unlink) for name in ("waveforms.int16", "store.json")),
        ("store.json", lambda path: path.write_text("[]")),
        ("store.json", lambda path: path.write_text('{"rows": [[0, 0, 1]], "report": {}}')),  # as it once was
        ("store.json", lambda path: path.write_text(path.read_text().replace("[5, ", "[99, "))),
    ],
)
def test_a_damaged_store_is_decoded_again(sounds, decoded_paths, name, damage):
    before = open_folder(sounds)
    (folder,) = (path for path in (sounds.parent / "cache").iterdir() if path.is_dir())
    damage(folder / name)
    after = open_folder(sounds)
    assert (before.replaces_damaged, after.replaces_damaged) == (False, True)
    assert len(decoded_paths) == 12
    assert (after.fingerprint, after.report.lines) == (before.fingerprint, before.report.lines)
    np.testing.assert_array_equal(after.read([5])[0] * 32768, steps(12))
    assert not open_folder(sounds).replaces_damaged
