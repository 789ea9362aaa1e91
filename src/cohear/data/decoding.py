"""Clips of a data set to rows of the store: decoded, resampled, cut or filled up, in 16 bits.

Recordings of any length become clips of one length. Longer than one and a half clips: cut into windows. A little
longer: the middle is taken. Shorter: filled up.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import Float32, Float64, Int16, Int64

from cohear.data.audio_decoding import DecodedAudio, cancels, decode_segments, loudest, resample
from cohear.data.audio_files import is_media
from cohear.data.clips import Clip
from cohear.data.sounding import sounding
from cohear.data.wording import counted, some
from cohear.errors import UserError

Short = Literal["pad", "repeat"]
"""How a short waveform is filled up: zeros at the end, or itself again."""

Windows = Literal["all", "sounding"]
"""All windows of a long clip, or those between the begin and the end of what sounds in it; of segments always all."""

FULL_SCALE = 32768
"""Steps of 16 bits that make a sample of 1."""

Outcome = TypeVar("Outcome")
"""What becomes of a clip."""

_MOST_THREADS = 8

_WINDOWED_FROM = 1.5
"""Clip lengths above which a recording is cut into windows."""


_UNSAID_S = 0.01
"""Seconds of padding or cropping that come of rounding and go unsaid."""

MUCH_PADDING = 0.25
"""Share of all that is heard."""
_N_NAMED = 3
"""Silent clips that are named."""


@dataclass(frozen=True)
class StoreSettings:
    """What a waveform in the store looks like."""

    sample_rate: int
    """Hz, > 0."""
    clip_s: float
    """Length of every clip, seconds, > 0."""
    short: Short = "pad"
    """How shorter recordings are filled up."""
    windows: Windows = "all"
    """Which windows of a longer clip are taken."""

    @property
    def n_samples(self) -> int:
        """Length of every clip in samples."""
        return round(self.clip_s * self.sample_rate)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What decoding did to one clip, before it was cut or filled up."""

    clip_id: str
    duration_s: float
    """Its length, seconds."""
    shortfall_s: float
    """Seconds that its file declares but does not hold."""
    n_rows: int
    """Rows of the store that it gives: one, or one per window."""
    n_silent: int
    """Those of them that hold nothing but zeros."""
    cancels: bool = False
    """Whether its channels cancel each other when they are mixed."""
    n_damaged: int = 0
    """Places at which its decoder had to look for where the sound goes on."""

    @property
    def is_remarkable(self) -> bool:
        """Whether there is more to say of it than its length."""
        return bool(self.shortfall_s or self.n_silent or self.cancels or self.n_damaged)


@dataclass(frozen=True, eq=False)
class DecodedClip:
    """The rows that one clip gives."""

    waveforms: Int16[np.ndarray, "row time"]
    scales: Float32[np.ndarray, " row"]
    """A sample is its 16-bit value / 32768 * scale."""
    starts_s: tuple[float, ...]
    """Where each row begins in its file, seconds."""
    ends_s: tuple[float, ...]
    """Where the sound of each row ends in its file, seconds; silence or repetition may follow it."""
    done: Decoded
    """What was done to it."""


