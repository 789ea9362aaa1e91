"""Time shift: every clip later or earlier by whole samples, its length kept."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt64

from cohear.keys import integers
from cohear.tensors import Waveforms, on_device
from cohear.transforms.contract import Parameters, Transform, check_batch, check_sample_rate

Fill = Literal["silence", "wrap"]


@dataclass(frozen=True, eq=False)
class TimeShiftParameters(Parameters):
    """One shift per clip."""

    shift_s: Float[np.ndarray, " batch"]
    """Seconds, a whole number of samples; later where positive."""

    def describe(self) -> list[str]:
        """Say `0.213 s later`."""
        return [f"{abs(shift):.3f} s {'earlier' if shift < 0 else 'later'}" for shift in self.shift_s]


@dataclass(frozen=True)
class TimeShift(Transform[TimeShiftParameters]):
    """Move each clip later or earlier, every whole number of samples up to a limit equally probable.

    Example:
        >>> later = TimeShift(max_shift_s=1.0, sample_rate=1)
        >>> later.apply(torch.tensor([[1.0, 2.0, 3.0]]), TimeShiftParameters(np.array([1.0])))
        tensor([[0., 1., 2.]])
    """

    max_shift_s: float = 0.5
    """Greatest shift either way, seconds, at least one sample."""
    sample_rate: int = 44100
    """Hz, > 0."""
    fill: Fill = "silence"
    """What comes where the clip has left: nothing, or what has left at the other end."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sample_rate(self.sample_rate)
        if not 0.5 < self.max_shift_s * self.sample_rate < 2**31:
            given = f"a shift of up to {self.max_shift_s:g} s at {self.sample_rate} Hz"
            raise ValueError(f"{given}: give at least one sample, and less than 2**31")
        if self.fill not in ("silence", "wrap"):
            raise ValueError(f"fill {self.fill!r}: give 'silence' or 'wrap'")

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> TimeShiftParameters:
        """Draw one shift per key."""
        greatest = round(self.max_shift_s * self.sample_rate)
        return TimeShiftParameters(
            shift_s=(integers(keys, 1, 2 * greatest + 1)[:, 0] - greatest) / float(self.sample_rate)
        )

    def apply(self, batch: Waveforms, parameters: TimeShiftParameters) -> Waveforms:
        """Take each sample from where it was; a shift longer than the clip leaves silence, or wraps more than once."""
        check_batch(batch, len(parameters))
        n_samples = batch.shape[1]
        shifts = on_device(np.rint(parameters.shift_s * self.sample_rate).astype(np.int64), batch.device)
        sources = torch.arange(n_samples, device=batch.device) - shifts[:, None]
        if self.fill == "wrap":
            return batch.gather(1, sources % n_samples)
        is_inside = (sources >= 0) & (sources < n_samples)
        return batch.gather(1, sources.clamp(0, n_samples - 1)).where(is_inside, 0.0)
