"""Checkpoints: weights, optimizer state and progress in one file, so that none of them can lack another.

The weights of the best epoch are in it too, where training may go back to them, and their moving average: a file of
their own could be newer than the progress. Randomness is functional, so a checkpoint holds no random state: seed, epoch
and step say everything.

The newest two are kept, each sealed by a checksum. A run goes on from the newest that can be used, and says where that
is not the newest. Of several processes the first one reads it and gives it to the others, so that all go on from the
same one, whatever their disks would say. They are written so often that a run that is killed does at most five minutes
of its work twice.
"""

import logging
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from cohear.errors import UserError
from cohear.runtime import disk
from cohear.runtime.files import explain_disk_errors, read_plain, write_bytes
from cohear.runtime.sealed_tensors import seal, unseal
from cohear.training.weights import MOST_BYTES, one_line, to_arrays, to_tensors

_log = logging.getLogger(__name__)
_NAME = re.compile(r"epoch-(\d+)-step-(\d+)\.safetensors")
_NETWORK, _OPTIMIZER, _BEST, _AVERAGE = "network.", "optimizer.", "best.", "average."
N_KEPT = 2
"""Checkpoints, the one just written and the one before."""
INTERVAL_S = 300.0
"""Longest time between two checkpoints, but for a single piece of work that takes longer."""

Work = Literal["step", "measurement"]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a checkpoint holds."""

    progress: dict[str, Any]
    """Where the run stands, JSON values."""
    tensors: dict[str, np.ndarray]
    """By name."""
    data: bytes
    """The file."""


@dataclass(frozen=True)
class Restored:
    """What a run goes on from."""

    progress: dict[str, Any]
    """As it was saved."""
    best: dict[str, Tensor]
    """The network's state after its best epoch; empty where that was not wanted."""
    average: dict[str, Tensor]
    """Of the network's states over the steps; empty where that was not wanted."""


def save_checkpoint(
    folder: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: dict[str, Any],
    best: Mapping[str, Tensor] = MappingProxyType({}),
    average: Mapping[str, Tensor] = MappingProxyType({}),
) -> None:
    """Write the run's newest checkpoint; the one before stays beside it, those before it go.

    Args:
        folder: the run folder.
        network: its whole state dict is saved.
        optimizer: its per-parameter state is saved; its options come from the configuration.
        progress: JSON values, kept exactly; `epoch`, `step` and the run's `identity` among them.
        best: the network's state after its best epoch, where that is wanted at the end.
        average: of the network's states over the steps, where that is wanted.

    Raises:
        UserError: where the disk is full, the place cannot be written, or the run folder is gone; the checkpoints
            before are still there.
    """
    tensors = {f"{_NETWORK}{name}": tensor for name, tensor in network.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"{_OPTIMIZER}{index}.{name}": value for name, value in state.items()}
    for prefix, state in ((_BEST, best), (_AVERAGE, average)):
        tensors |= {f"{prefix}{name}": tensor for name, tensor in state.items()}
    path = checkpoint_folder(folder) / f"epoch-{progress['epoch']}-step-{progress['step']}.safetensors"
    with explain_disk_errors(path):
        if not disk.exists(folder):  # never made anew: nothing else of the run would be there
            raise UserError(
                f"the run folder '{folder}' is gone: it was moved or removed, or its disk is no longer there; bring it "
                "back, then go on with --resume"
            )
        disk.make_folder(path.parent)
    write_bytes(path, seal(to_arrays(tensors), progress))
    _remove_old(folder)


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
            data = _read_to_go_on(folder, identity)
        except UserError as raised:  # the others wait to hear of it
            error = raised
    data, error = fabric.broadcast((data, error))
    if error is not None:
        raise error
    if not data:
        return None
    found = parse_checkpoint(data)
    tensors = to_tensors(found.tensors)
    try:
        _restore(network, optimizer, tensors)
    except (KeyError, ValueError, IndexError, RuntimeError) as error:
        raise UserError(
            f"the checkpoint in '{folder}' is of another network ({one_line(error)}); remove the run folder to start "
            "afresh"
        ) from error
    return Restored(found.progress, _part(tensors, _BEST), _part(tensors, _AVERAGE))


