"""Where and how precisely training computes, through lightning-fabric; torchrun for many."""

import atexit
import os
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_PRECISIONS = {"float32": "32-true", "bf16": "bf16-mixed"}


def make_fabric(precision: str) -> "Fabric":
    """Set up this process's device: a GPU where there is one, all of torchrun's processes where it started us.

    Args:
        precision: `float32` (TF32 off) or `bf16` (autocast).
    """
    from lightning_fabric import Fabric

    on_gpu = torch.cuda.is_available()
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark = on_gpu  # shapes are few and fixed
    fabric = Fabric(
        accelerator="cuda" if on_gpu else "cpu",
        devices=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        num_nodes=int(os.environ.get("GROUP_WORLD_SIZE", "1")),
        precision=_PRECISIONS[precision],  # type: ignore[arg-type]
    )
    fabric.launch()
    if fabric.world_size > 1:
        atexit.unregister(_leave_process_group)  # of an earlier run of this process
        atexit.register(_leave_process_group)
    return fabric


def wait_for(device: torch.device) -> None:
    """Wait until a device has done what it was given: before a clock is read, and nowhere else."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def can_compile(device: torch.device, n_processes: int = 1) -> bool:
    """Whether `torch.compile` makes programs that are worth their time: for a GPU, with Triton.

    Not where several processes train one network: with statistics that they share, that has not been tried.
    """
    from torch.utils._triton import has_triton

    return device.type == "cuda" and n_processes == 1 and has_triton()


def _leave_process_group() -> None:
    """Join the threads of the process group: one that still runs when the interpreter ends aborts the process."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
