"""A file is there whole, or as it was before; what the disk refuses is said in words; plain files alone are read."""

import errno
import json
import logging
import os
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from cohear.errors import UserError
from cohear.runtime import disk, files
from cohear.runtime.files import (
    cache_folder,
    keep_compiled_programs,
    parse_json,
    read_plain,
    replacing,
    write_bytes,
    write_json,
    write_text,
)


def test_what_was_written_is_there_and_replaces_what_was(tmp_path):
    write_bytes(tmp_path / "a", b"first")
    write_bytes(tmp_path / "a", b"second")
    write_text(tmp_path / "b", "größer\n")
    write_json(tmp_path / "c", {"é": [1, 0.1]})
    assert (tmp_path / "a").read_bytes() == b"second"
    assert (tmp_path / "b").read_bytes() == "größer\n".encode()
    assert json.loads((tmp_path / "c").read_text("utf-8")) == {"é": [1, 0.1]}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a", float("nan"))


class Fault:
    """Stand in the door of the disk: note the kinds of steps, and fail one of them."""

    def __init__(self, failing: int | None = None) -> None:
        self.steps: list[str] = []
        self.failing = failing

    def __call__(self, kind: str, path: Path) -> "Fault":
        self.steps.append(kind)
        return self

    def __enter__(self) -> None:
        if len(self.steps) - 1 == self.failing:
            raise OSError(errno.ENOSPC, "No space left on device")

    def __exit__(self, *_: object) -> None: ...


def test_a_failure_at_any_step_leaves_the_file_before_and_nothing_else(tmp_path, monkeypatch):
    whole = Fault()
    monkeypatch.setattr(disk, "around", whole)
    write_bytes(tmp_path / "a", b"before")
    assert whole.steps == ["write", "sync", "rename", "sync folder"]  # in that order it outlasts a crash
    for step in range(3):
        monkeypatch.setattr(disk, "around", Fault(step))
        with pytest.raises(UserError, match="a' cannot be written: the disk is full"):
            write_bytes(tmp_path / "a", b"after")
        assert (tmp_path / "a").read_bytes() == b"before"
        assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_interruption_leaves_no_partial_file(tmp_path):
    def write_half() -> None:
        with replacing(tmp_path / "a") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_only_plain_files_of_a_size_that_fits_are_read(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert read_plain(tmp_path / "a") == b"abc"
    with pytest.raises(UserError, match="a' has 3 bytes"):
        read_plain(tmp_path / "a", most_bytes=2)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe"):
        read_plain(tmp_path / "pipe")


@pytest.mark.parametrize(
    "text",
    ['"\\ud800"', '{"\\udfff": 1}', b'"\xff"', "", "{", "[" * 100_000],
    ids=["half", "half as a name", "no text", "nothing", "torn", "deep"],
)
def test_any_other_json_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_the_cache_is_where_the_environment_says_and_compiled_programs_are_there_too(tmp_path, monkeypatch):
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "kept"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/elsewhere")
    keep_compiled_programs()
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "/elsewhere"
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    keep_compiled_programs()
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(cache_folder() / "compiled") == f"{tmp_path}/kept/compiled"
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    (tmp_path / "kept").touch()  # where nothing can be kept, torch is left to its own folder
    keep_compiled_programs()
    assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ
    monkeypatch.delenv("COHEAR_CACHE")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_folder() == Path("/home/somebody/.cache/cohear")


def test_who_waits_for_a_lock_says_for_what_and_works_afterwards(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(files, "_SILENT_S", 0.05)
    holds, may_go, is_done = threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        with FileLock(tmp_path / "lock"):
            holds.set()
            may_go.wait()
            is_done.set()

    holder = threading.Thread(target=hold, daemon=True)
    holder.start()
    holds.wait()
    monkeypatch.setattr(files._log, "warning", lambda *words: (logging.warning(*words), may_go.set()))
    with files.waiting_for(tmp_path / "lock", "is counting these sheep", waits=False) as is_held:
        assert not is_held
        assert not is_done.is_set()
    with files.waiting_for(tmp_path / "lock", "is counting these sheep") as is_held:
        assert is_held
        assert is_done.is_set()
    assert caplog.messages == ["another process is counting these sheep; waiting for it"]
