"""The network of the paper: a VGG with batch norm, global pooling and one linear layer (section 4.2).

Eight 3x3 convolutions without bias, each followed by batch norm and ReLU; 2x2 pooling after each pair. The view axis,
and any other leading axis, is folded into the batch here and unfolded from the result here, nowhere else.
"""

import functools
import itertools
import math
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cohear.errors import UserError

FEATURE_MAPS = (64, 128, 256, 512)
"""Feature maps of the four blocks at width 1."""

MIN_FRAMES = 2 ** len(FEATURE_MAPS)
"""Fewest frames, and fewest bands, that survive the pooling."""

Pooling = Literal["max", "average"]


class VGG(nn.Module):
    """Map log-mel spectrograms to logits; 4.71 M parameters at 50 classes and width 1.

    Args:
        n_classes: K, > 1.
        width: factor on the feature maps, > 0; 1/8 gives 8 to 64 maps.
        pooling: of the 2x2 cells after each block.
        global_pooling: over all bands and frames before the linear layer.
        normalize_input: whether a one-channel batch norm comes first; it learns the level of the training clips, so
            that no statistics of other clips enter.
        generator: of the initial weights; None is torch's default generator.
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
        super().__init__()
        self.n_classes, self.global_pooling = n_classes, global_pooling
        self._program: Callable[[VGG, Tensor], Tensor] | None = None
        with torch.random.fork_rng(devices=[]):  # the layers' own first weights are drawn and replaced
            self.input_norm = nn.BatchNorm2d(1) if normalize_input else nn.Identity()
            widths = [1, *(max(1, round(n * width)) for n in FEATURE_MAPS)]
            self.blocks = nn.Sequential(*(_block(n_in, n_out, pooling) for n_in, n_out in itertools.pairwise(widths)))
            self.linear = nn.Linear(widths[-1], n_classes)
        self.initialize(generator)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] -- twice as fast on a CPU, and what tensor cores read

    def initialize(self, generator: torch.Generator | None = None) -> None:
        """Draw the weights anew: He et al. 2015 for the convolutions, a uniform fan-in rule for the linear layer."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
        bound = 1 / math.sqrt(self.linear.in_features)
        nn.init.uniform_(self.linear.weight, -bound, bound, generator=generator)
        nn.init.zeros_(self.linear.bias)

    def embed(self, log_mels: Float[Tensor, "*batch band frame"]) -> Float[Tensor, "*batch feature"]:
        """Return the penultimate layer's output, G(x) of the paper one layer below the logits.

        Raises:
            UserError: for spectrograms with fewer than 16 bands or frames.
        """
        *batch, n_bands, n_frames = log_mels.shape
        check_size(n_bands, n_frames)
        folded = log_mels.reshape(-1, 1, n_bands, n_frames)
        features = self._features(folded) if self._program is None else self._program(self, folded)
        return features.reshape(*batch, -1)

    def forward(self, log_mels: Float[Tensor, "*batch band frame"]) -> Float[Tensor, "*batch label"]:
        """Return logits, in float32 under autocast too: in bfloat16 they would have two digits."""
        return self.classify(self.embed(log_mels))

    def classify(self, embeddings: Float[Tensor, "*batch feature"]) -> Float[Tensor, "*batch label"]:
        """Return the logits of embeddings."""
        with torch.autocast(embeddings.device.type, enabled=False):
            return self.linear(embeddings.to(self.linear.weight.dtype))

    def compile_features(self, backend: str = "inductor") -> None:
        """Compile all but the linear layer; results change in their last bits.

        What is compiled sees the folded batch, so one program serves 40 clips of 3 views and 120 clips of one, and
        every other network of the same shape in this process.

        Args:
            backend: of `torch.compile`.
        """
        self._program = _compile(VGG._features, backend)

    def _features(self, folded: Float[Tensor, "signal 1 band frame"]) -> Float[Tensor, "signal feature"]:
        maps = self.blocks(self.input_norm(folded))
        return maps.mean((2, 3)) if self.global_pooling == "average" else maps.amax((2, 3))


@functools.lru_cache(maxsize=2)
def _compile(features: Callable[[VGG, Tensor], Tensor], backend: str) -> Callable[[VGG, Tensor], Tensor]:
    """Compile what every network runs: one program per shape, which belongs to no network."""
    return torch.compile(features, dynamic=False, backend=backend)


def check_size(n_bands: int, n_frames: int) -> None:
    """Make sure that a spectrogram survives the pooling.

    Raises:
        UserError: with fewer than 16 bands or frames.
    """
    remedies = []
    if n_bands < MIN_FRAMES:
        remedies.append("more bands (front_end.n_mels)")
    if n_frames < MIN_FRAMES:
        remedies.append("longer clips (data.clip_s) or a shorter front_end.hop_length")
    if remedies:
        raise UserError(
            f"a spectrogram of {n_bands} bands and {n_frames} frames is too small for the network, which "
            f"needs at least {MIN_FRAMES} of each; use {' and '.join(remedies)}"
        )


def _block(n_in: int, n_out: int, pooling: Pooling) -> nn.Sequential:
    pool = nn.MaxPool2d(2) if pooling == "max" else nn.AvgPool2d(2)
    return nn.Sequential(*_convolution(n_in, n_out), *_convolution(n_out, n_out), pool)


def _convolution(n_in: int, n_out: int) -> tuple[nn.Module, ...]:
    # No bias: the batch norm that follows would remove it.
    convolution = nn.Conv2d(n_in, n_out, kernel_size=3, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)
