"""One of each that cohear lets others add: a transform, a divergence, a network and an executor."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt64
from torch import Tensor, nn

from cohear.errors import UserError
from cohear.keys import uniform
from cohear.models.network import LogMelInput, Network
from cohear.objectives import Divergence
from cohear.runs.executors import OnProgress, Work
from cohear.runtime.interrupts import Interrupted
from cohear.transforms import Domain, Parameters, Transform


@dataclass(frozen=True, eq=False)
class ReversalParameters(Parameters):
    """Whether each clip is reversed."""

    is_reversed: Bool[np.ndarray, " batch"]

    def describe(self) -> list[str]:
        """Say `reversed` or `forwards`."""
        return ["reversed" if is_reversed else "forwards" for is_reversed in self.is_reversed]


@dataclass(frozen=True)
class Reversal(Transform[ReversalParameters]):
    """Play some clips backwards; in a recipe `reversal` or `reversal(probability=1)`."""

    domain: ClassVar[Domain] = "waveform"

    probability: float = 0.5
    """Of a clip to be reversed, 0 to 1."""

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> ReversalParameters:
        """Toss a coin for each key."""
        return ReversalParameters(uniform(keys, 1)[:, 0] < self.probability)

    def apply(self, batch: Float[Tensor, "batch sample"], parameters: ReversalParameters) -> Tensor:
        """Reverse the samples of those clips."""
        is_reversed = torch.from_numpy(parameters.is_reversed).to(batch.device)[:, None]
        return torch.where(is_reversed, batch.flip(-1), batch)


def hellinger_distance(log_probabilities: Float[Tensor, "view *batch outcome"]) -> Float[Tensor, "*batch"]:
    """Measure the squared Hellinger distance, 0 to 1: 1 minus the sum of sqrt(p q), the mean over pairs of views."""
    pairs = combinations(log_probabilities, 2)
    return torch.stack([1 - torch.logsumexp((log_p + log_q) / 2, -1).exp() for log_p, log_q in pairs]).mean(0)


HELLINGER = Divergence(hellinger_distance)


class ShallowFeatures(nn.Module):
    """Two convolutions, then the mean over bands and frames."""

    def __init__(self, n_features: int, generator: torch.Generator | None) -> None:
        super().__init__()
        self.n_features, self.input = n_features, LogMelInput(min_bands=4, min_frames=4)
        with torch.random.fork_rng(devices=[]):  # the layers' own first weights are drawn and replaced
            convolutions = [nn.Conv2d(1, n_features, 3, padding=1), nn.Conv2d(n_features, n_features, 3, padding=1)]
        for layer in convolutions:
            nn.init.kaiming_normal_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]
        pooled = [part for layer in convolutions for part in (layer, nn.ReLU(), nn.MaxPool2d(2))]
        self.layers = nn.Sequential(nn.BatchNorm2d(1), *pooled)

    def embed(self, inputs: Float[Tensor, "signal band frame"]) -> Float[Tensor, "signal feature"]:
        """Return the mean of the last maps."""
        return self.layers(inputs[:, None]).mean((2, 3))


def build_shallow(argument: str, settings: Mapping[str, Any], generator: torch.Generator | None) -> Network:
    """Make the network `shallow`, or with so many features `shallow:16`."""
    if not (argument or "8").isdecimal():
        raise UserError(f"the network 'shallow' has a number of features, as 'shallow:16', and no '{argument}'")
    return ShallowFeatures(int(argument or 8), generator)


def run_backwards(work: Work, n_jobs: int | None, on_progress: OnProgress, deadline_s: float | None) -> list[str]:
    """Do the pieces one by one, the last one first."""
    failures = list[str]()
    for n_done, index in enumerate(reversed(range(len(work))), 1):
        try:
            work.do(index, lambda _share: None, deadline_s)
        except UserError as error:
            failures.append(f"{work.name(index)}: {error}")
        except Interrupted as stopped:
            if stopped.signal_number is None:  # the time is used up
                break
            raise
        on_progress(n_done, n_done - len(failures))
    return failures
