"""Checkpoints: weights, optimizer state and progress in one file, so that none of them can lack another.

The weights of the best epoch are in it too, where training may go back to them: a file of their own could be newer
than the progress that names the epoch. Randomness is functional, so a checkpoint holds no random state: seed, epoch
and step say everything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cohear.errors import UserError
from cohear.runtime.files import write_bytes
from cohear.runtime.reading import read_plain
from cohear.runtime.sealed_tensors import seal, unseal
from cohear.training.checkpoint_files import MOST_BYTES, Refused, checkpoint_bytes, read_newest, write_checkpoint

_MAKE_AGAIN = "or remove metrics.json beside it and go on with --resume"
_NETWORK, _OPTIMIZER, _BEST = "network.", "optimizer.", "best."


@dataclass(frozen=True)
class Restored:
    """What a run goes on from."""

    progress: dict[str, Any]
    """As it was saved."""
    best: dict[str, Tensor]
    """The network's state after its best epoch; empty where that was not wanted."""
    refused: list[Refused]
    """Newer checkpoints that cannot be used."""
    digest: bytes
    """Of the checkpoint, eight bytes."""


def save_checkpoint(
    folder: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: dict[str, Any],
    best: Mapping[str, Tensor] = MappingProxyType({}),
) -> None:
    """Write the run's newest checkpoint; the one before stays beside it.

    Args:
        folder: the run folder.
        network: its whole state dict is saved.
        optimizer: its per-parameter state is saved; its options come from the configuration.
        progress: JSON values, kept exactly; `epoch`, `step` and the run's `identity` among them.
        best: the network's state after its best epoch, where that is wanted at the end.

    Raises:
        UserError: where the disk is full or the place cannot be written.
    """
    tensors = {f"{_NETWORK}{name}": tensor for name, tensor in network.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"{_OPTIMIZER}{index}.{name}": value for name, value in state.items()}
    tensors |= {f"{_BEST}{name}": tensor for name, tensor in best.items()}
    write_checkpoint(folder, progress["epoch"], progress["step"], checkpoint_bytes(progress, _plain(tensors)))


def load_checkpoint(
    folder: Path, network: nn.Module, optimizer: torch.optim.Optimizer, identity: str
) -> Restored | None:
    """Restore network and optimizer in place from the newest checkpoint that is whole; None where there is none.

    Args:
        folder: the run folder.
        network: of the run.
        optimizer: of the network.
        identity: what the run is known by; checkpoints of another one are refused.

    Raises:
        UserError: where there are checkpoints and none of them can be read, or it does not fit the network.
    """
    checkpoint, refused = read_newest(folder, identity)
    if checkpoint is None:
        return None
    tensors = _tensors(checkpoint.tensors)
    try:
        _restore(network, optimizer, tensors)
    except (KeyError, ValueError, IndexError, RuntimeError) as error:
        raise UserError(
            f"the checkpoint in '{folder}' is of another network ({_reason(error)}); remove the run folder to start "
            "afresh"
        ) from error
    return Restored(checkpoint.progress, _part(tensors, _BEST), refused, checkpoint.digest)


def save_weights(path: Path, network: nn.Module, about: dict[str, str]) -> None:
    """Write a network's state dict, equal bytes for equal weights."""
    write_bytes(path, seal(_plain(network.state_dict()), about))


def load_weights(path: Path, network: nn.Module) -> None:
    """Read a network's state dict, strictly.

    Raises:
        UserError: where the file is missing, damaged, or of another network.
    """
    if not path.exists():
        raise UserError(f"the weights '{path}' are missing; copy them there, {_MAKE_AGAIN}")
    try:
        tensors = _tensors(unseal(read_plain(path, MOST_BYTES))[0])
    except (ValueError, OSError) as error:
        raise UserError(
            f"the weights '{path}' cannot be used ({_reason(error)}); copy the file again, {_MAKE_AGAIN}"
        ) from error
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise UserError(
            f"the weights '{path}' cannot be used, they are of another network ({_reason(error)}); copy those of this "
            f"run there, {_MAKE_AGAIN}"
        ) from error


def _plain(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}


def _tensors(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _reason(error: Exception) -> str:
    """Word an error in one line: torch heads a list of all tensors that do not fit, the first says enough."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[:2][-1].rstrip(".") if lines else type(error).__name__


def _restore(network: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    network.load_state_dict(_part(tensors, _NETWORK))
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _part(tensors, _OPTIMIZER).items():
        index, field = name.split(".")
        state.setdefault(int(index), {})[field] = tensor
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, fields in state.items():
        for field, tensor in fields.items():
            if tensor.shape == parameters[index].shape:  # the moments lie in memory as their parameter does
                fields[field] = torch.empty_like(parameters[index]).copy_(tensor)
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
