"""Files as on a disk of FAT, where none reaches beyond 4 GiB: who goes farther because a header says so gets an error.

Every disk has such a bound, ext4 at 16 TiB; a folder in memory has none, and would show nothing.
"""

import errno
import io
import os
from pathlib import Path
from typing import Any

_MOST_BYTES = 2**32 - 1
_open = io.open


def open_on_small_disk(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
    """Open a file as `open` does; bytes that are read of it lie on a small disk."""
    if mode == "rb" and isinstance(file, str | Path) and not arguments and not named:
        return io.BufferedReader(_FileOnSmallDisk(file))
    return _open(file, mode, *arguments, **named)


class _FileOnSmallDisk(io.FileIO):
    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        before = super().tell()
        place = super().seek(offset, whence) if whence == os.SEEK_END else offset + before * (whence == os.SEEK_CUR)
        if not 0 <= place <= _MOST_BYTES:
            super().seek(before)
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return super().seek(place)
