"""What the kernel tells of files (inotify): who reads one, through whatever library, is noticed on every mount.

The times in a folder's listing would not do: many disks are mounted so that a reading leaves none.
"""

import ctypes
import os
import struct
from pathlib import Path

_READ, _CLOSED, _REMOVED, _MOVED, _OVERFLOW = 0x1, 0x10, 0x400, 0x800, 0x4000
"""IN_ACCESS; IN_CLOSE_NOWRITE, which also comes of a file that was only mapped; IN_DELETE_SELF; IN_MOVE_SELF."""
_TOLD = _READ | _CLOSED | _REMOVED | _MOVED
_EVENT = struct.Struct("iIII")


class Notices:
    """Tells of each file that it is asked to mark whether it was read since.

    Raises:
        OSError: where the kernel tells nothing; so do its methods.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)
        self._file = self._checked(self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._number_of: dict[Path, int] = {}
        self._noticed: set[int] = set()

    def mark(self, path: Path) -> None:
        """Begin to look at a file, and forget what was noticed of it before."""
        number = self._checked(self._library.inotify_add_watch(self._file, os.fsencode(path), _TOLD))
        self._take()
        self._noticed.discard(number)
        self._number_of[path] = number

    def was_read(self, path: Path) -> bool:
        """Whether a marked file was read, replaced or removed since, by any process that is done with it."""
        self._take()
        return self._number_of[path] in self._noticed

    def _take(self) -> None:
        """Take what the kernel has to tell by now."""
        while True:
            try:
                events = os.read(self._file, 1 << 16)
            except BlockingIOError:
                return
            place = 0
            while place < len(events):
                number, what, _, n_bytes = _EVENT.unpack_from(events, place)
                place += _EVENT.size + n_bytes
                if what & _OVERFLOW:
                    raise OSError("more happened to files than the kernel keeps")
                if what & _TOLD:
                    self._noticed.add(number)

    @staticmethod
    def _checked(value: int) -> int:
        if value < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return value
