"""Low-pass and high-pass filters: every clip without what is above, or below, a frequency of its own.

The response is that of a second-order Butterworth filter run forward and then backward: no phase, so that nothing is
delayed, and the square of its magnitude, a slope of 24 dB per octave and -6 dB at the cutoff. It is applied in the
frequency domain, where running backward costs nothing.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, UInt64
from torch import Tensor

from cohear.dsp.spectral import fast_length
from cohear.tensors import Waveforms
from cohear.transforms.contract import Domain, Parameters, Transform
from cohear.transforms.per_clip import beside, draw_between, exact


@dataclass(frozen=True, eq=False)
class LowPassParameters(Parameters):
    """One cutoff per clip."""

    cutoff_hz: Float[np.ndarray, " batch"]
    """Where the amplitude is half, Hz."""

    def describe(self) -> list[str]:
        """Say `low-pass at 4312 Hz`."""
        return [f"low-pass at {cutoff:.0f} Hz" for cutoff in self.cutoff_hz]


@dataclass(frozen=True, eq=False)
class HighPassParameters(Parameters):
    """One cutoff per clip."""

    cutoff_hz: Float[np.ndarray, " batch"]
    """Where the amplitude is half, Hz."""

    def describe(self) -> list[str]:
        """Say `high-pass at 312 Hz`."""
        return [f"high-pass at {cutoff:.0f} Hz" for cutoff in self.cutoff_hz]


@dataclass(frozen=True)
class LowPass(Transform[LowPassParameters]):
    """Remove what is above a cutoff, whose logarithm is uniform between two limits."""

    domain: ClassVar[Domain] = "waveform"

    cutoff_range_hz: tuple[float, float] = (2000.0, 16000.0)
    """Lowest and highest cutoff, Hz, above 0 and below half the sample rate."""
    sample_rate: int = 44100
    """Hz."""

    def __post_init__(self) -> None:
        _check_cutoffs(self.cutoff_range_hz, self.sample_rate)

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> LowPassParameters:
        """Draw one cutoff per key."""
        return LowPassParameters(cutoff_hz=_draw_cutoffs(keys, self.cutoff_range_hz))

    def apply(self, batch: Waveforms, parameters: LowPassParameters) -> Waveforms:
        """Filter each clip at its cutoff."""
        samples = exact(batch, parameters)
        frequencies, cutoffs = _warped(self, samples, parameters.cutoff_hz)
        return _filtered(samples, 1 / (1 + (frequencies / cutoffs).square().square())).to(batch.dtype)


@dataclass(frozen=True)
class HighPass(Transform[HighPassParameters]):
    """Remove what is below a cutoff, whose logarithm is uniform between two limits."""

    domain: ClassVar[Domain] = "waveform"

    cutoff_range_hz: tuple[float, float] = (50.0, 1000.0)
    """Lowest and highest cutoff, Hz, above 0 and below half the sample rate."""
    sample_rate: int = 44100
    """Hz."""

    def __post_init__(self) -> None:
        _check_cutoffs(self.cutoff_range_hz, self.sample_rate)

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> HighPassParameters:
        """Draw one cutoff per key."""
        return HighPassParameters(cutoff_hz=_draw_cutoffs(keys, self.cutoff_range_hz))

    def apply(self, batch: Waveforms, parameters: HighPassParameters) -> Waveforms:
        """Filter each clip at its cutoff."""
        samples = exact(batch, parameters)
        frequencies, cutoffs = _warped(self, samples, parameters.cutoff_hz)
        return _filtered(samples, 1 / (1 + (cutoffs / frequencies).square().square())).to(batch.dtype)


def _check_cutoffs(limits_hz: tuple[float, float], sample_rate: int) -> None:
    low, high = limits_hz
    if not 0 < low <= high < sample_rate / 2:
        raise ValueError(
            f"a cutoff from {low:g} to {high:g} Hz at a sample rate of {sample_rate} Hz: give numbers above 0 and "
            f"below {sample_rate / 2:g} Hz, half the sample rate, the smaller one first"
        )


def _draw_cutoffs(keys: UInt64[np.ndarray, " batch"], limits_hz: tuple[float, float]) -> Float[np.ndarray, " batch"]:
    low, high = limits_hz
    return np.exp(draw_between(keys, (math.log(low), math.log(high))))


def _warped(
    transform: LowPass | HighPass, samples: Waveforms, cutoff_hz: Float[np.ndarray, " batch"]
) -> tuple[Float[Tensor, " bin"], Float[Tensor, "batch 1"]]:
    """Return the frequencies of the transform's bins and the cutoffs as the bilinear transform sees them.

    A digital Butterworth filter has at f the response that the analog one has at tan(pi f / sample rate), so infinite
    at half the sample rate.
    """
    # The response outlasts the clip on both sides. It decays with exp(-2 pi cutoff t / sqrt 2), to exp(-20) = 2e-9
    # within this time; on a circle that is so much longer than the clip the two sides may overlap each other, but not
    # the clip. The longest of all cutoffs, not of these, so that a clip's rounding is not its neighbors' affair.
    decay_s = 20 * math.sqrt(2) / (2 * math.pi * transform.cutoff_range_hz[0])
    n_fft = fast_length(samples.shape[1] + math.ceil(decay_s * transform.sample_rate))
    angles = torch.linspace(0, math.pi / 2, n_fft // 2 + 1, dtype=samples.dtype, device=samples.device)
    return angles.tan().abs(), beside(np.tan(np.pi * cutoff_hz / transform.sample_rate), samples)


def _filtered(samples: Waveforms, response: Float[Tensor, "batch bin"]) -> Waveforms:
    if not len(samples):  # MKL refuses to transform nothing
        return samples.clone()
    n_fft = 2 * (response.shape[1] - 1)
    with torch.autocast(samples.device.type, enabled=False):
        spectra = torch.fft.rfft(samples, n_fft) * response
        return torch.fft.irfft(spectra, n_fft)[:, : samples.shape[1]]
