"""Noise: every clip with noise of its own at a signal-to-noise ratio of its own.

The noise of a clip is a function of a key among its parameters, made on the device of the clip, so that it can be
replayed anywhere from 64 bits.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt64

from cohear.dsp.noise import AMPLITUDE_EXPONENTS, Color, colored_noise
from cohear.keys import fold_in
from cohear.tensors import Waveforms
from cohear.transforms.contract import (
    Parameters,
    Transform,
    check_range,
    check_sample_rate,
    draw_between,
    exact,
    factors,
)


def add_at_snr(samples: Waveforms, noise: Waveforms, snr_db: Float[np.ndarray, " batch"]) -> Waveforms:
    """Add noise at a ratio of each clip's energy to that of what is added; silence stays silent.

    Args:
        samples: the clips, float32 or float64.
        noise: one row per clip, of any level; a silent row adds nothing.
        snr_db: 10 log10 of the ratio of the energies, over the whole clip.

    Example:
        >>> add_at_snr(torch.tensor([[1.0, -1.0]]), torch.tensor([[5.0, 5.0]]), np.array([20.0]))
        tensor([[ 1.1000, -0.9000]])
    """
    # Norms and not sums of squares: torch defines the gradient of a norm at zero, as zero.
    smallest = torch.finfo(samples.dtype).tiny
    shape = noise / torch.linalg.vector_norm(noise, dim=1, keepdim=True).clamp_min(smallest)
    levels = torch.linalg.vector_norm(samples, dim=1, keepdim=True) * factors(-snr_db, samples)
    return samples + shape * levels


@dataclass(frozen=True, eq=False)
class AddNoiseParameters(Parameters):
    """One ratio and one noise per clip."""

    snr_db: Float[np.ndarray, " batch"]
    """Energy of the clip over that of the noise, dB."""
    noise_key: UInt64[np.ndarray, " batch"]
    """What the noise is made from."""
    color: Shaped[np.ndarray, " batch"]
    """Name of the noise's color; that of the transform."""

    def describe(self) -> list[str]:
        """Say `noise at 12.3 dB SNR (pink)`."""
        return [f"noise at {snr:.1f} dB SNR ({color})" for snr, color in zip(self.snr_db, self.color, strict=True)]


@dataclass(frozen=True)
class AddNoise(Transform[AddNoiseParameters]):
    """Add Gaussian noise to each clip, its signal-to-noise ratio in dB uniform between two limits.

    Noise is made in float32 whatever the clips are, so that it is the same for all of them.
    """

    snr_db: tuple[float, float] = (5.0, 30.0)
    """Least and greatest ratio of the clip's energy to the noise's, dB."""
    color: Color = "white"
    """Power per Hz: "white" the same at all frequencies, "pink" as 1/f, "brown" as 1/f**2, both flat below 20 Hz."""
    sample_rate: int = 44100
    """Hz, > 0; says where 20 Hz is."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("a signal-to-noise ratio", self.snr_db, "dB")
        if self.color not in AMPLITUDE_EXPONENTS:
            raise ValueError(f"color {self.color!r}: give 'white', 'pink' or 'brown'")
        check_sample_rate(self.sample_rate)

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> AddNoiseParameters:
        """Draw one ratio per key, and the key of one noise."""
        return AddNoiseParameters(
            snr_db=draw_between(keys, self.snr_db),
            noise_key=fold_in(keys, 0),
            color=np.full(len(keys), self.color),
        )

    def apply(self, batch: Waveforms, parameters: AddNoiseParameters) -> Waveforms:
        """Make the noise of each clip, bring it to its ratio and add it."""
        samples = exact(batch, parameters)
        noise = colored_noise(parameters.noise_key, batch.shape[1], self.color, self.sample_rate, batch.device)
        return add_at_snr(samples, noise.to(samples.dtype), parameters.snr_db).to(batch.dtype)
