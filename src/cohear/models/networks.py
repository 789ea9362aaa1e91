"""The networks by name: the seam at which another one is put in.

A name may go on after a colon, `timm:resnet10t`: what follows is the builder's to read.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import torch

from cohear.errors import UserError
from cohear.models.network import Network, NetworkWithHead
from cohear.models.vgg import VGGFeatures
from cohear.registry import Registry


class Builder(Protocol):
    """What makes a network of a name."""

    def __call__(self, argument: str, settings: Mapping[str, Any], generator: torch.Generator | None) -> Network:
        """Make a network.

        Args:
            argument: what follows the colon of the name; empty where there is none.
            settings: the other fields of the configuration's `network` section; those that mean nothing to this
                network are left alone.
            generator: draws the initial weights; None is torch's default generator. No other random state is touched.

        Raises:
            UserError: where the argument or a setting is of no use.
        """
        ...


def _build_vgg(argument: str, settings: Mapping[str, Any], generator: torch.Generator | None) -> Network:
    if argument:
        raise UserError(f"the network 'vgg' takes no ':{argument}'; its size is network.width")
    names = ("width", "pooling", "global_pooling", "normalize_input")
    return VGGFeatures(**{name: settings[name] for name in names}, generator=generator)


NETWORKS: Registry[Builder] = Registry(
    "network", "cohear.networks", {"vgg": _build_vgg, "timm": "cohear.models.timm_features:build_timm"}
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
