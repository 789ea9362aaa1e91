"""Versions of clips that are kept once they have been made: 16 bits each and a scale, in files of full size.

The files take their whole size at once, so that a full disk is an error in the beginning; a memory map that runs out of
disk later would kill the process. The three files belong together: where one is gone or cut short, by a tidy hand or a
full disk, all are made anew. A version counts as kept only after it has been written, and whoever makes it makes
the same, so several processes may fill the files together.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock
from jaxtyping import Float32, Int16, UInt8


@dataclass(frozen=True, eq=False)
class KeptVersions:
    """Versions of all clips of a store, writable."""

    waveforms: Int16[np.ndarray, "clip version time"]
    """A sample is its 16-bit value / 32768 * scale."""
    scales: Float32[np.ndarray, "clip version"]
    is_kept: UInt8[np.ndarray, "clip version"]
    """1 where the version has been made."""


def open_versions(folder: Path, n_clips: int, n_versions: int, n_samples: int) -> KeptVersions:
    """Open the versions in a folder, or make room for them.

    Args:
        folder: whose name says what the versions are of and how they are made.
        n_clips: rows of the store.
        n_versions: of each clip.
        n_samples: of each version.

    Raises:
        OSError: where there is no room, or the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = (
        _File(folder / "waveforms.int16", np.int16, (n_clips, n_versions, n_samples)),
        _File(folder / "scales.float32", np.float32, (n_clips, n_versions)),
        _File(folder / "kept.uint8", np.uint8, (n_clips, n_versions)),
    )
    with FileLock(folder / "lock"):
        if not all(file.is_whole() for file in files):
            _make_anew(files)
        return KeptVersions(*(np.memmap(file.path, file.dtype, "r+", shape=file.shape) for file in files))


class _File(NamedTuple):
    path: Path
    dtype: type[np.generic]
    shape: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def is_whole(self) -> bool:
        return self.path.is_file() and self.path.stat().st_size == self.n_bytes


def _make_anew(files: Sequence[_File]) -> None:
    """Make all files, full of zeros, or leave none of them."""
    # What says that versions are kept goes first and comes first, so that nothing counts as kept that is no longer
    # there, wherever this is broken off. Whoever has the old files mapped keeps them: they are not cut, but unlinked.
    kept_first = files[::-1]
    _remove(kept_first)
    try:
        for file in kept_first:
            _make_room(file.path, file.n_bytes)
    except BaseException:
        _remove(kept_first)
        raise


def _remove(files: Sequence[_File]) -> None:
    for file in files:
        file.path.unlink(missing_ok=True)


def _make_room(path: Path, n_bytes: int) -> None:
    with open(path, "xb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, n_bytes)
            return
        zeros = bytes(1 << 20)  # where the system cannot promise the room, take it
        for first in range(0, n_bytes, len(zeros)):
            file.write(zeros[: n_bytes - first])
