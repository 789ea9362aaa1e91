"""Where and how precisely training computes, through lightning-fabric, on one or many devices; and its record."""

import atexit
import contextlib
import logging
import os
import platform
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import soundfile
import torch

from cohear.runtime.machine import n_processes

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_PRECISIONS = {"float32": "32-true", "bf16": "bf16-mixed"}
_PACKAGES = (
    *("cohear", "torch", "numpy", "lightning-fabric", "soundfile", "soxr", "safetensors", "pydantic", "jaxtyping"),
    *("triton", "av", "onnxruntime", "pyroomacoustics"),
)
_VARIABLES = (
    *("ATEN_", "COHEAR_", "CUBLAS_", "CUDA_", "CUDNN_", "DNNL_", "GOMP_", "KMP_", "MKL_", "NPY_", "NVIDIA_TF32_"),
    *("OMP_", "ONEDNN_", "OPENBLAS_", "PYTORCH_", "TORCH"),
)
"""How the names begin of those that can change a result."""


def make_fabric(precision: str) -> "Fabric":
    """Set up this process's device: a GPU where there is one, all of torchrun's processes where it started us.

    Args:
        precision: `float32` (TF32 off) or `bf16` (autocast).
    """
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # what it sets up we have said
    on_gpu = torch.cuda.is_available()
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark = on_gpu  # shapes are few and fixed
    fabric = Fabric(
        accelerator="cuda" if on_gpu else "cpu",
        devices=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        num_nodes=int(os.environ.get("GROUP_WORLD_SIZE", "1")),
        precision=_PRECISIONS[precision],  # type: ignore[arg-type]
        # Else it would take a job of SLURM for one of several processes, and `srun` for a reason to warn.
        plugins=TorchElasticEnvironment() if TorchElasticEnvironment.detect() else LightningEnvironment(),
    )
    fabric.launch()
    if fabric.world_size > 1:
        atexit.unregister(_leave_process_group)  # of an earlier run of this process
        atexit.register(_leave_process_group)
    return fabric


def faster_precision() -> tuple[Literal["float32", "bf16"], str]:
    """Return `bf16` where this machine computes faster in bfloat16, else `float32`; and why.

    Of a processor that cannot be looked up: of two that have bfloat16 one took a quarter of float32's time for a
    product of matrices, the other twice as long (docs/performance.md); emulated, it takes many times as long.
    """
    if torch.cuda.is_available():
        is_faster, what = torch.cuda.is_bf16_supported(including_emulation=False), "GPU"
    else:
        is_faster, what = _product_s(torch.bfloat16) < 0.75 * _product_s(torch.float32), "processor"
    how = "is faster in" if is_faster else "gains nothing by"
    return ("bf16" if is_faster else "float32"), f"this {what} {how} bfloat16"


def _product_s(dtype: torch.dtype, n_tries: int = 10) -> float:
    """Return the seconds of a product of matrices, of several tries the least: others may be at work."""
    matrix = torch.ones(256, 256, dtype=dtype)
    times_s = []
    for _ in range(n_tries):
        start_s = time.perf_counter()
        torch.mm(matrix, matrix)
        times_s.append(time.perf_counter() - start_s)
    return min(times_s)


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


def free_gpu_bytes() -> int:
    """Return the bytes that are free on this process's GPU, with those that torch keeps and does not use."""
    free, _total = torch.cuda.mem_get_info()
    return free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()


def describe_environment() -> dict[str, Any]:
    """Return versions and facts about this machine that can change a result in its last bits.

    Of the environment's variables those are told that numerical libraries and cohear read; where one is a path, no more
    than that is told, as it may name a person.
    """
    command = Path(sys.argv[0])
    return {
        "python": platform.python_version(),
        "packages": _versions(),
        "commit": _commit(Path(__file__).parents[3]),
        "libsndfile": soundfile.__libsndfile_version__,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "platform": platform.platform(),
        "processor": _processor(),
        "n_cores": os.cpu_count(),
        "n_threads": torch.get_num_threads(),
        "n_processes": n_processes(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "variables": _variables(),
        "command": [command.parent.name if command.name == "__main__.py" else command.name, *sys.argv[1:]],
    }


def _versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _commit(root: Path) -> str | None:
    """Return the commit of the checkout that this file lies in, `-dirty` where files were changed; else None."""
    if not (root / ".git").exists() or not (root / "src" / "cohear").is_dir():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        return None


def _variables() -> dict[str, str]:
    return {
        name: "(a path)" if "/" in value or "\\" in value else value
        for name, value in sorted(os.environ.items())
        if name.startswith(_VARIABLES)
    }


def _processor() -> str:
    with contextlib.suppress(OSError, StopIteration), open("/proc/cpuinfo") as info:
        return next(line.split(":", 1)[1].strip() for line in info if line.startswith("model name"))
    return platform.processor()
