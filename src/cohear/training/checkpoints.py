"""Checkpoints: weights, optimizer state and progress in one file, so that none of them can lack another.

The weights of the best epoch are in it too, where training may go back to them: a file of their own could be newer
than the progress that names the epoch. Randomness is functional, so a checkpoint holds no random state: seed, epoch
and step say everything.

A run goes on from its newest checkpoint that can be used. Of several processes the first one reads it and gives it to
the others, so that all go on from the same one, whatever their disks would say.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from cohear.errors import UserError
from cohear.runtime import disk
from cohear.runtime.files import explain_disk_errors, read_plain, write_bytes
from cohear.runtime.sealed_tensors import seal, unseal
from cohear.training.checkpoint_files import (
    MOST_BYTES,
    parse_checkpoint,
    read_newest,
    refusal,
    remove_old_checkpoints,
    write_checkpoint,
)

_log = logging.getLogger(__name__)
_NETWORK, _OPTIMIZER, _BEST = "network.", "optimizer.", "best."


@dataclass(frozen=True)
class Restored:
    """What a run goes on from."""

    progress: dict[str, Any]
    """As it was saved."""
    best: dict[str, Tensor]
    """The network's state after its best epoch; empty where that was not wanted."""


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
    write_checkpoint(folder, progress["epoch"], progress["step"], seal(_plain(tensors), progress))


def resume(
    folder: Path, network: nn.Module, optimizer: torch.optim.Optimizer, identity: str, fabric: Fabric
) -> Restored | None:
    """Restore network and optimizer in place from the run's newest checkpoint; None where there is none.

    Args:
        folder: the run folder.
        network: of the run.
        optimizer: of the network.
        identity: what the run is known by; checkpoints of another one are refused.
        fabric: launched.

    Raises:
        UserError: where there are checkpoints and none of them can be used, or it does not fit the network; in all
            processes.
    """
    data, error = b"", None
    if fabric.is_global_zero:
        try:
            data = _read(folder, identity)
        except UserError as raised:  # the others wait to hear of it
            error = raised
    data, error = fabric.broadcast((data, error))
    if error is not None:
        raise error
    if not data:
        return None
    found = parse_checkpoint(data)
    tensors = _tensors(found.tensors)
    try:
        _restore(network, optimizer, tensors)
    except (KeyError, ValueError, IndexError, RuntimeError) as error:
        raise UserError(
            f"the checkpoint in '{folder}' is of another network ({_reason(error)}); remove the run folder to start "
            "afresh"
        ) from error
    return Restored(found.progress, _part(tensors, _BEST))


def _read(folder: Path, identity: str) -> bytes:
    """Read the newest checkpoint and say from where the run goes on; nothing where there is none.

    Newer ones that cannot be used are renamed: under their names they would be counted as checkpoints of this run, and
    push its own out.
    """
    checkpoint, refused = read_newest(folder, identity)
    if checkpoint is None:
        if disk.exists(folder / "history.jsonl"):
            _log.warning("there is no checkpoint in '%s', though training had begun: it begins again", folder)
        return b""
    for path, reason in refused:
        aside = path.with_name(f"{path.name}.refused")
        _log.warning("%s; the one before is used, and it is kept as '%s'", refusal(path, reason), aside.name)
        with explain_disk_errors(path):
            disk.rename(path, aside)
    _log.info("going on from epoch %d, step %d", checkpoint.progress["epoch"], checkpoint.progress["step"])
    remove_old_checkpoints(folder)  # what a kill left over
    return checkpoint.data


def save_weights(path: Path, network: nn.Module, about: dict[str, str]) -> None:
    """Write a network's state dict, equal bytes for equal weights."""
    write_bytes(path, seal(_plain(network.state_dict()), about))


def load_weights(path: Path, network: nn.Module) -> None:
    """Read a network's state dict, strictly.

    Raises:
        UserError: where the file is missing, damaged, or of another network.
    """
    try:
        network.load_state_dict(_tensors(unseal(read_plain(path, MOST_BYTES))[0]))
    except (ValueError, OSError, RuntimeError) as error:
        kind = "they are of another network: " if isinstance(error, RuntimeError) else ""
        raise UserError(
            f"the weights '{path}' cannot be used ({kind}{_reason(error)}); copy those of this run there again, or "
            "remove metrics.json beside them and go on with --resume"
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
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _part(tensors, _OPTIMIZER).items():
        index, field = name.split(".")
        parameter = parameters[int(index)]
        if tensor.shape == parameter.shape:  # the moments lie in memory as their parameter does
            tensor = torch.empty_like(parameter).copy_(tensor)
        state.setdefault(int(index), {})[field] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
