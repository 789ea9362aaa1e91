"""What a network is, what stands before it, the linear layer that makes a classifier of any, and networks by name.

A network turns what it hears into features; it says what it needs to hear, and how many features it gives. The linear
layer, called the head, is the same for all. The view axis, and any other leading axis, is folded into the batch here
and unfolded from the result here, nowhere else.

A name may go on after a colon, `timm:resnet10t`: what follows is the builder's to read.
"""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from cohear.errors import UserError
from cohear.registry import Registry

Samples = TypeVar("Samples", int, np.ndarray)


@dataclass(frozen=True)
class LogMelInput:
    """A network hears log-mel spectrograms `[signal, band, frame]`, dB."""

    min_bands: int = 1
    min_frames: int = 1
    """Fewer are more than the network's pooling survives."""
    most_bands: int | None = None
    most_frames: int | None = None
    """More than a transformer has places for; None: any number."""

    def check(self, n_bands: int | torch.SymInt, n_frames: int | torch.SymInt) -> None:
        """Make sure that spectrograms are large enough, and not too large.

        Raises:
            UserError: where they have too few or too many bands or frames.
        """
        for n, least, most, what, setting in (
            (n_bands, self.min_bands, self.most_bands, "bands", "front_end.n_mels"),
            (n_frames, self.min_frames, self.most_frames, "frames", "data.clip_s or front_end.hop_length"),
        ):
            if n < least or (most is not None and n > most):
                allowed = f"at least {least}" if n < least else f"at most {most}"
                raise UserError(f"a clip has {n} {what}, and the network hears {allowed}; change {setting}")


if TYPE_CHECKING:
    from cohear.models.encoder import Encoder
    from cohear.models.log_mel import LogMel

    FrontEnd = LogMel | Encoder
else:
    FrontEnd = nn.Module
"""Log-mel spectrograms, or the embeddings of a frozen encoder."""


@runtime_checkable
class Network(Protocol):
    """An `nn.Module` with these: whatever has them can be trained, used, packed and exported.

    A network that also has `parameter_blocks()`, the names of its parameters in groups from the input to the features,
    can be trained in its last blocks only, and at rates that fall towards the input.
    """

    n_features: int
    input: LogMelInput
    """What `embed` takes."""

    def embed(self, inputs: Float[Tensor, "signal band frame"]) -> Float[Tensor, "signal feature"]:
        """Return what the head sees: G(x) of the paper, one layer below the logits."""
        ...


class NetworkWithHead(nn.Module):
    """A network and one linear layer: log-mel spectrograms to logits.

    Args:
        body: the network, an `nn.Module` whose weights are drawn already.
        n_classes: K, >= 1.
        generator: of the head's initial weights; None is torch's default generator.
    """

    def __init__(self, body: Network, n_classes: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.body, self.n_classes = body, n_classes
        self._program: Callable[[Any, Tensor], Tensor] | None = None
        with torch.random.fork_rng(devices=[]):  # the layer's own first weights are drawn and replaced
            self.head = nn.Linear(body.n_features, n_classes)
        bound = 1 / math.sqrt(body.n_features)
        nn.init.uniform_(self.head.weight, -bound, bound, generator=generator)
        nn.init.zeros_(self.head.bias)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] -- twice as fast on a CPU, and what tensor cores read

    def forward(self, log_mels: Float[Tensor, "*batch band frame"]) -> Float[Tensor, "*batch label"]:
        """Return logits, in float32 under autocast too: in bfloat16 they would have two digits."""
        return self.classify(self.embed(log_mels))

    def embed(self, log_mels: Float[Tensor, "*batch band frame"]) -> Float[Tensor, "*batch feature"]:
        """Return the network's features.

        Raises:
            UserError: for spectrograms that are too small.
        """
        *batch, n_bands, n_frames = log_mels.shape
        self.body.input.check(n_bands, n_frames)
        folded = log_mels.reshape(-1, n_bands, n_frames)
        features = self.body.embed(folded) if self._program is None else self._program(self.body, folded)
        return features.reshape(*batch, self.body.n_features)

    def train(self, mode: bool = True) -> "NetworkWithHead":
        """Set what is trained, and not what is frozen, to training."""
        super().train(mode)
        for module in self.modules():
            its = list(module.parameters())
            if mode and its and not any(parameter.requires_grad for parameter in its):
                module.eval()
        return self

    def parameter_blocks(self) -> list[list[str]]:
        """Return the names of all parameters in groups from the input to the logits.

        The last group is the head, and with it what the body names in no block, as the norm of its input: that is of
        the sounds that are trained on, whatever the other weights come from.
        """
        body: Any = self.body
        of_body = (
            body.parameter_blocks()
            if hasattr(body, "parameter_blocks")
            else [[name for name, _ in body.named_parameters()]]
        )
        named = [[f"body.{name}" for name in block] for block in of_body if block]
        known = {name for block in named for name in block}
        return [*named, [name for name, _ in self.named_parameters() if name not in known]]

    def train_last(self, n_blocks: int) -> None:
        """Keep all weights and statistics as they are, but those of the last blocks of the body and of the head.

        Raises:
            UserError: where the body has fewer.
        """
        *of_body, _ = self.parameter_blocks()
        if n_blocks > len(of_body):
            raise UserError(
                f"the network has {len(of_body)} blocks, and {n_blocks} of them were to be trained; lower "
                "network.trained_blocks, or leave it out for all"
            )
        parameters = dict(self.named_parameters())
        for name in (name for block in of_body[: len(of_body) - n_blocks] for name in block):
            parameters[name].requires_grad_(False)

    def classify(self, embeddings: Float[Tensor, "*batch feature"]) -> Float[Tensor, "*batch label"]:
        """Return the logits of embeddings."""
        with torch.autocast(embeddings.device.type, enabled=False):
            return self.head(embeddings.to(self.head.weight.dtype))

    def compile_features(self, backend: str = "inductor") -> None:
        """Compile all but the head; results change in their last bits.

        What is compiled sees the folded batch, so one program serves 40 clips of 3 views and 120 clips of one, and
        every other network of the same kind and shape in this process.

        Args:
            backend: of `torch.compile`.
        """
        self._program = _compile(type(self.body).embed, backend)