@dataclass(frozen=True, eq=False)
class DecodingReport:
    """The clips of a data set, each before it was cut into windows."""

    settings: StoreSettings
    durations_s: Float64[np.ndarray, " clip"]
    """Lengths of the clips that were decoded, seconds."""
    n_rows: Int64[np.ndarray, " clip"]
    """Rows of the store that each of them gives."""
    remarkable: tuple[Decoded, ...] = ()
    """Those of them of which there is more to say."""
    skipped: tuple[tuple[str, str], ...] = ()
    """Clips that could not be decoded, and why."""

    @property
    def lines(self) -> tuple[str, ...]:
        """Say it in lines of text, one per thing that happened."""
        clip_s, rate = self.settings.clip_s, self.settings.sample_rate
        beyond_s = self.durations_s[self.n_rows == 1] - clip_s
        filled_s, cropped_s = -beyond_s[beyond_s < -_UNSAID_S], beyond_s[beyond_s > _UNSAID_S]
        lines = [f"{counted(len(self.n_rows), 'clip')} decoded to {clip_s:g} s at {rate} Hz"]
        if (windowed := self.n_rows[self.n_rows > 1]).size:
            lines.append(f"{len(windowed)} cut into {windowed.sum()} windows, which stay together")
        if filled_s.size:
            how = "padded with silence" if self.settings.short == "pad" else "repeated"
            lines.append(f"{len(filled_s)} {how} (by up to {filled_s.max():.2f} s)")
        padding = padding_share(self.durations_s, self.n_rows, clip_s)
        if self.settings.short == "pad" and padding > MUCH_PADDING:
            lines.append(
                f"WARNING: {padding:.0%} of what is heard is padding, by which clips may be told apart: choose a "
                "shorter length by --set data.clip_s, or --set data.short=repeat"
            )
        if cropped_s.size:
            what = "the middle" if self.settings.windows == "all" else "what sounds"
            lines.append(f"{len(cropped_s)} cropped to {what} (by up to {cropped_s.max():.2f} s)")
        if cancelled := [clip.clip_id for clip in self.remarkable if clip.cancels]:
            lines.append(f"{len(cancelled)} whose channels cancel when mixed to mono: {some(cancelled, _N_NAMED)}")
        if damaged := [f"{clip.clip_id} ({clip.n_damaged})" for clip in self.remarkable if clip.n_damaged]:
            lines.append(f"{len(damaged)} damaged in places: {some(damaged, _N_NAMED)}")
        if silent := [clip.clip_id for clip in self.remarkable if clip.n_silent and not clip.cancels]:
            lines.append(f"{len(silent)} with silence from end to end: {some(silent, _N_NAMED)}")
        short = [clip for clip in self.remarkable if clip.shortfall_s]
        lines += [f"{clip.clip_id} is {clip.shortfall_s:.2f} s shorter than it declares" for clip in short]
        lines += [f"skipped: {reason}" for _, reason in self.skipped]
        return tuple(lines)


def padding_share(
    durations_s: Sequence[float] | Float64[np.ndarray, " clip"],
    n_rows: Sequence[int] | Int64[np.ndarray, " clip"],
    clip_s: float,
) -> float:
    """Return the share of all that is heard that fills up short clips, 0 to 1.

    Args:
        durations_s: of clips, seconds.
        n_rows: clips of `clip_s` that each of them gives.
        clip_s: seconds, > 0.

    Example:
        >>> padding_share([1.0, 2.0, 8.0], [1, 1, 4], clip_s=2.0)
        0.08333333333333333
    """
    return float(np.maximum(clip_s - np.asarray(durations_s), 0).sum()) / (clip_s * max(1, int(np.sum(n_rows))))


def decode_clips(root: Path, clips: Sequence[Clip], settings: StoreSettings) -> list[DecodedClip | UserError]:
    """Decode clips of one file to the rows of a store, or say why one cannot be used."""
    heard = decode_segments(root / clips[0].path, [(clip.start_s, clip.end_s) for clip in clips])
    return [
        audio if isinstance(audio, UserError) else _rows(clip, audio, settings)
        for clip, audio in zip(clips, heard, strict=True)
    ]


def in_order(clips: Sequence[Clip], work: Callable[[Sequence[Clip]], Sequence[Outcome]]) -> Iterator[Outcome]:
    """Work on clips on threads, a few ahead, and give what becomes of each in their order.

    Decoders, resamplers and hashes release the GIL. Clips of a file that only FFmpeg decodes are worked on together, so
    that it is decoded once; what becomes of those whose turn comes later is kept until it does.

    Args:
        clips: of a data set.
        work: called with clips of one file, returns what becomes of each.
    """
    together: dict[str, list[int]] = {}
    for index, clip in enumerate(clips):
        if is_media(clip.path):
            together.setdefault(clip.path, []).append(index)
    groups = (together.get(clip.path, [index]) for index, clip in enumerate(clips))
    ahead = (indices for index, indices in enumerate(groups) if indices[0] == index)
    n_threads = min(_MOST_THREADS, os.cpu_count() or 1)
    waiting, following = dict[int, Outcome](), 0
    with ThreadPoolExecutor(n_threads) as pool:
        while some_groups := list(islice(ahead, 4 * n_threads)):
            outcomes = pool.map(lambda indices: work([clips[index] for index in indices]), some_groups)
            for indices, outcome in zip(some_groups, outcomes, strict=True):
                waiting.update(zip(indices, outcome, strict=True))
                while following in waiting:
                    yield waiting.pop(following)
                    following += 1