def parse_checkpoint(data: bytes) -> Checkpoint:
    """Read the bytes of a checkpoint.

    Raises:
        ValueError: where they are damaged, or of something else.
    """
    tensors, progress = unseal(data)
    if not isinstance(progress, dict) or not all(type(progress.get(number)) is int for number in ("epoch", "step")):
        raise ValueError("it says nothing of its epoch and step")
    return Checkpoint(progress, tensors, data)


def checkpoint_folder(folder: Path) -> Path:
    """Return where a run's checkpoints lie: in its own folder, as others may be removed where they go.

    Raises:
        UserError: where that is a link, maybe to those of another run.
    """
    inside = folder / "checkpoint"
    if os.path.islink(inside):
        raise UserError(f"'{inside}' is a link; move the folder that it leads to there, then go on with --resume")
    return inside


def checkpoint_paths(folder: Path) -> list[Path]:
    """Return a run's checkpoints, the newest first.

    Raises:
        UserError: where the disk does not tell.
    """
    inside = checkpoint_folder(folder)
    try:
        found = [(match, inside / name) for name in os.listdir(inside) if (match := _NAME.fullmatch(name))]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(inside, error) from error
    return [path for _, path in sorted(found, key=lambda one: (int(one[0][1]), int(one[0][2])), reverse=True)]


def read_newest(folder: Path, identity: str | None = None) -> tuple[Checkpoint | None, list[tuple[Path, str]]]:
    """Read the newest checkpoint that is whole and of the run; None where there is none at all.

    Args:
        folder: of the run.
        identity: what its checkpoints must say; None: anything.

    Returns:
        The checkpoint, and the newer ones that cannot be used, each with a sentence why.

    Raises:
        UserError: where the disk does not give one, or there are some and not one of them can be used.
    """
    refused: list[tuple[Path, str]] = []
    for path in checkpoint_paths(folder):
        try:
            checkpoint = parse_checkpoint(read_plain(path, MOST_BYTES))
            if identity is not None and checkpoint.progress.get("identity") != identity:
                raise ValueError("it is of another run")
        except OSError as error:
            raise _unreadable(path, error) from error
        except ValueError as error:
            refused.append((path, f"the checkpoint '{path}' cannot be used ({error})"))
        else:
            return checkpoint, refused
    if refused:
        raise UserError(
            f"{', '.join(reason for _, reason in refused)}; copy one of them there from elsewhere, or remove the run "
            "folder to start afresh"
        )
    return None, []


def _read_to_go_on(folder: Path, identity: str) -> bytes:
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
        _log.warning("%s; the one before is used, and it is kept as '%s'", reason, aside.name)
        with explain_disk_errors(path):
            disk.rename(path, aside)
    _log.info("going on in epoch %d after step %d", 1 + checkpoint.progress["epoch"], checkpoint.progress["step"])
    _remove_old(folder)  # what a kill left over
    return checkpoint.data


def _remove_old(folder: Path) -> None:
    for old in checkpoint_paths(folder)[N_KEPT:]:
        with explain_disk_errors(old):
            disk.remove(old)


def _unreadable(path: Path, error: OSError) -> UserError:
    reason = error.strerror or error
    return UserError(f"'{path}' cannot be read ({reason}); see to the disk, then go on with --resume")


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


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


class CheckpointClock:
    """Knows when the last checkpoint was written, and how long a piece of each kind of work took."""

    def __init__(self) -> None:
        self._saved = self._lap = time.monotonic()
        self._took_s: dict[Work, float] = {}

    def did(self, work: Work) -> None:
        """Note that a piece of work ends now."""
        now = time.monotonic()
        self._took_s[work] = now - self._lap
        self._lap = now

    def is_due_before(self, work: Work) -> bool:
        """Whether to write a checkpoint now, since after such a piece of work it would be late."""
        return time.monotonic() - self._saved + self._took_s.get(work, 0.0) >= INTERVAL_S

    def saved(self) -> None:
        """Note that a checkpoint was written."""
        self._saved = self._lap = time.monotonic()
