"""Every clip of a data set heard once, files in blocks: one of hours takes no more memory than one of seconds.

What training refuses is found by the functions that training decodes with, so it is refused here in the same words.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from cohear.data.audio_files import declared_blocks, decode, missing_s, probe
from cohear.data.check.sound_meter import SoundMeasures, SoundMeter
from cohear.data.clips import Clip
from cohear.data.datasets import Dataset
from cohear.data.sample_values import bad_sample, n_before_bad
from cohear.errors import UserError


@dataclass(frozen=True)
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
    measures: SoundMeasures
    """Level, flat tops, content."""


@dataclass(frozen=True)
class HeardClip:
    """A clip that can be used."""

    clip: Clip
    sound: Sound


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


def survey(dataset: Dataset, on_progress: Callable[[int, int], None] | None = None) -> Survey:
    """Listen to every clip of a data set, on threads: decoders and hashes release the GIL.

    Args:
        dataset: its clips.
        on_progress: called with the number of clips heard and that of all clips.
    """
    pool = ThreadPoolExecutor(min(8, len(os.sched_getaffinity(0))))
    try:
        futures = [pool.submit(_outcome, dataset, clip) for clip in dataset.clips]
        for n_done, _ in enumerate(as_completed(futures), start=1):
            if on_progress:
                on_progress(n_done, len(futures))
    finally:  # also on Ctrl-C, which would wait for all of them otherwise
        pool.shutdown(cancel_futures=True)
    outcomes = [future.result() for future in futures]
    return Survey(
        heard=tuple(outcome for outcome in outcomes if isinstance(outcome, HeardClip)),
        unusable=tuple(outcome for outcome in outcomes if isinstance(outcome, UnusableClip)),
    )


def listen(path: Path, start_s: float | None = None, end_s: float | None = None) -> Sound:
    """Measure a file, or a segment of it.

    Args:
        path: a sound file.
        start_s: where the segment begins, seconds >= 0; None is the beginning of the file.
        end_s: where it ends, seconds > start_s; None is the end of the file.

    Raises:
        UserError: where `decode` raises it.
    """
    if start_s is None and end_s is None:
        return _listen_to_file(path)
    segment = decode(path, start_s, end_s)
    meter = SoundMeter(segment.sample_rate)
    meter.add(segment.waveform[None])
    duration_s = len(segment.waveform) / segment.sample_rate
    return Sound(duration_s, segment.sample_rate, segment.n_channels, segment.shortfall_s, meter.measures())


def _outcome(dataset: Dataset, clip: Clip) -> HeardClip | UnusableClip:
    path = dataset.root / clip.path
    try:
        return HeardClip(clip, listen(path, clip.start_s, clip.end_s))
    except UserError as error:
        return UnusableClip(clip, str(error).replace(f"{dataset.root}{os.sep}", ""), is_missing=not path.exists())


def _listen_to_file(path: Path) -> Sound:
    info = probe(path)
    rate, n_declared = info.sample_rate, round(info.duration_s * info.sample_rate)
    meter = SoundMeter(rate)
    for block in declared_blocks(path, n_declared, mixed=False):
        if (n_good := n_before_bad(block)) < block.shape[1]:
            raise bad_sample(path, (meter.n_samples + n_good) / rate, block[:, n_good])
        meter.add(block)
    duration_s = meter.n_samples / rate
    shortfall_s = missing_s(path, duration_s, info.duration_s or duration_s)
    return Sound(duration_s, rate, info.n_channels, shortfall_s, meter.measures())