def _rows(clip: Clip, audio: DecodedAudio, settings: StoreSettings) -> DecodedClip:
    waveform = resample(audio.waveform, audio.sample_rate, settings.sample_rate)
    n_samples, offset_s = settings.n_samples, clip.start_s or 0.0
    starts = window_starts(len(waveform), n_samples)
    if settings.windows == "sounding" and not clip.is_segment:
        begin, end = (round(place * settings.sample_rate) for place in sounding(waveform, settings.sample_rate))
        starts = sounding_starts(len(waveform), n_samples, begin, end)
    ends = np.minimum(starts + n_samples, len(waveform))
    rows = [
        quantize(fit(waveform[start:end], n_samples, settings.short)) for start, end in zip(starts, ends, strict=True)
    ]
    waveforms = np.stack([steps for steps, _ in rows])
    return DecodedClip(
        waveforms=waveforms,
        scales=np.array([scale for _, scale in rows], np.float32),
        starts_s=tuple((offset_s + starts / settings.sample_rate).tolist()),
        ends_s=tuple((offset_s + ends / settings.sample_rate).tolist()),
        done=Decoded(
            clip_id=clip.id,
            duration_s=len(audio.waveform) / audio.sample_rate,
            shortfall_s=audio.shortfall_s,
            n_rows=len(rows),
            n_silent=int((~waveforms.any(axis=1)).sum()),
            cancels=cancels(loudest(audio.waveform), audio.loudest_channel),
            n_damaged=audio.n_damaged,
        ),
    )


def sounding_starts(n_samples: int, clip_samples: int, begin: int, end: int) -> Int64[np.ndarray, " window"]:
    """Say where the clips begin that are cut from where a recording sounds: one about its middle, or several.

    Args:
        n_samples: of the recording.
        clip_samples: of a clip.
        begin: where it begins to sound.
        end: where it ends, > begin.
    """
    last = max(0, n_samples - clip_samples)
    if end - begin <= clip_samples:
        return np.clip(np.array([(begin + end) // 2 - clip_samples // 2]), 0, last)
    return np.unique(np.clip(begin + window_starts(end - begin, clip_samples), 0, last))


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


def quantize(waveform: Float32[np.ndarray, " time"]) -> tuple[Int16[np.ndarray, " time"], float]:
    """Write a waveform in 16 bits and a scale, so that a sample is its 16-bit value / 32768 * scale.

    What came from 16 bits unchanged is kept exactly, with scale 1. Anything else uses the whole range of 16
    bits: the error is at most 2**-16 of its loudest sample, whether that is a whisper or above full scale.

    Example:
        >>> quantize(np.array([0.5, -1.0], np.float32))
        (array([ 16384, -32768], dtype=int16), 1.0)
        >>> quantize(np.array([3.0, 1.5], np.float32))[0]
        array([32767, 16384], dtype=int16)
    """
    peak = float(np.abs(waveform).max())
    if peak <= 1:
        steps = waveform * np.float32(FULL_SCALE)
        if (steps == np.rint(steps)).all() and steps.max() < FULL_SCALE:
            return steps.astype(np.int16), 1.0
    scale = np.float32(peak * FULL_SCALE / (FULL_SCALE - 1))
    steps = np.rint(waveform / scale * np.float32(FULL_SCALE))
    return np.clip(steps, 1 - FULL_SCALE, FULL_SCALE - 1).astype(np.int16), float(scale)
