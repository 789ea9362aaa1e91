"""Files that appear whole or not at all: written beside their place, flushed, renamed into it."""

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from cohear.errors import UserError
from cohear.runtime import disk


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a restart after a crash, sees all of it or the file before.

    Raises:
        UserError: where the disk is full or the place cannot be written.
    """
    with explain_disk_errors(path), replacing(path) as file:
        disk.write(file, data)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON whole or not at all; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a file beside `path` to write to by `disk.write`; it takes its place, or is removed where that fails."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            yield file
            disk.sync(file)
        disk.rename(partial, path)
        disk.sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def remove_partials(folder: Path, name: str = "*") -> None:
    """Remove what killed processes left half-written; only for one whose lock keeps all others from writing there.

    Args:
        folder: where to look, and not below.
        name: of the file that was to be written; a pattern.
    """
    for partial in folder.glob(f".{name}.*.partial"):
        disk.remove(partial)


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be made, or written where it is there; nothing stays behind.

    Raises:
        UserError: why it cannot, and what to do.
    """
    with explain_disk_errors(folder):
        with suppress(FileNotFoundError):
            folder.lstat()
        nearest = next(path for path in (folder, *folder.parents) if path.exists())
        try:
            os.rmdir(tempfile.mkdtemp(prefix=".", dir=nearest))
        except FileNotFoundError as error:  # some places hold no new folders
            raise PermissionError(errno.EPERM, "") from error


@contextmanager
def explain_disk_errors(path: Path) -> Iterator[None]:
    """Turn what the disk refuses (it is full, read-only, broken; the place is taken) into a sentence that names it.

    Raises:
        UserError: what cannot be written, why, and what to do.
    """
    remedies = {
        errno.ENOSPC: "the disk is full; free some space or choose another folder",
        errno.EDQUOT: "your disk quota is used up; free some space or choose another folder",
        errno.EROFS: "the disk is read-only; choose another folder",
        errno.EACCES: "permission is denied; choose another folder",
        errno.EPERM: "that is not permitted; choose another folder",
        errno.ENOENT: "its folder does not exist; make it first or choose another",
        errno.ENOTDIR: "a file stands where a folder is needed; choose another folder",
        errno.EEXIST: "a file stands where a folder is needed; choose another folder",
        errno.EISDIR: "a folder stands there; choose another name",
        errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
        errno.EFBIG: "files of that size are not permitted there; choose another folder",
    }
    try:
        yield
    except OSError as error:
        unusual = f"the disk says '{error.strerror or error}'; choose another folder"
        raise UserError(f"'{path}' cannot be written: {remedies.get(error.errno or 0, unusual)}") from error
