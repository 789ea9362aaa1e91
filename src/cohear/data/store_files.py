"""The files of a store's folder: what they are called, how its description is read, whether they are all there."""

import json
from pathlib import Path

import numpy as np

from cohear.data.decoding import StoreSettings
from cohear.data.decoding_report import DecodingReport

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
