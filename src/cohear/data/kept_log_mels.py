"""Log-mels that are made once: in a file of the cache folder, in 16 bits, for all runs and processes that hear alike.

A cell of a spectrogram is kept in steps of 0.01 dB, so none moves by more than half of that. Whoever is the first to
need a spectrogram makes it and writes it. Two that make the same one write the same bytes.
"""

import hashlib
import json
import logging
import os
import shutil
import weakref
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int16, Int64

from cohear.runtime import disk
from cohear.runtime.files import cache_folder

_LEAST_FREE = 2
"""Times what all spectrograms take must be free on the disk, which has other work too."""

_log = logging.getLogger(__name__)


class KeptLogMels:
    """Spectrograms by the row of their clip and by what was done to it, as far as they were made.

    Each lies in its place of one file behind a checksum, so what was never written, or not wholly, is not there. Not a
    memory map: a disk that fails is then an error that can be told, and no signal that kills.

    Args:
        path: of the file, which may be missing; None: nothing is kept, and nothing ever there.
        n_variants: what is done to a clip, counted.
        shape: mel bands and frames.

    Raises:
        OSError: where the file cannot be opened or made.
    """

    def __init__(self, path: Path | None, n_variants: int, shape: tuple[int, int]) -> None:
        self.path, self.n_variants, self.shape = path, n_variants, shape
        self._path = path or Path()
        self._n_bytes = 4 + 2 * shape[0] * shape[1]
        self._descriptor: int | None = None
        if path is not None:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            weakref.finalize(self, os.close, self._descriptor)

    def read(
        self, rows: Int64[np.ndarray, " cell"], variants: Int64[np.ndarray, " cell"]
    ) -> tuple[Int16[np.ndarray, "cell band frame"], Bool[np.ndarray, " cell"]]:
        """Return spectrograms in steps of 0.01 dB, and which of them are there; the others are zeros.

        A variant below 0 is none that is kept.
        """
        steps, found = np.zeros((len(rows), *self.shape), np.int16), np.zeros(len(rows), bool)
        if self._descriptor is not None:
            for cell in np.flatnonzero(variants >= 0):
                data = self._record(self._n_bytes, self._place(int(rows[cell]), int(variants[cell])))
                if len(data) == self._n_bytes and data[:4] == _seal(data[4:]):
                    steps[cell] = np.frombuffer(data[4:], "<i2").reshape(self.shape)
                    found[cell] = True
        return steps, found

    def write(
        self,
        rows: Int64[np.ndarray, " cell"],
        variants: Int64[np.ndarray, " cell"],
        steps: Int16[np.ndarray, "cell band frame"],
    ) -> None:
        """Keep spectrograms; from the first that the disk does not take on, none."""
        for row, variant, its in zip(rows.tolist(), variants.tolist(), steps, strict=True):
            if self._descriptor is None or variant < 0:
                continue
            data = its.astype("<i2").tobytes()
            try:
                disk.write_at(self._descriptor, self._path, _seal(data) + data, self._place(row, variant))
            except OSError as error:
                _log.warning("spectrograms are no longer kept for later epochs: %s (%s)", self.path, error.strerror)
                self._descriptor = None

    def n_there(self, rows: Int64[np.ndarray, " row"], variants: Sequence[int]) -> int:
        """Count the spectrograms of some rows and variants that were made."""
        if self._descriptor is None:
            return 0
        places = (self._place(row, variant) for row in rows.tolist() for variant in variants)
        return sum(any(self._record(4, place)) for place in places)

    def _record(self, n_bytes: int, place: int) -> bytes:
        """Return bytes of the file, fewer where it ends, none where the disk does not give them."""
        assert self._descriptor is not None
        data = bytearray(n_bytes)
        try:
            return bytes(data[: disk.read_at(self._descriptor, self._path, memoryview(data), place)])
        except OSError:
            return b""

    def _place(self, row: int, variant: int) -> int:
        return (row * self.n_variants + variant) * self._n_bytes


def open_kept(
    made_of: Mapping[str, Any], n_rows: int, n_variants: int, shape: tuple[int, int], folder: Path | None = None
) -> KeptLogMels:
    """Open the file of some clips and what is done to them; where it would not fit on the disk nothing is kept.

    Args:
        made_of: all that decides the spectrograms, as plain values.
        n_rows: clips.
        n_variants: what is done to each, counted.
        shape: mel bands and frames.
        folder: where; None: the cache folder.
    """
    folder = folder or cache_folder() / "log_mels"
    name = hashlib.blake2b(json.dumps(made_of, sort_keys=True).encode(), digest_size=16).hexdigest()
    path = folder / f"{name}.int16"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        n_bytes = n_rows * n_variants * (4 + 2 * shape[0] * shape[1])
        if not path.exists() and shutil.disk_usage(folder).free < _LEAST_FREE * n_bytes:
            _log.info("spectrograms are made anew in each epoch: to keep them takes %.1f GB on the disk", n_bytes / 1e9)
            return KeptLogMels(None, n_variants, shape)
        return KeptLogMels(path, n_variants, shape)
    except OSError as error:
        _log.warning("spectrograms are made anew in each epoch: %s cannot be used (%s)", folder, error.strerror)
        return KeptLogMels(None, n_variants, shape)


def _seal(data: bytes) -> bytes:
    """Return a checksum that is never that of a hole."""
    return (zlib.crc32(data) | 1).to_bytes(4, "little")