@functools.lru_cache(maxsize=2)
def _compile(embed: Callable[[Any, Tensor], Tensor], backend: str) -> Callable[[Any, Tensor], Tensor]:
    """Compile what every network of a class runs: one program per shape, which belongs to no network."""
    return torch.compile(embed, dynamic=False, backend=backend)


def blocks_of(network: nn.Module, blocks: Iterable[Iterable[nn.Module]]) -> list[list[str]]:
    """Return the names of a network's parameters by block; the norm of its input is left out.

    Args:
        network: all of it.
        blocks: the modules of each; what lies in none of them comes before the first.
    """
    block_of = {id(p): at for at, block in enumerate(blocks, 1) for module in block for p in module.parameters()}
    names: list[list[str]] = [[] for _ in range(1 + max(block_of.values(), default=0))]
    for name, parameter in network.named_parameters():
        if not name.startswith("input_norm."):
            names[block_of.get(id(parameter), 0)].append(name)
    return names


def parameter_groups(network: nn.Module, layer_decay: float = 1.0) -> list[dict[str, Any]]:
    """Return what an optimizer trains of a network: `params`, and `rate`, the factor of their learning rate.

    Args:
        network: of which what is frozen is left out.
        layer_decay: the rate of a block is that of the block after it times this; above 0, at most 1.
    """
    if layer_decay == 1 or not isinstance(network, NetworkWithHead):
        return [{"params": [p for p in network.parameters() if p.requires_grad], "rate": 1.0}]
    parameters, groups = dict(network.named_parameters()), list[dict[str, Any]]()
    for depth, block in enumerate(reversed(network.parameter_blocks())):
        trained = [parameters[name] for name in block if parameters[name].requires_grad]
        groups += [{"params": trained, "rate": layer_decay**depth}] if trained else []
    return groups


@contextmanager
def drawn_with(generator: torch.Generator | None) -> Iterator[None]:
    """Let a library that draws weights by torch's default generator draw those of another's next number."""
    seed = int(torch.randint(2**62, (), generator=generator, device="cpu"))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # and not that of every GPU, as `torch.manual_seed` does
        yield


class Builder(Protocol):
    """What makes a network of a name."""

    def __call__(self, argument: str, settings: Mapping[str, Any], generator: torch.Generator | None) -> Network:
        """Make a network.

        Args:
            argument: what follows the colon of the name; empty where there is none.
            settings: the other fields of the configuration's `network` section, and `n_bands` of what it hears; those
                that mean nothing to this network are left alone.
            generator: draws the initial weights; None is torch's default generator. No other random state is touched.

        Raises:
            UserError: where the argument or a setting is of no use.
        """
        ...


NETWORKS: Registry[Builder] = Registry(
    "network",
    "cohear.networks",
    {
        "vgg": "cohear.models.vgg:build_vgg",
        "timm": "cohear.models.timm_features:build_timm",
        "encoder": "cohear.models.probe:build_probe",
        "transformers": "cohear.models.audio_transformers:build_transformer",
    },
)
"""Builders by name."""


def build_network(
    name: str, settings: Mapping[str, Any], n_classes: int, generator: torch.Generator | None = None
) -> NetworkWithHead:
    """Make a network of a name with a head; the weights of the network are drawn first, then those of the head.

    Under `torch.device("meta")` nothing is drawn or computed: names and shapes of its weights are there, and what it
    needs.

    Args:
        name: as `vgg` or `timm:resnet10t`.
        settings: as `Builder` takes them.
        n_classes: K.
        generator: draws the initial weights.

    Raises:
        UserError: for an unknown name, or settings that are of no use.
    """
    base, _, argument = name.partition(":")
    return NetworkWithHead(NETWORKS[base](argument, settings, generator), n_classes, generator)
