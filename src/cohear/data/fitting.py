"""How recordings of any length become clips of one length.

Longer than one and a half clips: cut into windows. A little longer: the middle is taken. Shorter: filled up.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64

from cohear.data.wording import duration_text

Short = Literal["pad", "repeat"]
"""How a short waveform is filled up: zeros at the end, or itself again."""

_WINDOWED_FROM = 1.5
"""Clip lengths above which a recording is cut into windows."""


def window_starts(n_samples: int, clip_samples: int) -> Int64[np.ndarray, " window"]:
    """Say where the clips begin that are cut from a recording.

    Windows follow each other without a gap; the last one ends with the recording and may overlap the one
    before.

    Args:
        n_samples: length of the recording, > 0.
        clip_samples: length of a clip, > 0.

    Example:
        >>> window_starts(100, 100), window_starts(120, 100), window_starts(250, 100)
        (array([0]), array([10]), array([  0, 100, 150]))
    """
    if n_samples <= _WINDOWED_FROM * clip_samples:
        return np.array([max(0, n_samples - clip_samples) // 2])
    starts = np.arange(0, n_samples - clip_samples + 1, clip_samples)
    end = n_samples - clip_samples
    return starts if starts[-1] == end else np.append(starts, end)


def fit(waveform: Float32[np.ndarray, " time"], n_samples: int, short: Short) -> Float32[np.ndarray, " {n_samples}"]:
    """Fill a waveform up to a length; what is longer is cut there.

    Args:
        waveform: at least one sample.
        n_samples: > 0.
        short: "pad" puts zeros at the end, "repeat" the waveform again.

    Example:
        >>> fit(np.array([1, 2], np.float32), 3, "pad"), fit(np.array([1, 2], np.float32), 3, "repeat")
        (array([1., 2., 0.], dtype=float32), array([1., 2., 1.], dtype=float32))
    """
    if len(waveform) >= n_samples:
        return waveform[:n_samples]
    return np.resize(waveform, n_samples) if short == "repeat" else np.pad(waveform, (0, n_samples - len(waveform)))


def choose_clip_s(durations_s: Sequence[float]) -> float:
    """Choose a clip length for recordings: what holds 95 % of them, between 0.5 and 5 s, to a tenth.

    Args:
        durations_s: seconds, at least one recording.

    Example:
        >>> choose_clip_s([2.0] * 99 + [60.0]), choose_clip_s([30.0, 40.0])
        (2.0, 5.0)
    """
    return round(float(np.clip(np.quantile(durations_s, 0.95), 0.5, 5.0)), 1)


def clip_s_line(durations_s: Sequence[float], clip_s: float) -> str:
    """Say what a clip length means for recordings.

    Args:
        durations_s: seconds, at least one recording.
        clip_s: seconds, > 0.

    Example:
        >>> clip_s_line([0.5, 2, 30], 2)
        'clips of 2 s, which hold 2 of 3 sounds (0.50 s to 30 s) whole; --set data.clip_s chooses another length'
    """
    n_held = sum(duration_s <= clip_s for duration_s in durations_s)
    held = "every sound" if n_held == len(durations_s) else f"{n_held} of {len(durations_s)} sounds"
    shortest, longest = (duration_text(f(durations_s)) for f in (min, max))
    between = shortest if shortest == longest else f"{shortest} to {longest}"
    return f"clips of {clip_s:g} s, which hold {held} ({between}) whole; --set data.clip_s chooses another length"
