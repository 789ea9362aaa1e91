"""Begin with the weights of an earlier training, whose classes may be others."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from cohear.errors import UserError
from cohear.models import VGG

_LINEAR = ("linear.weight", "linear.bias")


@torch.no_grad()
def start_from(
    network: VGG, tensors: Mapping[str, Tensor], their_classes: Sequence[str], our_classes: Sequence[str]
) -> int:
    """Copy a trained network's state into another, the linear layer class by class; new classes keep their drawn rows.

    Args:
        network: changed in place; K rows in its linear layer.
        tensors: the state of the trained network.
        their_classes: what the rows of its linear layer stand for.
        our_classes: K classes.

    Returns:
        How many classes were taken over.

    Raises:
        UserError: where the networks differ in more than their classes.
    """
    state = network.state_dict()
    _check_fit(state, tensors, len(their_classes))
    for name in state.keys() - set(_LINEAR):
        state[name].copy_(tensors[name])
    theirs = {label: row for row, label in enumerate(their_classes)}
    shared = [(row, theirs[label]) for row, label in enumerate(our_classes) if label in theirs]
    for name in _LINEAR:
        for ours, their in shared:
            state[name][ours] = tensors[name][their]
    return len(shared)


def _check_fit(state: Mapping[str, Tensor], tensors: Mapping[str, Tensor], n_classes: int) -> None:
    """Refuse weights that differ in their names or, but for the number of classes, in their shapes."""
    for name in sorted(state.keys() ^ tensors.keys()):
        remedy = (
            "choose network.normalize_input as it was there"
            if name.startswith("input_norm.")
            else "give a run or a model of this version of cohear"
        )
        lack = f"lack '{name}'" if name in state else f"have '{name}', which this network has not"
        raise UserError(f"the weights to begin with {lack}; {remedy}")
    for name, ours in state.items():
        wanted = (n_classes, *ours.shape[1:]) if name in _LINEAR else tuple(ours.shape)
        given = tuple(tensors[name].shape)
        if given == wanted:
            continue
        if name in _LINEAR and given[1:] == wanted[1:]:
            raise UserError(f"the weights to begin with have {given[0]} classes and names for {n_classes}")
        raise UserError(
            f"the weights to begin with are of a network of another size, '{name}' has shape {_shape(given)} there and "
            f"{_shape(wanted)} here; choose network.width as it was there"
        )


def _shape(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes)) or "of a single number"
