"""The network of the paper: a VGG with batch norm and global pooling (section 4.2).

Eight 3x3 convolutions without bias, each followed by batch norm and ReLU; 2x2 pooling after each pair.
"""

import itertools
from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cohear.errors import UserError
from cohear.models.network import LogMelInput, Network, NetworkWithHead, blocks_of

FEATURE_MAPS = (64, 128, 256, 512)
"""Feature maps of the four blocks at width 1."""

_LEAST_SIDE = 2 ** len(FEATURE_MAPS)
"""Fewest frames, and fewest bands, that survive the pooling."""

Pooling = Literal["max", "average"]


class VGGFeatures(nn.Module):
    """The VGG without its linear layer.

    Args:
        width: factor on the feature maps, > 0; 1/8 gives 8 to 64 maps.
        pooling: of the 2x2 cells after each block.
        global_pooling: over all bands and frames before the linear layer.
        normalize_input: whether a one-channel batch norm comes first; it learns the level of the training clips, so
            that no statistics of other clips enter.
        generator: of the initial weights (He et al. 2015); None is torch's default generator.
    """

    def __init__(
        self,
        width: float = 1.0,
        pooling: Pooling = "max",
        global_pooling: Pooling = "average",
        normalize_input: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        widths = [1, *(max(1, round(n * width)) for n in FEATURE_MAPS)]
        self.n_features, self.input = widths[-1], LogMelInput(_LEAST_SIDE, _LEAST_SIDE)
        self.global_pooling = global_pooling
        with torch.random.fork_rng(devices=[]):  # the layers' own first weights are drawn and replaced
            self.input_norm = nn.BatchNorm2d(1) if normalize_input else nn.Identity()
            self.blocks = nn.Sequential(*(_block(n_in, n_out, pooling) for n_in, n_out in itertools.pairwise(widths)))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)

    def embed(self, inputs: Float[Tensor, "signal band frame"]) -> Float[Tensor, "signal feature"]:
        """Return the pooled maps of the last block."""
        maps = self.blocks(self.input_norm(inputs[:, None]))
        return maps.mean((2, 3)) if self.global_pooling == "average" else maps.amax((2, 3))

    def parameter_blocks(self) -> list[list[str]]:
        """Return the names of the parameters by block."""
        return blocks_of(self, [[block] for block in self.blocks])


def build_vgg(argument: str, settings: Mapping[str, Any], generator: torch.Generator | None) -> Network:
    """Make the VGG of a configuration's `network` section."""
    if argument:
        raise UserError(f"the network 'vgg' takes no ':{argument}'; its size is network.width")
    names = ("width", "pooling", "global_pooling", "normalize_input")
    return VGGFeatures(**{name: settings[name] for name in names}, generator=generator)


class VGG(NetworkWithHead):
    """Map log-mel spectrograms to logits; 4.71 M parameters at 50 classes and width 1.

    Args:
        n_classes: K, >= 1.
        width: as of `VGGFeatures`.
        pooling: as of `VGGFeatures`.
        global_pooling: as of `VGGFeatures`.
        normalize_input: as of `VGGFeatures`.
        generator: of the initial weights: the convolutions', then the head's.
    """

    def __init__(
        self,
        n_classes: int = 50,
        width: float = 1.0,
        pooling: Pooling = "max",
        global_pooling: Pooling = "average",
        normalize_input: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        features = VGGFeatures(width, pooling, global_pooling, normalize_input, generator)
        super().__init__(features, n_classes, generator)


def _block(n_in: int, n_out: int, pooling: Pooling) -> nn.Sequential:
    first, (convolution, norm, relu) = _convolution(n_in, n_out), _convolution(n_out, n_out)
    if pooling == "average":
        return nn.Sequential(*first, convolution, norm, relu, nn.AvgPool2d(2))
    # The largest of rectified values is the largest, rectified: the same bits and gradients from a quarter of the work.
    return nn.Sequential(*first, convolution, norm, nn.MaxPool2d(2), relu)


def _convolution(n_in: int, n_out: int) -> tuple[nn.Module, ...]:
    # No bias: the batch norm that follows would remove it.
    convolution = nn.Conv2d(n_in, n_out, kernel_size=3, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)
