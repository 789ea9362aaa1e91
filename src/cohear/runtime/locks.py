"""Locks of the operating system around work that one process does for all; the dead hold none."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_log = logging.getLogger(__name__)
_SILENT_S = 0.5
"""So long nobody needs to be told."""


@contextmanager
def waiting_for(path: Path, work: str) -> Iterator[None]:
    """Hold the lock of a file, and say so where that means waiting.

    Args:
        path: of the lock.
        work: what its holder does, as `is decoding these sounds`.

    Raises:
        OSError: where the disk refuses the lock.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=_SILENT_S)
    except Timeout:
        _log.warning("another process %s; waiting for it", work)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
