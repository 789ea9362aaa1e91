"""Files that were written by others, read whole: plain ones only, and of a size that fits in memory.

A pipe would be waited for without end, and a device be read without end.
"""

import os
import stat
from pathlib import Path

from cohear.errors import UserError


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
