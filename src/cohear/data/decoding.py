"""One clip of a data set to rows of the store: decoded, resampled, cut or filled up, in 16 bits."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int16

from cohear.data.audio_files import decode, resample
from cohear.data.clips import Clip
from cohear.data.fitting import Short, fit, window_starts

FULL_SCALE = 32768
"""Steps of 16 bits that make a sample of 1."""


@dataclass(frozen=True)
class StoreSettings:
    """What a waveform in the store looks like."""

    sample_rate: int
    """Hz, > 0."""
    clip_s: float
    """Length of every clip, seconds, > 0."""
    short: Short = "pad"
    """How shorter recordings are filled up."""

    def __post_init__(self) -> None:
        if self.sample_rate <= 0 or self.n_samples <= 0:
            raise ValueError(f"a store needs sample_rate > 0 and clip_s > 0, not {self.sample_rate} and {self.clip_s}")

    @property
    def n_samples(self) -> int:
        """Length of every clip in samples."""
        return round(self.clip_s * self.sample_rate)


@dataclass(frozen=True, eq=False)
class DecodedClip:
    """The rows that one clip gives: one, or one per window."""

    waveforms: Int16[np.ndarray, "row time"]
    scales: Float32[np.ndarray, " row"]
    """A sample is its 16-bit value / 32768 * scale."""
    starts_s: tuple[float, ...]
    """Where each row begins in its file, seconds."""
    ends_s: tuple[float, ...]
    """Where the sound of each row ends in its file, seconds; silence or repetition may follow it."""
    duration_s: float
    """Length of the clip before it was cut or filled up, seconds."""
    sample_rate: int
    """That of the file, Hz."""
    n_channels: int
    """Channels of the file."""
    shortfall_s: float
    """Seconds that the file declares but does not hold."""


def decode_clip(root: Path, clip: Clip, settings: StoreSettings) -> DecodedClip:
    """Decode a clip to the rows of a store.

    Raises:
        UserError: where its file cannot be used.
    """
    decoded = decode(root / clip.path, clip.start_s, clip.end_s)
    waveform = resample(decoded.waveform, decoded.sample_rate, settings.sample_rate)
    n_samples, offset_s = settings.n_samples, clip.start_s or 0.0
    starts = window_starts(len(waveform), n_samples)
    ends = np.minimum(starts + n_samples, len(waveform))
    rows = [
        quantize(fit(waveform[start:end], n_samples, settings.short)) for start, end in zip(starts, ends, strict=True)
    ]
    return DecodedClip(
        waveforms=np.stack([steps for steps, _ in rows]),
        scales=np.array([scale for _, scale in rows], np.float32),
        starts_s=tuple((offset_s + starts / settings.sample_rate).tolist()),
        ends_s=tuple((offset_s + ends / settings.sample_rate).tolist()),
        duration_s=len(decoded.waveform) / decoded.sample_rate,
        sample_rate=decoded.sample_rate,
        n_channels=decoded.n_channels,
        shortfall_s=decoded.shortfall_s,
    )


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
