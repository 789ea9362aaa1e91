"""Where a run goes on: from its newest checkpoint that can be used, and all of its processes from the same one.

Each process reads the run folder for itself. Where one of them sees another folder, or the disk gives it less, the
processes would train different networks as one; so they compare what they read before any of them goes on.
"""

import logging
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from cohear.errors import UserError
from cohear.runtime import disk
from cohear.runtime.files import explain_disk_errors
from cohear.training.checkpoint_files import remove_old_checkpoints
from cohear.training.checkpoints import Restored, load_checkpoint

_log = logging.getLogger(__name__)
_READ, _NONE, _FAILED = range(3)
_SEE_THE_SAME = (
    "all processes must see the same run folder, so share it between their machines and see to its disk, then go on "
    "with --resume"
)


def resume(
    folder: Path, network: nn.Module, optimizer: torch.optim.Optimizer, identity: str, fabric: Fabric
) -> Restored | None:
    """Restore network and optimizer in place from the run's newest checkpoint; None where there is none.

    The first process says where the run goes on and which newer checkpoints cannot be used; it removes the damaged
    ones, and what a kill left over.

    Args:
        folder: the run folder.
        network: of the run.
        optimizer: of the network.
        identity: what the run is known by; checkpoints of another one are refused.
        fabric: of several processes, all must come to the same checkpoint.

    Raises:
        UserError: where no checkpoint can be used, or processes would go on from different ones; in all of them.
    """
    if fabric.world_size == 1:
        restored = load_checkpoint(folder, network, optimizer, identity)
    else:
        restored = _load_together(folder, network, optimizer, identity, fabric)
    if fabric.is_global_zero:
        if restored:
            _go_on_from(restored, folder)
        elif disk.exists(folder / "history.jsonl"):
            _log.warning("there is no checkpoint in '%s', though training had begun: it begins again", folder)
    return restored


def _load_together(
    folder: Path, network: nn.Module, optimizer: torch.optim.Optimizer, identity: str, fabric: Fabric
) -> Restored | None:
    restored, error = None, None
    try:
        restored = load_checkpoint(folder, network, optimizer, identity)
    except UserError as raised:  # the others wait to hear of it
        error = raised
    mine = [_FAILED if error else _READ if restored else _NONE, 0, 0, 0]
    if restored:
        digest = int.from_bytes(restored.digest, "little", signed=True)
        mine[1:] = restored.progress["epoch"], restored.progress["step"], digest
    rows = torch.zeros(fabric.world_size, len(mine), dtype=torch.int64)
    rows[fabric.global_rank] = torch.tensor(mine)
    summed = fabric.all_reduce(rows.to(fabric.device), reduce_op="sum")
    assert isinstance(summed, Tensor)
    found = summed.tolist()
    if error:
        raise error
    failed = [rank for rank, (state, *_) in enumerate(found) if state == _FAILED]
    if failed:
        raise UserError(
            f"process {failed[0]} of this training cannot use the checkpoints in '{folder}', and says why; see to "
            "that, then go on with --resume"
        )
    others = [rank for rank, one in enumerate(found) if one != found[0]]
    if others:
        raise _disagreement(folder, found, others[0], restored, fabric.global_rank)
    return restored


def _disagreement(folder: Path, found: list[list[int]], other: int, restored: Restored | None, rank: int) -> UserError:
    """Word that process 0 and another found different checkpoints, and what this process could not use."""
    first, second = (
        f"epoch {epoch}, step {step}" if state == _READ else "none"
        for state, epoch, step, _ in (found[0], found[other])
    )
    if first == second:
        second = f"another one of {second}"
    refused = ", ".join(map(str, restored.refused)) if restored else ""
    return UserError(
        f"the processes of this training find different checkpoints in '{folder}': process 0 {first}, process {other} "
        f"{second}{refused and f' (for process {rank} {refused})'}; {_SEE_THE_SAME}"
    )


def _go_on_from(restored: Restored, folder: Path) -> None:
    """Say from where, and which newer checkpoints cannot be used; remove the damaged, and what a kill left over.

    Those that are whole are renamed: under their names they would be counted as checkpoints of this run, and be removed
    in place of its own.
    """
    for refused in restored.refused:
        aside = refused.path.with_name(f"{refused.path.name}.refused")
        is_whole = refused.kind in ("foreign", "misnamed")
        _log.warning("%s; the one before is used%s", refused, f", and it is kept as '{aside.name}'" if is_whole else "")
        with explain_disk_errors(refused.path):
            if is_whole:
                disk.rename(refused.path, aside)
            elif refused.kind == "damaged":
                disk.remove(refused.path)
    epoch, step = restored.progress["epoch"], restored.progress["step"]
    _log.info("going on from epoch %d, step %d", epoch, step)
    remove_old_checkpoints(folder, epoch, step)
