"""A file is there whole, or as it was before; what the disk refuses is said in words."""

import errno
import json
import os

import pytest

from cohear.errors import UserError
from cohear.runtime.files import explain_disk_errors, replacing, write_bytes, write_json, write_text


def test_what_was_written_is_there_and_replaces_what_was(tmp_path):
    write_bytes(tmp_path / "a", b"first")
    write_bytes(tmp_path / "a", b"second")
    write_text(tmp_path / "b", "größer\n")
    write_json(tmp_path / "c", {"é": [1, 0.1]})
    assert (tmp_path / "a").read_bytes() == b"second"
    assert (tmp_path / "b").read_bytes() == "größer\n".encode()
    assert json.loads((tmp_path / "c").read_text("utf-8")) == {"é": [1, 0.1]}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_failure_at_any_moment_leaves_the_file_before_and_nothing_else(tmp_path, monkeypatch, function):
    write_bytes(tmp_path / "a", b"before")

    def fail(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(UserError, match=r"a' cannot be written: the disk is full; free some space"):
        write_bytes(tmp_path / "a", b"after")
    assert (tmp_path / "a").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_new_file_is_on_the_disk_before_it_takes_the_place_of_the_old(tmp_path, monkeypatch):
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (calls.append("flush"), fsync(descriptor)))
    monkeypatch.setattr(os, "replace", lambda *paths: (calls.append("replace"), replace(*paths)))
    write_bytes(tmp_path / "a", b"content")
    assert calls == ["flush", "replace", "flush"]  # the file, then its folder's entry


def test_an_interruption_leaves_no_partial_file(tmp_path):
    def write_half() -> None:
        with replacing(tmp_path / "a") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_json_does_not_know_are_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a", float("nan"))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "the disk is read-only; choose another"),
        (errno.EACCES, "permission is denied; choose another"),
        (errno.ENOENT, "its folder does not exist; make it first"),
        (errno.ENOTDIR, "a file stands where a folder is needed"),
        (errno.EISDIR, "a folder stands there"),
        (errno.ENAMETOOLONG, "too long"),
        (errno.EFBIG, "not permitted there; choose another folder"),
        (errno.EIO, "the disk says 'Input/output error'; choose another folder"),
        (errno.ESTALE, "the disk says '.*'; choose another folder"),
    ],
)
def test_every_reason_of_the_disk_names_the_place_and_what_to_do(tmp_path, number, words):
    with (
        pytest.raises(UserError, match=rf"place' cannot be written: .*{words}"),
        explain_disk_errors(tmp_path / "place"),
    ):
        raise OSError(number, os.strerror(number))


def test_other_errors_are_not_dressed_up(tmp_path):
    with pytest.raises(ZeroDivisionError), explain_disk_errors(tmp_path):
        _ = 1 / 0
