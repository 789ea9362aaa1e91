"""Every clip of a data set heard once, and what the data set holds in numbers.

What training refuses is found by the functions that training decodes with, so it is refused here in the same words.
Files are heard in blocks: one of hours takes no more memory than one of seconds. While the blocks of a sound go by, its
level, its samples at full scale and a hash of what is heard are taken.
"""

import hashlib
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float32

from cohear.data.audio_decoding import SILENT, DecodedAudio, FileBlocks, cancels, decode_segments, loudest
from cohear.data.clips import Clip
from cohear.data.datasets import Dataset
from cohear.data.decoding import Short, Windows, in_order, sounding_starts, window_starts
from cohear.data.sounding import Levels
from cohear.errors import UserError

Counts = tuple[tuple[str, int], ...]
"""Values in words, the most frequent first, with the number of clips that have them."""

_FULL = np.float32(1 - 2**-15)
"""Of a sample that may be cut off: the highest of 16 bits."""

_STEPS = 32768
"""16-bit steps of full scale, in which sounds are compared."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What one clip sounds like."""

    duration_s: float
    """Seconds that could be decoded."""
    sample_rate: int
    """Hz, that of the file."""
    n_channels: int
    """Channels of the file."""
    shortfall_s: float
    """Seconds declared but missing; 0 unless that is more than encoders explain."""
    peak: float
    """The largest magnitude of a sample; full scale is 1."""
    is_silent: bool
    """Whether no channel moves by more than 1e-4 of full scale (-80 dB) about its middle."""
    clipped_share: float
    """The share of samples at full scale or beyond, 0 to 1, in any channel."""
    content: str | None
    """A hash of the mean of the channels in 16 bits; None of silence.

    It does not depend on the file's name or format, only on rate and samples.
    """
    cancels: bool = False
    """Whether the channels cancel each other when they are mixed, as training does."""
    sounding_s: tuple[float, float] | None = None
    """Where it begins to sound and where it ends; None where the level stays alike."""


@dataclass(frozen=True, slots=True)
class HeardClip:
    """A clip that can be used."""

    clip: Clip
    sound: Sound


def _level_text(peak: float) -> str:
    """Write a level in steps of 20 dB, which no gain of a recorder explains."""
    return "nothing" if peak <= 0 else f"about {20 * round(math.log10(peak)):+d} dB of full scale"


PROPERTIES: dict[str, Callable[[HeardClip], str]] = {
    "sample rate": lambda one: f"{one.sound.sample_rate} Hz",
    "number of channels": lambda one: {1: "mono", 2: "stereo"}.get(n := one.sound.n_channels, f"{n} channels"),
    "file type": lambda one: PurePosixPath(one.clip.path).suffix.lower().removeprefix("."),
    "length": lambda one: f"{one.sound.duration_s:.2f} s",
    "level": lambda one: _level_text(one.sound.peak),
}
"""What a clip's file is like, in words."""


@dataclass(frozen=True)
class UnusableClip:
    """A clip that training would refuse."""

    clip: Clip
    reason: str
    """A sentence that begins with the path, relative to the data set's root."""
    is_missing: bool
    """Whether there is no such file."""


@dataclass(frozen=True)
class Survey:
    """All clips of a data set, in its order."""

    heard: tuple[HeardClip, ...]
    unusable: tuple[UnusableClip, ...]


@dataclass(frozen=True)
class TrainingForm:
    """What training makes of a sound."""

    sample_rate: int
    """Hz."""
    clip_s: float | None
    """Seconds of a clip; None where not one file can be opened."""
    shortest_s: float
    """Seconds of the shortest sound that fills the network's smallest input."""
    short: Short = "pad"
    """What fills a clip that is too short."""
    windows: Windows = "all"
    """Which windows of a longer one are taken."""


@dataclass(frozen=True)
class LabelFacts:
    """What there is of one label."""

    label: str
    n_clips: int
    n_windows: int
    """Clips that training will see: a long recording is cut into several."""
    n_recordings: int
    """Groups, or else files, that folds do not divide."""
    duration_s: float
    """Seconds in all."""


@dataclass(frozen=True)
class Overview:
    """The numbers of a data set; but for `n_clips` and `n_files`, of the clips that can be used."""

    n_clips: int
    n_files: int
    n_windows: int
    """Clips that training will see."""
    n_unlabeled: int
    """Clips of multi-label data that have no label."""
    duration_s: float
    """Seconds in all."""
    shortest_s: float
    """Seconds of the shortest clip; 0 where none can be used, like the next two."""
    median_s: float
    """Seconds."""
    longest_s: float
    """Seconds."""
    labels: tuple[LabelFacts, ...]
    """The largest first."""
    sample_rates: Counts
    channels: Counts
    file_types: Counts
    folds: Counts
    """In their order; none where folds cannot be made."""


def survey(dataset: Dataset, on_progress: Callable[[int, int], None] | None = None) -> Survey:
    """Listen to every clip of a data set, on threads: decoders and hashes release the GIL.

    Args:
        dataset: its clips.
        on_progress: called with the number of clips heard and that of all clips.
    """
    outcomes = []
    for outcome in in_order(dataset.clips, lambda clips: _outcomes(dataset, clips)):
        outcomes.append(outcome)
        if on_progress:
            on_progress(len(outcomes), len(dataset.clips))
    heard = tuple(outcome for outcome in outcomes if isinstance(outcome, HeardClip))
    return Survey(heard, tuple(outcome for outcome in outcomes if isinstance(outcome, UnusableClip)))


