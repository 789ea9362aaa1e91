"""Checkpoints: weights, optimizer state and progress in one safetensors file, so that none can lack another.

The weights of the best epoch are in it too, where training may go back to them: a file of their own could be newer
than the progress that names the epoch. Randomness is functional, so a checkpoint holds no random state: seed, epoch
and step say everything.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from cohear.errors import UserError
from cohear.runtime.files import explain_disk_errors, write_bytes

_BEST = "best."


def checkpoint_path(folder: Path) -> Path:
    """Return where a run keeps its newest checkpoint."""
    return folder / "checkpoint" / "latest.safetensors"


def save_checkpoint(
    folder: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: dict[str, Any],
    best: Mapping[str, Tensor] = MappingProxyType({}),
) -> None:
    """Replace the run's checkpoint.

    Args:
        folder: the run folder.
        network: its whole state dict is saved.
        optimizer: its per-parameter state is saved; its options come from the configuration.
        progress: JSON values, kept exactly.
        best: the network's state after its best epoch, where that is wanted at the end.
    """
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
    tensors |= {f"{_BEST}{name}": tensor for name, tensor in best.items()}
    path = checkpoint_path(folder)
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, save(_plain(tensors), {"progress": json.dumps(progress, allow_nan=False)}))


def load_checkpoint(folder: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
    """Restore network and optimizer in place and return the progress; None where no checkpoint is.

    Raises:
        UserError: where the checkpoint cannot be read or does not fit the network.
    """
    path = checkpoint_path(folder)
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as archive:
            progress = json.loads(archive.metadata()["progress"])
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
        _restore(network, optimizer, tensors)
    except (SafetensorError, OSError, KeyError, TypeError, RuntimeError, json.JSONDecodeError) as error:
        raise UserError(
            f"the checkpoint '{path}' cannot be used ({_reason(error)}); remove the run folder to start afresh"
        ) from error
    return progress


def load_best(folder: Path) -> dict[str, Tensor]:
    """Return the network's state after its best epoch, as the checkpoint has it; empty where it has none."""
    path = checkpoint_path(folder)
    if not path.exists():
        return {}
    with safe_open(path, framework="pt") as archive:
        names = [name for name in archive.keys() if name.startswith(_BEST)]  # noqa: SIM118
        return {name.removeprefix(_BEST): archive.get_tensor(name) for name in names}


def save_weights(path: Path, network: nn.Module, metadata: dict[str, str]) -> None:
    """Write a network's state dict, equal bytes for equal weights."""
    write_bytes(path, save(_plain(network.state_dict()), metadata))


def load_weights(path: Path, network: nn.Module) -> None:
    """Read a network's state dict, strictly.

    Raises:
        UserError: where the file is missing, damaged, or of another network.
    """
    if not path.exists():
        raise UserError(f"the weights '{path}' are missing; copy them there, or train the run again")
    try:
        with safe_open(path, framework="pt") as archive:
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"the weights '{path}' cannot be used, the file is damaged ({_reason(error)}); copy it again, or train the "
            "run again"
        ) from error
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise UserError(
            f"the weights '{path}' cannot be used, they are of another network ({_reason(error)}); copy those of this "
            "run there, or train it again"
        ) from error


def _plain(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _reason(error: Exception) -> str:
    """Word an error in one line: torch heads a list of all tensors that do not fit, the first says enough."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[:2][-1].rstrip(".") if lines else type(error).__name__


def _restore(network: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    prefix = "network."
    network.load_state_dict({n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)})
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, field = name.split(".")
            state.setdefault(int(index), {})[field] = tensor
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, fields in state.items():
        for field, tensor in fields.items():
            if tensor.shape == parameters[index].shape:  # the moments lie in memory as their parameter does
                fields[field] = torch.empty_like(parameters[index]).copy_(tensor)
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
