"""What stands on a frozen encoder before the head: a batch norm, and where it is wanted one hidden layer."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cohear.errors import UserError
from cohear.models.network import LogMelInput, Network


class Probe(nn.Module):
    """Turn embeddings into features.

    Args:
        n_inputs: numbers of an embedding.
        n_hidden: of a hidden layer with ReLU; 0: there is none, and the features are the embedding.
        normalize_input: whether a one-channel batch norm comes first, as in the VGG: one scale for all numbers, since
            those that hardly vary say little.
        generator: of the hidden layer's initial weights (He et al. 2015).
    """

    def __init__(
        self,
        n_inputs: int,
        n_hidden: int = 0,
        normalize_input: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.input, self.n_features = LogMelInput(n_inputs), n_hidden or n_inputs
        self.input_norm = nn.BatchNorm1d(1) if normalize_input else nn.Identity()
        self.hidden: nn.Module = nn.Identity()
        if n_hidden:
            with torch.random.fork_rng(devices=[]):  # the layer's own first weights are drawn and replaced
                layer = nn.Linear(n_inputs, n_hidden)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)
            self.hidden = nn.Sequential(layer, nn.ReLU())

    def embed(self, inputs: Float[Tensor, "signal band frame"]) -> Float[Tensor, "signal feature"]:
        """Return the features; several frames are averaged."""
        return self.hidden(self.input_norm(inputs.mean(-1)[:, None])[:, 0])


def build_probe(argument: str, settings: Mapping[str, Any], generator: torch.Generator | None) -> Network:
    """Make what stands on an encoder, of a configuration's `network` section and `n_bands`."""
    if argument:
        raise UserError(f"the network 'encoder' takes no ':{argument}'; the encoder's file is --encoder FILE.onnx")
    return Probe(settings["n_bands"], settings["hidden"], settings["normalize_input"], generator)
