"""What stands before a network: waveforms in, what the network hears out; it learns nothing."""

from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int16
from torch import Tensor

Samples = TypeVar("Samples", int, np.ndarray)


@runtime_checkable
class FrontEnd(Protocol):
    """An `nn.Module` without weights: log-mel spectrograms, or the embeddings of a frozen encoder."""

    sample_rate: int
    """Hz, of the waveforms."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    @property
    def n_bands(self) -> int:
        """Rows of what it gives: mel bands, or features."""
        ...

    def __call__(self, waveforms: Float[Tensor, "*batch time"]) -> Float[Tensor, "*batch band frame"]:
        """Return what the network hears."""
        ...

    def n_frames(self, n_samples: Samples) -> Samples:
        """Return how many frames a waveform of `n_samples` gives, or each of several."""
        ...

    def least_samples(self, n_frames: int) -> int:
        """Return the fewest samples that give so many frames and are heard whole."""
        ...

    def to_kept(self, inputs: Float[Tensor, "*axes"]) -> Int16[np.ndarray, "*axes"]:
        """Round to the 16 bits in which it is kept."""
        ...

    def from_kept(self, kept: Int16[np.ndarray, "*axes"]) -> Float[Tensor, "*axes"]:
        """Return what `to_kept` rounded, on the device."""
        ...

    def to(self, device: torch.device | str) -> "FrontEnd":
        """Move it to a device, in place."""
        ...
