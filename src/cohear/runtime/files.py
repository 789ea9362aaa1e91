"""Files that appear whole or not at all (written beside their place, flushed, renamed into it), or are read whole.

What is read was written by others: plain files only, of a size that fits in memory, as a pipe would be waited for
without end and a device be read without end.
"""

import errno
import json
import logging
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from cohear.errors import UserError
from cohear.runtime import disk

_log = logging.getLogger(__name__)
_SILENT_S = 0.5
"""So long nobody needs to be told that a lock is waited for."""


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
    partial = path.with_name(f".{path.name}.{os.urandom(8).hex()}.partial")
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
def explain_disk_errors(path: Path, otherwise: str = "choose another folder") -> Iterator[None]:
    """Turn what the disk refuses (it is full, read-only, broken; the place is taken) into a sentence that names it.

    Args:
        path: what is written.
        otherwise: what to do where it has to be another folder.

    Raises:
        UserError: what cannot be written, why, and what to do.
    """
    remedies = {
        errno.ENOSPC: f"the disk is full; free some space or {otherwise}",
        errno.EDQUOT: f"your disk quota is used up; free some space or {otherwise}",
        errno.EROFS: f"the disk is read-only; {otherwise}",
        errno.EACCES: f"permission is denied; {otherwise}",
        errno.EPERM: f"that is not permitted; {otherwise}",
        errno.ENOENT: "its folder does not exist; make it first or choose another",
        errno.ENOTDIR: f"a file stands where a folder is needed; {otherwise}",
        errno.EEXIST: f"a file stands where a folder is needed; {otherwise}",
        errno.EISDIR: "a folder stands there; choose another name",
        errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
        errno.EFBIG: f"files of that size are not permitted there; {otherwise}",
    }
    try:
        yield
    except OSError as error:
        unusual = f"the disk says '{error.strerror or error}'; {otherwise}"
        raise UserError(f"'{path}' cannot be written: {remedies.get(error.errno or 0, unusual)}") from error


def require_plain(path: Path) -> None:
    """Refuse what is neither a file nor a folder; what is not there is left to whoever opens it.

    Raises:
        UserError: where it is a pipe, a socket or a device.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # not there, a name that is too long, a disk that fails
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UserError(f"'{path}' is a pipe, a socket or a device: give a plain file.")


def read_plain(path: Path, most_bytes: int = 1 << 28) -> bytes:
    """Read a file whole.

    Args:
        path: a plain file.
        most_bytes: that it may have; of text, 256 MiB.

    Raises:
        UserError: where it is larger, or a pipe, a socket or a device.
        OSError: where it cannot be opened or read.
    """
    require_plain(path)
    with open(path, "rb") as file:
        n_bytes = os.fstat(file.fileno()).st_size
        if n_bytes > most_bytes:
            raise UserError(f"'{path}' has {n_bytes} bytes, and at most {most_bytes} are read: give another file.")
        return file.read(n_bytes)


def parse_json(text: str | bytes) -> Any:
    r"""Parse JSON strictly enough for what it says to stand on a page.

    Args:
        text: of a file that may be anybody's; bytes are UTF-8.

    Raises:
        ValueError: where it is no JSON, is nested too deeply, or holds half a character, as the escape `\ud800` is.
    """
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"it holds half a character, {error.object[error.start]!r}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return value


def cache_folder() -> Path:
    """Return the folder: `$COHEAR_CACHE`, else `~/.cache/cohear`."""
    chosen = os.environ.get("COHEAR_CACHE")
    return Path(chosen).expanduser() if chosen else Path("~/.cache/cohear").expanduser()


def keep_compiled_programs() -> None:
    """Keep what `torch.compile` makes for later processes; to be said before torch is imported, which settles it.

    Where the environment says something else, that counts. Where nothing can be kept torch is left to its own folder,
    as its import would fail otherwise; whoever decodes sounds says so in words.
    """
    folder = cache_folder() / "compiled"
    nearest = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if os.path.isdir(nearest) and os.access(nearest, os.W_OK | os.X_OK):
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))


@contextmanager
def waiting_for(path: Path, work: str, *, waits: bool = True) -> Iterator[bool]:
    """Hold the lock of a file around work that one process does for all, and say so where that means waiting.

    It is the operating system's: the dead hold none.

    Args:
        path: of the lock.
        work: what its holder does, as `is decoding these sounds`.
        waits: for another process that holds it; else the lock is only taken where it is free.

    Returns:
        Whether it is held.

    Raises:
        OSError: where the disk refuses the lock.
    """
    from filelock import FileLock, Timeout  # late: the help of commands needs none

    lock = FileLock(path)
    try:
        lock.acquire(timeout=_SILENT_S if waits else 0)
    except Timeout:
        if not waits:
            yield False
            return
        _log.warning("another process %s; waiting for it", work)
        lock.acquire()
    try:
        yield True
    finally:
        lock.release()
