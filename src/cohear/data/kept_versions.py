"""Versions of clips that are kept once they have been made: 16 bits each and a scale, in files of full size.

The files take their whole size at once, so that a full disk is an error in the beginning; a memory map that runs out of
disk later would kill the process. A version counts as kept only after it has been written, and whoever makes it makes
the same, so several processes may fill the files together.
"""

import os
from dataclasses import dataclass
from pathlib import Path

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
    shapes = {
        "waveforms.int16": (np.int16, (n_clips, n_versions, n_samples)),
        "scales.float32": (np.float32, (n_clips, n_versions)),
        "kept.uint8": (np.uint8, (n_clips, n_versions)),
    }
    with FileLock(folder / "lock"):
        return KeptVersions(*(_map(folder / name, dtype, shape) for name, (dtype, shape) in shapes.items()))


def _map(path: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> np.ndarray:
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    with open(path, "ab") as file:
        if file.tell() != n_bytes:
            _make_room(file.fileno(), n_bytes)
    return np.memmap(path, dtype, "r+", shape=shape)


def _make_room(descriptor: int, n_bytes: int) -> None:
    os.ftruncate(descriptor, 0)
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, n_bytes)
        return
    zeros = bytes(1 << 20)  # where the system cannot promise the room, take it
    for first in range(0, n_bytes, len(zeros)):
        os.write(descriptor, zeros[: n_bytes - first])
