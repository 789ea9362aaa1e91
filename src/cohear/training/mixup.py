"""Mixup: clips of a batch heard two at a time, with the labels of both.

Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018, on log-mels in dB. All views of a clip are mixed
with those of one partner by one share. So they are views of one mixture, and that they agree is as sensible as it is
for the views of a clip.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from cohear import keys
from cohear.tensors import on_device


@dataclass(frozen=True)
class Mixture:
    """Who is mixed with whom, and by how much."""

    partners: Int64[np.ndarray, " batch"]
    """Places in the batch; a clip may be its own."""
    shares: Float64[np.ndarray, " batch"]
    """Of the clip itself, in [0, 1]; its partner has the rest."""

    def needs(self, places: Int64[np.ndarray, " place"]) -> Int64[np.ndarray, " heard"]:
        """Return what must be heard to mix some places: these and their partners, sorted."""
        return np.union1d(places, self.partners[places])

    def mix(
        self, heard: Float[Tensor, "*view heard feature"], places: Int64[np.ndarray, " place"]
    ) -> Float[Tensor, "*view place feature"]:
        """Mix some places.

        Args:
            heard: values of what `needs` returns for them, along the last axis but one.
            places: in the batch.
        """
        there = self.needs(places)
        own, other = (on_device(np.searchsorted(there, row), heard.device) for row in (places, self.partners[places]))
        shares = on_device(self.shares[places], heard.device, heard.dtype)[:, None]
        return torch.lerp(heard.index_select(-2, other), heard.index_select(-2, own), shares)


def draw_mixture(seed: int, epoch: int, step: int, n_items: int, concentration: float) -> Mixture:
    """Draw a step's partners, a permutation of its items, and shares.

    Args:
        seed: of the run.
        epoch: counted from 0.
        step: of the epoch, counted from 0.
        n_items: of the step.
        concentration: of the shares, > 0, alpha of Zhang et al.: they are drawn from Beta(alpha, alpha).
    """
    step_key = keys.fold_in(keys.fold_in(keys.key(seed, "mixup"), epoch), step)
    partners_key, shares_key = (keys.fold_in(step_key, number) for number in range(2))
    shares = np.random.Generator(np.random.Philox(int(shares_key))).beta(concentration, concentration, n_items)
    return Mixture(keys.permutation(partners_key, n_items), shares)