def listen(path: Path) -> Sound:
    """Measure a file.

    Raises:
        UserError: where `decode` raises it.
    """
    file = FileBlocks(path)
    measures = _measure(file.blocks(mixed=False), file.info.sample_rate)
    if file.damage is not None:
        raise file.damage
    return Sound(file.duration_s, file.info.sample_rate, file.info.n_channels, file.shortfall_s, *measures)


def _measure(
    blocks: Iterable[Float32[np.ndarray, "channel time"]], sample_rate: int
) -> tuple[float, bool, float, str | None, bool, tuple[float, float] | None]:
    """Measure the blocks of one sound as they go by, for the last fields of a `Sound`; memory does not grow.

    Args:
        blocks: of at least one sample, all finite; full scale is [-1, 1].
        sample_rate: Hz; the same samples at another rate are another sound.
    """
    n_samples, n_clipped, loudest_mixed = 0, 0, 0.0
    highest, lowest = np.float32(-np.inf), np.float32(np.inf)  # of each channel, once there are any
    content, levels = hashlib.blake2b(f"{sample_rate} Hz".encode(), digest_size=16), Levels(sample_rate)
    for block in blocks:
        n_samples += block.shape[1]
        highest, lowest = np.maximum(highest, block.max(1)), np.minimum(lowest, block.min(1))
        n_clipped += int((np.abs(block) >= _FULL).any(axis=0).sum())
        mixed = block.mean(axis=0)
        loudest_mixed = max(loudest_mixed, loudest(mixed))
        steps = np.clip(np.rint(mixed * np.float32(_STEPS)), -_STEPS, _STEPS - 1).astype("<i2")
        content.update(steps.data)
        levels.add(mixed)
    peak, is_silent = float(np.maximum(highest, -lowest).max()), bool(((highest - lowest) / 2 < SILENT).all())
    is_cancelled = cancels(loudest_mixed, peak)
    nothing = is_silent or loudest_mixed < SILENT
    named = None if nothing else content.hexdigest()
    return peak, is_silent, n_clipped / max(n_samples, 1), named, is_cancelled, levels.sounding()


def summarize(dataset: Dataset, heard: Sequence[HeardClip], form: TrainingForm) -> Overview:
    """Count what is there."""
    durations_s = [one.sound.duration_s for one in heard] or [0.0]
    folds = Counter(clip.fold for clip in dataset.clips if clip.fold is not None)
    of_label: dict[str, list[HeardClip]] = {}
    for one in heard:
        for label in one.clip.labels:
            of_label.setdefault(label, []).append(one)
    labels = [
        LabelFacts(
            label,
            n_clips=len(clips),
            n_windows=sum(windows_of(one, form) for one in clips),
            n_recordings=len({one.clip.undivided_by for one in clips}),
            duration_s=sum(one.sound.duration_s for one in clips),
        )
        for label, clips in of_label.items()
    ]
    return Overview(
        n_clips=len(dataset.clips),
        n_files=len({clip.path for clip in dataset.clips}),
        n_windows=sum(windows_of(one, form) for one in heard),
        n_unlabeled=sum(not one.clip.labels for one in heard),
        duration_s=sum(durations_s),
        shortest_s=min(durations_s),
        median_s=float(np.median(durations_s)),
        longest_s=max(durations_s),
        labels=tuple(sorted(labels, key=lambda facts: (-facts.n_clips, facts.label))),
        sample_rates=_counts("sample rate", heard),
        channels=_counts("number of channels", heard),
        file_types=_counts("file type", heard),
        folds=tuple((str(fold), n) for fold, n in sorted(folds.items())),
    )


def windows_of(one: HeardClip, form: TrainingForm) -> int:
    """Return how many clips training makes of one."""
    if form.clip_s is None:
        return 1
    n_samples, clip_samples = (max(1, round(s * form.sample_rate)) for s in (one.sound.duration_s, form.clip_s))
    if form.windows == "all" or one.clip.is_segment:
        return len(window_starts(n_samples, clip_samples))
    begin_s, end_s = one.sound.sounding_s or (0.0, one.sound.duration_s)
    begin, end = round(begin_s * form.sample_rate), round(end_s * form.sample_rate)
    return len(sounding_starts(n_samples, clip_samples, begin, end))


def _outcomes(dataset: Dataset, clips: Sequence[Clip]) -> list[HeardClip | UnusableClip]:
    """Listen to clips of one file; segments are decoded together."""
    path = dataset.root / clips[0].path
    segments = [(clip.start_s, clip.end_s) for clip in clips if clip.is_segment]
    decoded = iter(decode_segments(path, segments, mixed=False) if segments else [])
    outcomes = []
    for clip in clips:
        try:
            outcomes.append(HeardClip(clip, _of_segment(next(decoded)) if clip.is_segment else listen(path)))
        except UserError as error:
            reason = str(error).replace(f"{dataset.root}{os.sep}", "")
            outcomes.append(UnusableClip(clip, reason, is_missing=not path.exists()))
    return outcomes


def _of_segment(decoded: DecodedAudio | UserError) -> Sound:
    """Measure a segment, or raise why there is none."""
    if isinstance(decoded, UserError):
        raise decoded
    rate = decoded.sample_rate
    measures = _measure([decoded.waveforms], rate)
    return Sound(decoded.waveforms.shape[1] / rate, rate, decoded.n_channels, decoded.shortfall_s, *measures)


def _counts(name: str, heard: Iterable[HeardClip]) -> Counts:
    return tuple(sorted(Counter(map(PROPERTIES[name], heard)).items(), key=lambda pair: (-pair[1], pair[0])))
