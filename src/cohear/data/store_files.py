"""The files of a store's folder: names, description, whether they are all there, what a disk says against them."""

import contextlib
import errno
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cohear.data.decoding import StoreSettings
from cohear.data.decoding_report import DecodingReport
from cohear.errors import UserError

WAVEFORMS, SCALES, DESCRIPTION = "waveforms.int16", "scales.float32", "store.json"

Row = tuple[int, float, float]
"""Which clip of the data set a row is of; where it begins and ends in its file, seconds."""


def read_description(folder: Path) -> tuple[list[Row], DecodingReport]:
    """Read what the rows are and what decoding did."""
    description = json.loads((folder / DESCRIPTION).read_text("utf-8"))
    rows = [(index, start_s, end_s) for index, start_s, end_s in description["rows"]]
    return rows, DecodingReport.from_json(description["report"])


def is_damaged(folder: Path, n_clips: int, settings: StoreSettings) -> bool:
    """Whether a file is gone, cut short or no longer what was written: by a tidy hand, a copy broken off, a bad disk.

    Args:
        folder: of a finished store.
        n_clips: of the data set.
        settings: of the store.
    """
    try:
        rows, _ = read_description(folder)
        n_bytes = {
            WAVEFORMS: len(rows) * settings.n_samples * np.dtype(np.int16).itemsize,
            SCALES: len(rows) * np.dtype(np.float32).itemsize,
        }
        are_whole = all((folder / name).stat().st_size == size for name, size in n_bytes.items())
        return not (are_whole and all(0 <= index < n_clips for index, _, _ in rows))
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return True


@contextlib.contextmanager
def disk_errors_worded(cache_dir: Path) -> Iterator[None]:
    """Say what to do where the cache cannot be written or read.

    Raises:
        UserError: instead of an OSError.
    """
    what_to_do = {
        errno.ENOSPC: "free some space",
        errno.EDQUOT: "free some space",
        errno.EACCES: "see to its permissions",
        errno.EPERM: "see to its permissions",
    }
    try:
        yield
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if is_full else error.strerror or str(error)
        raise UserError(
            f"decoded sounds cannot be kept in {cache_dir}: {reason}; "
            f"{what_to_do.get(error.errno or 0, 'see to the disk')}, or name another folder in the environment "
            "variable COHEAR_CACHE."
        ) from error
