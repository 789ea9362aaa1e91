"""Every clip of a data set heard once, files in blocks: one of hours takes no more memory than one of seconds.

What training refuses is found by the functions that training decodes with, so it is refused here in the same words.
While the blocks of a sound go by, its level, its samples at full scale and a hash of what is heard are taken.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from cohear.data.audio_files import DecodedAudio, FileBlocks, decode_segments
from cohear.data.clips import Clip
from cohear.data.datasets import Dataset
from cohear.data.decoding import in_order
from cohear.errors import UserError

_SILENT = 1e-4
"""Half the distance from the lowest to the highest sample below which nothing is heard: -80 dB of full scale."""

_FULL = np.float32(1 - 2**-15)
"""Of a sample that may be cut off: the highest of 16 bits."""

_STEPS = 32768
"""16-bit steps of full scale, in which sounds are compared."""


@dataclass(frozen=True)
class SoundMeasures:
    """What was measured of a sound."""

    peak: float
    """The largest magnitude of a sample; full scale is 1."""
    is_silent: bool
    """Whether no channel moves by more than 1e-4 of full scale (-80 dB) about its middle."""
    clipped_share: float
    """The share of samples at full scale or beyond, 0 to 1, in any channel."""
    content: str | None
    """A hash of the mean of the channels in 16 bits; None where there are only zeros.

    It does not depend on the file's name or format, only on rate and samples.
    """


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
    blocks = FileBlocks(path, mixed=False)
    meter = SoundMeter(blocks.info.sample_rate)
    for block in blocks:
        meter.add(block)
    if blocks.damage is not None:
        raise blocks.damage
    info = blocks.info
    return Sound(blocks.duration_s, info.sample_rate, info.n_channels, blocks.shortfall_s, meter.measures())


class SoundMeter:
    """Measures the blocks of one sound as they go by; memory does not grow.

    Args:
        sample_rate: Hz; the same samples at another rate are another sound.
    """

    def __init__(self, sample_rate: int) -> None:
        self._n_samples, self._n_clipped, self._is_zero = 0, 0, True
        self._highest, self._lowest = np.float32(-np.inf), np.float32(np.inf)  # of each channel, once there are any
        self._hash = hashlib.blake2b(f"{sample_rate} Hz".encode(), digest_size=16)

    def add(self, block: Float32[np.ndarray, "channel time"]) -> None:
        """Measure the next samples, at least one, all finite; full scale is [-1, 1]."""
        self._n_samples += block.shape[1]
        self._highest, self._lowest = np.maximum(self._highest, block.max(1)), np.minimum(self._lowest, block.min(1))
        self._n_clipped += int((np.abs(block) >= _FULL).any(axis=0).sum())
        steps = np.clip(np.rint(block.mean(axis=0) * np.float32(_STEPS)), -_STEPS, _STEPS - 1).astype("<i2")
        self._is_zero = self._is_zero and not steps.any()
        self._hash.update(steps.data)

    def measures(self) -> SoundMeasures:
        """Return what was measured, after at least one block."""
        return SoundMeasures(
            peak=float(np.maximum(self._highest, -self._lowest).max()),
            is_silent=bool(((self._highest - self._lowest) / 2 < _SILENT).all()),
            clipped_share=self._n_clipped / self._n_samples,
            content=None if self._is_zero else self._hash.hexdigest(),
        )


def _outcomes(dataset: Dataset, clips: Sequence[Clip]) -> list[HeardClip | UnusableClip]:
    """Listen to clips of one file; segments are decoded together."""
    path = dataset.root / clips[0].path
    segments = [(clip.start_s, clip.end_s) for clip in clips if clip.is_segment]
    decoded = iter(decode_segments(path, segments) if segments else [])
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
    meter = SoundMeter(decoded.sample_rate)
    meter.add(decoded.waveforms)
    duration_s = decoded.waveforms.shape[1] / decoded.sample_rate
    return Sound(duration_s, decoded.sample_rate, decoded.n_channels, decoded.shortfall_s, meter.measures())
