"""Which tensors a network of some settings has, told without torch, so that weights can be checked before it is built.

It repeats what `cohear.models.VGG` builds; a test compares the two.
"""

import itertools

import numpy as np
from numpy.typing import DTypeLike

from cohear.experiments.config import NetworkConfig

_FEATURE_MAPS = (64, 128, 256, 512)

Tensors = dict[str, tuple[tuple[int, ...], DTypeLike]]


def weight_shapes(network: NetworkConfig, n_classes: int) -> Tensors:
    """Return the shape and type of every tensor of a network's state, by name.

    Args:
        network: its width, and whether it normalizes its input.
        n_classes: answers of the linear layer.
    """
    tensors = _batch_norm("input_norm", 1) if network.normalize_input else {}
    widths = [1, *(max(1, round(n * network.width)) for n in _FEATURE_MAPS)]
    for block, (n_in, n_out) in enumerate(itertools.pairwise(widths)):
        for layer, n_before in ((0, n_in), (3, n_out)):
            tensors[f"blocks.{block}.{layer}.weight"] = (n_out, n_before, 3, 3), np.float32
            tensors |= _batch_norm(f"blocks.{block}.{layer + 1}", n_out)
    tensors["linear.weight"] = (n_classes, widths[-1]), np.float32
    tensors["linear.bias"] = (n_classes,), np.float32
    return tensors


def _batch_norm(name: str, n_maps: int) -> Tensors:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {
        **{f"{name}.{part}": ((n_maps,), np.float32) for part in parts},
        f"{name}.num_batches_tracked": ((), np.int64),
    }
