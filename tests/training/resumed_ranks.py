"""Two processes of torchrun that train one network, stop early, are stopped, are refused, and go on.

Each writes what it was told to a file of its rank, and the weights that it ends with.
"""

import errno
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import save_file

from cohear.errors import UserError
from cohear.runtime.interrupts import Interrupted
from cohear.training import checkpoints, trainer
from cohear.training.nonfinite import FiniteSteps
from training.small_training import N_STEPS, run
from training.test_trainer import LOSSES, PATIENT

_read_plain = checkpoints.read_plain


def refusal(folder: Path, fabric: Fabric, **options: Any) -> str:
    """Return the sentence with which this process ends."""
    try:
        run(folder, fabric=fabric, **options)
    except UserError as error:
        return str(error)
    return "it went on"


def stale(path: Path, most_bytes: int) -> bytes:
    """Fail to read what the first process alone should read."""
    del path, most_bytes
    raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))


def saves(folder: Path, fabric: Fabric) -> list[list[int]]:
    """Train with a checkpoint due after each step, return where they were written; no step may wait."""
    saved, save, judge = list[list[int]](), trainer.save_checkpoint, FiniteSteps.judge

    def noted(folder: Path, network: Any, optimizer: Any, progress: dict[str, Any], *states: Any) -> None:
        saved.append([progress["epoch"], progress["step"]])
        save(folder, network, optimizer, progress, *states)

    def judged(*arguments: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.distributed, "barrier", None)
            return judge(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "INTERVAL_S", 0.0)
        patch.setattr(trainer, "save_checkpoint", noted)
        patch.setattr(FiniteSteps, "judge", judged)
        run(folder, fabric=fabric, n_epochs=2)
    return saved


def _main(folder: Path) -> None:
    fabric = Fabric(accelerator="cpu", devices=2)
    fabric.launch()
    rank = fabric.global_rank
    losses = LOSSES if rank == 0 else range(6)  # the second process by itself would stop earlier, for another epoch
    options = {
        **PATIENT,
        "averaging_epochs": 1.0,
        "measure": lambda _network, epoch: {"validation_nll": losses[epoch]},
        "fabric": fabric,
    }
    found = {"unbroken": run(folder / "unbroken", **options)[1]}
    for step in (3, N_STEPS + 1):  # the second process alone is asked, and both leave
        with suppress(Interrupted):
            run(folder / "resumed", **options, stop_at=step if rank == 1 else None)
            raise AssertionError("it went on")
    checkpoints.read_plain = stale
    said: dict[str, Any] = {"unreadable": refusal(folder / "resumed", fabric)}
    checkpoints.read_plain = stale if rank == 1 else _read_plain
    found["resumed"] = run(folder / "resumed", **options)[1]
    said["saved"] = saves(folder / "often", fabric)
    said["statistics"] = refusal(folder / "spoiled", fabric, spoil_at=N_STEPS if rank == 1 else None)
    for name, weights in found.items():
        save_file({key: tensor.contiguous() for key, tensor in weights.items()}, folder / f"{name}-{rank}.safetensors")
    (folder / f"{rank}.json").write_text(json.dumps(said))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
