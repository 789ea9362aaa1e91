"""What is measured of a sound while its blocks go by: level, flat tops, and a hash of what is heard.

Clipping cuts the tops of a waveform off, which leaves runs of equal samples at its highest or lowest value. Whole
waveforms hardly ever have such runs: of ESC-50's 2000 clips none whose peak stays below full scale has one.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

_SILENT = 1e-4
"""Half the distance from the lowest to the highest sample below which nothing is heard: -80 dB of full scale."""

_FLAT_RUN = 3
"""Equal samples in a row that make a flat top."""

_LOWEST_TOP = 0.125
"""Flat tops below it are those of a few quantization steps, not of clipping."""

_STEPS = 32768
"""16-bit steps of full scale, in which sounds are compared."""

_ZEROS = np.zeros(1 << 16, "<i2")


@dataclass(frozen=True)
class SoundMeasures:
    """What was measured of a sound."""

    n_samples: int
    """Per channel."""
    peak: float
    """The largest magnitude of a sample; full scale is 1."""
    is_silent: bool
    """Whether no channel moves by more than 1e-4 of full scale (-80 dB) about its middle."""
    flat_share: float
    """The share of samples on flat tops, 0 to 1, in the channel that has most of them."""
    content: str | None
    """A hash of the mean of the channels in 16 bits, without zeros at its ends; None where there are only zeros.

    It does not depend on the file's name, format or padding, only on rate and samples.
    """


class SoundMeter:
    """Measures the blocks of one sound as they go by; memory does not grow.

    Args:
        sample_rate: Hz; the same samples at another rate are another sound.
    """

    def __init__(self, sample_rate: int) -> None:
        self.n_samples = 0
        self._tops = _FlatTops()
        self._bottoms = _FlatTops()
        self._hash = hashlib.blake2b(f"{sample_rate} Hz".encode(), digest_size=16)
        self._has_begun, self._n_zeros = False, 0

    def add(self, block: Float32[np.ndarray, "channel time"]) -> None:
        """Measure the next samples, at least one, all finite; full scale is [-1, 1]."""
        self.n_samples += block.shape[1]
        self._tops.add(block)
        self._bottoms.add(-block)
        mean = block.mean(axis=0) if len(block) > 1 else block[0]
        self._add_content(np.clip(np.rint(mean * np.float32(_STEPS)), -_STEPS, _STEPS - 1).astype("<i2"))

    def measures(self) -> SoundMeasures:
        """Return what was measured, after at least one block."""
        tops, bottoms = self._tops, self._bottoms
        return SoundMeasures(
            n_samples=self.n_samples,
            peak=float(np.maximum(tops.height, bottoms.height).max()),
            is_silent=bool(((tops.height + bottoms.height) / 2 < _SILENT).all()),
            flat_share=float((tops.n_flat + bottoms.n_flat).max()) / self.n_samples,
            content=self._hash.hexdigest() if self._has_begun else None,
        )

    def _add_content(self, steps: np.ndarray) -> None:
        """Hash samples from the first that is not zero to the last; zeros are held back until a sound follows."""
        is_sound = steps != 0
        if not is_sound.any():
            self._n_zeros += len(steps)
            return
        first, last = int(is_sound.argmax()), len(steps) - 1 - int(is_sound[::-1].argmax())
        n_zeros = self._n_zeros + first if self._has_begun else 0
        for n_left in range(n_zeros, 0, -len(_ZEROS)):  # as they are: where blocks end makes no difference
            self._hash.update(_ZEROS[:n_left].data)
        self._hash.update(steps[first : last + 1].data)
        self._has_begun, self._n_zeros = True, len(steps) - 1 - last


class _FlatTops:
    """Counts the samples of each channel that lie on flat tops at its height so far."""

    def __init__(self) -> None:
        self.height = np.zeros(0, np.float32)
        self.n_flat = np.zeros(0, np.int64)

    def add(self, block: np.ndarray) -> None:
        heights = block.max(axis=1)
        if not len(self.height):
            self.height, self.n_flat = np.full_like(heights, -np.inf), np.zeros(len(heights), np.int64)
        self.n_flat[heights > self.height] = 0
        self.height = np.maximum(self.height, heights)
        for channel in np.flatnonzero((heights == self.height) & (heights >= _LOWEST_TOP)):
            self.n_flat[channel] += _n_in_runs(np.flatnonzero(block[channel] == heights[channel]))


def _n_in_runs(positions: np.ndarray) -> int:
    """Count those of ascending positions that lie in runs without a gap.

    Example:
        >>> _n_in_runs(np.array([3, 4, 5, 9, 20, 21]))
        3
    """
    ends = np.append(np.flatnonzero(np.diff(positions) != 1), len(positions) - 1)
    lengths = np.diff(ends, prepend=-1)
    return int(lengths[lengths >= _FLAT_RUN].sum())
