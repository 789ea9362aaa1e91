"""Level: every clip louder or softer by decibels of its own, or cut off as by a recorder whose level was too high."""

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


@dataclass(frozen=True, eq=False)
class ClippingParameters(Parameters):
    """One threshold per clip."""

    threshold_db: Float[np.ndarray, " batch"]
    """dB relative to the largest absolute sample of the clip, at most 0, which changes nothing."""

    def describe(self) -> list[str]:
        """Say `clipped 6.0 dB below the peak`."""
        return [f"clipped {0.0 - threshold:.1f} dB below the peak" for threshold in self.threshold_db]


@dataclass(frozen=True)
class Clipping(Transform[ClippingParameters]):
    """Cut each clip off at a threshold, dB below its peak uniform between two limits.

    It follows each clip's own peak, so that soft clips are cut as loud ones are. The level is not restored: the new
    peak is the threshold. The threshold follows the peak in the gradient too, as a share of each sample that holds it.

    Example:
        >>> import torch
        >>> halved = Clipping((-6.0206, -6.0206))
        >>> halved.apply(torch.tensor([[0.2, -0.8, 0.6]]), halved.draw(np.zeros(1, np.uint64)))
        tensor([[ 0.2000, -0.4000,  0.4000]])
    """

    threshold_db: tuple[float, float] = (-12.0, 0.0)
    """Lowest and highest threshold, dB relative to the clip's peak, at most 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("a clipping threshold", self.threshold_db, "dB")
        if self.threshold_db[1] > 0:
            raise ValueError(f"a clipping threshold {self.threshold_db[1]:g} dB above the peak: give at most 0 dB")

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> ClippingParameters:
        """Draw one threshold per key."""
        return ClippingParameters(threshold_db=draw_between(keys, self.threshold_db))

    def apply(self, batch: Waveforms, parameters: ClippingParameters) -> Waveforms:
        """Limit each clip to its threshold."""
        samples = exact(batch, parameters)
        peaks = samples.abs().amax(dim=1, keepdim=True)
        thresholds = peaks * factors(parameters.threshold_db, samples)
        return samples.clamp(-thresholds, thresholds).to(batch.dtype)
