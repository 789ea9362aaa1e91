"""A moving average of the weights over the steps of a training, which is measured and kept in place of the last ones.

Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI 2018; with exponential
weights, as in Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import torch
from jaxtyping import Float32
from torch import Tensor, nn


class WeightAverage:
    """The average of a network's weights and batch-norm statistics.

    With step n, counted from 0, it keeps min(1 - 1 / n_steps, (1 + n) / (10 + n)) of what it was, so that it soon
    forgets the weights that training began with.

    Args:
        network: on its device.
        n_steps: how far it reaches back; fewer than one: no further than the last step.
        state: to go on from; empty: the network as it is.
    """

    def __init__(self, network: nn.Module, n_steps: float, state: Mapping[str, Tensor] = MappingProxyType({})) -> None:
        self._network, self._decay = network, 1 - 1 / max(n_steps, 1)
        own = network.state_dict()
        self.state = {name: tensor.detach().clone() for name, tensor in own.items()}
        for name, tensor in state.items():
            self.state[name].copy_(tensor)
        self._pairs = [(self.state[name], tensor) for name, tensor in own.items()]

    @property
    def statistics(self) -> list[Tensor]:
        """Those of the batch norms."""
        return [self.state[name] for name, _ in self._network.named_buffers() if name in self.state]

    @torch.no_grad()
    def update(self, step: int, bad: Float32[Tensor, ""]) -> None:
        """Take the weights after a step in.

        Args:
            step: of the whole training, counted from 0.
            bad: 1 where the step was dropped, and the average stays as it is; else 0. On the network's device.
        """
        share = (1 - bad) * (1 - min(self._decay, (1 + step) / (10 + step)))
        for average, tensor in self._pairs:
            if tensor.is_floating_point():
                average.lerp_(tensor, share.to(tensor.dtype))
            else:  # the count of batches
                average.copy_(tensor)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the network have the average meanwhile."""
        own = {name: tensor.detach().clone() for name, tensor in self._network.state_dict().items()}
        self._network.load_state_dict(self.state)
        try:
            yield
        finally:
            self._network.load_state_dict(own)
