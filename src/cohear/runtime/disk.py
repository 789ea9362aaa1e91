"""The few steps by which files come to lie on a disk, all of them through one door.

What shall outlast a crash is written beside its place (`write`), brought to the disk (`sync`), renamed into its place
(`rename`), and then the folder, which holds the name, is brought to the disk too (`sync_folder`). In that order a
reader sees the whole file or the one before, whenever the machine stops.
"""

import errno
import os
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

_GONE = frozenset({errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO})
_GONE_OR_A_SOCKET = frozenset({errno.ENOTCONN, errno.ETIMEDOUT})
_NO_SYNC_OF_FOLDERS = frozenset({errno.EINVAL, errno.EBADF, errno.ENOTSUP})


def is_gone(error: OSError) -> bool:
    """Whether an error is that of a disk that fails or went away, as a network drive does: no defect of ours."""
    return error.errno in _GONE or (error.errno in _GONE_OR_A_SOCKET and error.filename is not None)


def exists(path: Path) -> bool:
    """Whether something is there; `os.path.exists` also says no where the disk fails, `Path.exists` not everywhere.

    Raises:
        OSError: where the disk fails.
    """
    try:
        os.stat(path)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and is_gone(error):
            raise
        return False
    return True


def around(step: str, path: Path) -> AbstractContextManager[None]:
    """Surround a step: here nothing, tests stand in this door to count the steps, to fail one, or to be killed there.

    Args:
        step: `write`, `write in place`, `sync`, `rename`, `sync folder`, `make folder`, `remove` or `read`.
        path: what it changes; of a rename the place that is taken.
    """
    return nullcontext()


def write(file: BinaryIO, data: bytes) -> None:
    """Append bytes to an open file, and leave none of them in a buffer of this process."""
    with around("write", Path(file.name)):
        file.write(data)
        file.flush()


def sync(file: BinaryIO) -> None:
    """Wait until a file's bytes are on the disk."""
    with around("sync", Path(file.name)):
        os.fsync(file.fileno())


def rename(source: Path, target: Path) -> None:
    """Put a file or folder in its place; a file that is there is replaced."""
    with around("rename", target):
        os.replace(source, target)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk; where that cannot be asked for, nothing more is done."""
    with around("sync folder", folder):
        if os.name == "nt":
            return
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in _NO_SYNC_OF_FOLDERS:
                raise
        finally:
            os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, and bring their names to the disk."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        with around("make folder", path):
            path.mkdir(exist_ok=True)  # another process may have been quicker
        sync_folder(path.parent)
    folder.mkdir(exist_ok=True)  # an error where it is a file


def remove(path: Path) -> None:
    """Remove a file; one that is gone already is no error."""
    with around("remove", path):
        path.unlink(missing_ok=True)


def read_at(descriptor: int, path: Path, buffer: memoryview, offset: int) -> int:
    """Fill a buffer from a place in an open file; returns how many bytes were there.

    Args:
        descriptor: of the file.
        path: its name, for `around`.
        buffer: writable bytes.
        offset: in bytes.
    """
    with around("read", path):
        n_read = 0
        while n_read < len(buffer) and (n := _read_some(descriptor, buffer[n_read:], offset + n_read)):
            n_read += n
        return n_read


def write_at(descriptor: int, path: Path, data: bytes, offset: int) -> None:
    """Write bytes to a place in an open file; beyond its end it grows, with a hole where nothing was written."""
    with around("write in place", path):
        n_written = 0
        while n_written < len(data):
            n_written += _write_some(descriptor, data[n_written:], offset + n_written)


def _write_some(descriptor: int, data: bytes, offset: int) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(descriptor, data, offset)
    with _place:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.write(descriptor, data)


def _read_some(descriptor: int, buffer: memoryview, offset: int) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [buffer], offset)
    with _place:
        os.lseek(descriptor, offset, os.SEEK_SET)
        data = os.read(descriptor, len(buffer))
    buffer[: len(data)] = data
    return len(data)


_place = threading.Lock()
"""Around the place in a file, which all threads share; only where a read cannot say its place itself."""
