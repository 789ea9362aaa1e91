"""How long the sounds within clips last, by their level: what a window must hold.

A clip that is longer than the sound in it is mostly pauses, and one that is filled up to the longest of them is mostly
silence, which no recording has.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float32, Float64

from cohear.data.audio_decoding import decode
from cohear.data.audio_files import AudioInfo
from cohear.data.clips import Clip
from cohear.data.datasets import Dataset
from cohear.errors import UserError

_FRAME_S = 0.02
_ABOVE_QUIET_DB, _BELOW_LOUDEST_DB = 10.0, 20.0
"""A frame sounds where it is so far above the quietest tenth, and not so far below the loudest."""
_MUCH_SHORTER = 0.6
_MOST_LISTENED, _LONGEST_S = 200, 60.0
"""Clips, spread evenly over a data set; seconds of one."""


def sounding(waveform: Float32[np.ndarray, " time"], sample_rate: int) -> tuple[float, float]:
    """Return where a waveform begins to sound and where it ends, seconds; all of one whose level stays alike.

    Args:
        waveform: full scale is [-1, 1].
        sample_rate: Hz.

    Example:
        >>> quiet, rng = np.zeros(16000, np.float32), np.random.default_rng(0)
        >>> quiet[4000:8000] = rng.normal(0, 0.1, 4000)
        >>> sounding(quiet, 8000), sounding(quiet[4000:8000], 8000)
        ((0.5, 1.0), (0.0, 0.5))
    """
    levels = Levels(sample_rate)
    levels.add(waveform)
    return levels.sounding() or (0.0, len(waveform) / sample_rate)


class Levels:
    """The level of a waveform that goes by in blocks.

    Args:
        sample_rate: Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._frame, self._sample_rate = max(1, round(_FRAME_S * sample_rate)), sample_rate
        self._rest = np.empty(0, np.float32)
        self._power: list[Float64[np.ndarray, " frame"]] = [np.empty(0)]

    def add(self, waveform: Float32[np.ndarray, " time"]) -> None:
        """Measure the next block; full scale is [-1, 1]."""
        waveform = np.concatenate((self._rest, waveform)) if len(self._rest) else waveform
        n_frames = len(waveform) // self._frame
        whole, self._rest = waveform[: n_frames * self._frame], waveform[n_frames * self._frame :]
        self._power.append(np.square(whole.reshape(n_frames, self._frame), dtype=np.float64).mean(axis=1))

    def sounding(self) -> tuple[float, float] | None:
        """Return where it begins to sound and where it ends, seconds; None where the level stays alike."""
        level_db = 10 * np.log10(np.concatenate(self._power) + 1e-12)
        if len(level_db) < 2:
            return None
        least_db = max(np.quantile(level_db, 0.1) + _ABOVE_QUIET_DB, level_db.max() - _BELOW_LOUDEST_DB)
        frames, frame_s = np.flatnonzero(level_db >= least_db), self._frame / self._sample_rate
        return (int(frames[0]) * frame_s, int(frames[-1] + 1) * frame_s) if len(frames) else None


def listen_for_lengths(dataset: Dataset, files: Mapping[str, AudioInfo]) -> list[float]:
    """Return how long the sounds of some clips last, seconds.

    Passed over are clips that cannot be decoded, and those whose level stays alike: of rain, any part is rain. Segments
    are as long as whoever marked them says, and recordings of more than a minute are no clips.

    Args:
        dataset: its clips.
        files: from the headers, by path.
    """
    from cohear.data.decoding import in_order  # which asks here where a clip sounds

    short = {path for path, file in files.items() if file.duration_s <= _LONGEST_S}
    whole = [clip for clip in dataset.clips if not clip.is_segment and clip.path in short]
    chosen = whole[:: -(-len(whole) // _MOST_LISTENED) or 1]
    heard = in_order(chosen, lambda clips: [_length_s(dataset, clip) for clip in clips])
    return [seconds for seconds in heard if seconds is not None]


def _length_s(dataset: Dataset, clip: Clip) -> float | None:
    try:
        audio = decode(dataset.root / clip.path)
    except UserError:  # told where it is decoded
        return None
    levels = Levels(audio.sample_rate)
    levels.add(audio.waveform)
    found = levels.sounding()
    return None if found is None else found[1] - found[0]


def choose_clip_s(durations_s: Sequence[float], sounding_s: Sequence[float] = ()) -> tuple[float, bool]:
    """Choose a clip length for recordings, between 0.5 and 5 s, to a tenth.

    It holds 95 % of them; but where three of four sounds last less than six tenths of that, it holds these.

    Args:
        durations_s: seconds, at least one recording.
        sounding_s: seconds that the sounds in some of them last.

    Returns:
        Seconds, and whether the sounds decided.

    Example:
        >>> choose_clip_s([2.0] * 99 + [60.0]), choose_clip_s([30.0, 40.0])
        ((2.0, False), (5.0, False))
        >>> choose_clip_s([3.8] * 20, [1.2] * 15 + [3.0] * 5)
        (1.2, True)
    """
    whole_s = float(np.clip(np.quantile(durations_s, 0.95), 0.5, 5.0))
    if len(sounding_s):
        held_s = float(np.quantile(sounding_s, 0.75, method="inverted_cdf"))
        if held_s < _MUCH_SHORTER * whole_s:
            return max(0.5, np.ceil(10 * held_s - 1e-9).item() / 10), True
    return round(whole_s, 1), False


def clip_s_line(durations_s: Sequence[float], clip_s: float, sounding_s: Sequence[float] = ()) -> str:
    """Say what a clip length means for recordings.

    Args:
        durations_s: seconds, at least one recording.
        clip_s: seconds, > 0.
        sounding_s: seconds that the sounds in some of them last, where these decided.

    Example:
        >>> clip_s_line([0.5, 2, 30], 2)
        'clips of 2 s, which hold 2 of 3 sounds whole; --set data.clip_s chooses another length'
    """
    held, n = sum(duration_s <= clip_s for duration_s in durations_s), len(durations_s)
    what, how = "sounds whole", ""
    if len(sounding_s):
        held, n = sum(seconds <= clip_s for seconds in sounding_s), len(sounding_s)
        what, how = "sounds whole, by their level", f", though recordings last up to {max(durations_s):.1f} s"
    return f"clips of {clip_s:g} s, which hold {held} of {n} {what}{how}; --set data.clip_s chooses another length"
