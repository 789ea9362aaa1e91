"""Gain: every clip louder or softer by decibels of its own."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt64

from cohear.tensors import Waveforms
from cohear.transforms.contract import Parameters, Transform, check_range, draw_between, exact, factors


@dataclass(frozen=True, eq=False)
class GainParameters(Parameters):
    """One gain per clip."""

    gain_db: Float[np.ndarray, " batch"]
    """dB; 20 makes the amplitude ten times as large."""

    def describe(self) -> list[str]:
        """Say `gain +3.2 dB`."""
        return [f"gain {gain:+.1f} dB" for gain in self.gain_db]


@dataclass(frozen=True)
class Gain(Transform[GainParameters]):
    """Change the level of each clip by a number of decibels, uniform between two limits.

    Samples beyond full scale stay as they are; `Clipping` would cut them.

    Example:
        >>> import torch
        >>> louder = Gain((20.0, 20.0))
        >>> louder.apply(torch.tensor([[0.01, -0.02]]), louder.draw(np.zeros(1, np.uint64)))
        tensor([[ 0.1000, -0.2000]])
    """

    gain_db: tuple[float, float] = (-12.0, 12.0)
    """Least and greatest gain, dB."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("a gain", self.gain_db, "dB")

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> GainParameters:
        """Draw one gain per key."""
        return GainParameters(gain_db=draw_between(keys, self.gain_db))

    def apply(self, batch: Waveforms, parameters: GainParameters) -> Waveforms:
        """Multiply each clip by its factor."""
        samples = exact(batch, parameters)
        return (samples * factors(parameters.gain_db, samples)).to(batch.dtype)
