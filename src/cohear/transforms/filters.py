"""Low-pass and high-pass filters: every clip without what is above, or below, a frequency of its own.

The response is that of a second-order Butterworth filter run forward and then backward: no phase, so that nothing is
delayed, and the square of its magnitude, a slope of 24 dB per octave and -6 dB at the cutoff. It is applied in the
frequency domain, where running backward costs nothing.
"""

import math
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import ClassVar, TypeVar

import numpy as np
import torch
from jaxtyping import Float, UInt64
from torch import Tensor

from cohear.dsp.spectral import fast_length
from cohear.tensors import Waveforms
from cohear.transforms.contract import Parameters, Transform, beside, draw_between, exact

_N_AT_ONCE = 64  # clips, on a GPU
_DECIMAL = Context(prec=28)
"""Exponentials that are rounded correctly, so everywhere alike; numpy's last bit is the processor's."""


@dataclass(frozen=True, eq=False)
class _CutoffParameters(Parameters):
    """One cutoff per clip."""

    kind: ClassVar[str]

    cutoff_hz: Float[np.ndarray, " batch"]
    """Where the amplitude is half, Hz."""

    def describe(self) -> list[str]:
        """Say `low-pass at 4312 Hz`."""
        return [f"{self.kind} at {cutoff:.0f} Hz" for cutoff in self.cutoff_hz]


class LowPassParameters(_CutoffParameters):
    """One cutoff per clip, of a low-pass."""

    kind = "low-pass"


class HighPassParameters(_CutoffParameters):
    """One cutoff per clip, of a high-pass."""

    kind = "high-pass"


P = TypeVar("P", bound=_CutoffParameters)


@dataclass(frozen=True)
class _Filter(Transform[P]):
    """Remove what is on one side of a cutoff, whose logarithm is uniform between two limits."""

    drawn: ClassVar[type[_CutoffParameters]]

    cutoff_hz: tuple[float, float]
    """Lowest and highest cutoff, Hz, above 0 and below half the sample rate."""
    sample_rate: int = 44100
    """Hz."""

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.cutoff_hz
        if not 0 < low <= high < self.sample_rate / 2:
            allowed = f"numbers above 0 and below {self.sample_rate / 2:g} Hz, the smaller one first"
            raise ValueError(f"a cutoff from {low:g} to {high:g} Hz at {self.sample_rate} Hz: give {allowed}")

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> P:
        """Draw one cutoff per key."""
        low, high = (float(_DECIMAL.ln(Decimal(limit))) for limit in self.cutoff_hz)
        logarithms: list[float] = draw_between(keys, (low, high)).tolist()
        cutoffs = [float(_DECIMAL.exp(Decimal(logarithm))) for logarithm in logarithms]
        return self.drawn(np.array(cutoffs, np.float64))  # pyright: ignore[reportReturnType]

    def apply(self, batch: Waveforms, parameters: P) -> Waveforms:
        """Filter each clip at its cutoff."""
        samples = exact(batch, parameters)
        if not len(samples):  # MKL refuses to transform nothing
            return batch.clone()
        frequencies = self._frequencies(samples)
        cutoffs = beside(np.tan(np.pi * parameters.cutoff_hz / self.sample_rate), samples)
        # How far each frequency lies on the side that is removed: 1 at the cutoff.
        ratios = torch.div if self.drawn.kind == "low-pass" else lambda frequency, cutoff: cutoff / frequency
        # A CPU takes one clip at a time: its result does not depend on its neighbors at all.
        n_at_once = 1 if samples.device.type == "cpu" else _N_AT_ONCE
        with torch.autocast(samples.device.type, enabled=False):
            filtered = [
                _filtered(clips, 1 / (1 + ratios(frequencies, limits).square().square()))
                for clips, limits in zip(samples.split(n_at_once), cutoffs.split(n_at_once), strict=True)
            ]
        return torch.cat(filtered).to(batch.dtype)

    def _frequencies(self, samples: Waveforms) -> Float[Tensor, " bin"]:
        """Return the frequencies of the bins as the bilinear transform sees them.

        A digital Butterworth filter has at f the response that the analog one has at tan(pi f / sample rate), so
        infinite at half the sample rate.
        """
        # The response outlasts the clip on both sides. It decays with exp(-2 pi cutoff t / sqrt 2), to exp(-20) = 2e-9
        # within this time; on a circle that is so much longer than the clip the two sides may overlap each other, but
        # not the clip. The longest of all cutoffs, so that a clip's rounding is not its neighbors' affair.
        decay_s = 20 * math.sqrt(2) / (2 * math.pi * self.cutoff_hz[0])
        n_fft = fast_length(samples.shape[1] + math.ceil(decay_s * self.sample_rate))
        angles = torch.linspace(0, math.pi / 2, n_fft // 2 + 1, dtype=samples.dtype, device=samples.device)
        return angles.tan().abs()


@dataclass(frozen=True)
class LowPass(_Filter[LowPassParameters]):
    """Remove what is above a cutoff, whose logarithm is uniform between two limits."""

    drawn = LowPassParameters

    cutoff_hz: tuple[float, float] | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    """As above; None, at once replaced, is from 2000 Hz to 16000 Hz or 0.45 of the sample rate, whichever is less."""

    def __post_init__(self) -> None:
        if self.cutoff_hz is None:
            highest = min(16000.0, 0.45 * self.sample_rate)
            object.__setattr__(self, "cutoff_hz", (min(2000.0, highest), highest))
        super().__post_init__()


@dataclass(frozen=True)
class HighPass(_Filter[HighPassParameters]):
    """Remove what is below a cutoff, whose logarithm is uniform between two limits."""

    drawn = HighPassParameters

    cutoff_hz: tuple[float, float] = (50.0, 1000.0)


def _filtered(clips: Waveforms, response: Float[Tensor, "batch bin"]) -> Waveforms:
    n_fft = 2 * (response.shape[1] - 1)
    return torch.fft.irfft(torch.fft.rfft(clips, n_fft) * response, n_fft)[:, : clips.shape[1]]
