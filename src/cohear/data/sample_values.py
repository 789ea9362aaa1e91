"""Which numbers can be samples of a sound: finite ones, at most 120 dB above full scale."""

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from cohear.errors import UserError

_LOUDEST = 1e6
"""Full scale is 1. Floats may exceed it, even as 16-bit integers that were left undivided (32768) or as pascals; but
nothing is a million times as loud. Spectra of what is quieter stay far below the largest float32, 3e38."""


def n_before_bad(waveforms: Float32[np.ndarray, "channel time"]) -> int:
    """Count the samples before the first that is NaN, infinite or beyond a million in some channel."""
    wrong = np.flatnonzero(~_is_sample(waveforms).all(axis=0))
    return int(wrong[0]) if len(wrong) else waveforms.shape[1]


def bad_sample(path: Path, where_s: float, sample: Float32[np.ndarray, " channel"]) -> UserError:
    """Word that a sample can be none.

    Args:
        path: the file.
        where_s: where the sample is, seconds.
        sample: its value in each channel.
    """
    if not np.isfinite(sample).all():
        return UserError(f"{path} holds NaN or infinite samples (the first at {where_s:.3f} s): export it again.")
    loudest = sample[np.abs(sample).argmax()]
    return UserError(
        f"{path} holds samples far beyond full scale, which is 1 (the first, {loudest:.3g}, at {where_s:.3f} s): "
        "export it again."
    )


def mix(waveforms: Float32[np.ndarray, "channel time"]) -> Float32[np.ndarray, "1 time"]:
    """Return the mean of the channels; where one holds what is no sample, that, lest another make up for it."""
    if len(waveforms) == 1:
        return waveforms
    if _is_sample(waveforms).all():
        return waveforms.mean(axis=0, keepdims=True)
    worst = np.where(np.isnan(waveforms), np.inf, np.abs(waveforms)).argmax(axis=0)[None]
    wrong = np.take_along_axis(waveforms, worst, axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(_is_sample(wrong), waveforms.mean(axis=0, keepdims=True), wrong)


def _is_sample(waveforms: np.ndarray) -> np.ndarray:
    return np.abs(waveforms) <= _LOUDEST  # False for NaN
