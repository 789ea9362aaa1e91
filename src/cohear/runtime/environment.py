"""What ran where: versions, machine, threads; written beside every run, enough to make it again."""

import contextlib
import importlib
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from cohear.runtime.processes import n_processes

_PACKAGES = (
    *("cohear", "torch", "numpy", "lightning-fabric", "soundfile", "soxr", "safetensors", "pydantic", "jaxtyping"),
    *("triton", "av", "pyroomacoustics"),
)
_VARIABLES = (
    *("ATEN_", "COHEAR_", "CUBLAS_", "CUDA_", "CUDNN_", "DNNL_", "GOMP_", "KMP_", "MKL_", "NPY_", "NVIDIA_TF32_"),
    *("OMP_", "ONEDNN_", "OPENBLAS_", "PYTORCH_", "TORCH"),
)
"""How the names begin of those that can change a result."""

_BROUGHT_ALONG = (("libsoxr", "soxr", "__libsoxr_version__"), ("ffmpeg", "av", "ffmpeg_version_info"))
"""Libraries, the packages that bring them, and where these tell their versions."""


def describe_environment() -> dict[str, Any]:
    """Return versions and facts about this machine that can change a result in its last bits.

    Of the environment's variables those are told that numerical libraries and cohear read; where one is a path, no more
    than that is told, as it may name a person.
    """
    import torch

    return {
        "python": platform.python_version(),
        "python_build": f"{platform.python_implementation()}, {platform.python_compiler()}",
        "packages": _versions(),
        "commit": _commit(Path(__file__).parents[3]),
        "libraries": _libraries(),
        "torch_build": torch.__config__.show().split("\n  - Build settings")[0].split("\n  - ")[1:],
        "torch_commit": torch.version.git_version,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "platform": platform.platform(),
        "processor": _processor(),
        "n_cores": os.cpu_count(),
        "n_threads": torch.get_num_threads(),
        "n_processes": n_processes(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "cuda": _cuda() if torch.cuda.is_available() else None,
        "precision": {
            "matmul_allows_tf32": torch.backends.cuda.matmul.allow_tf32,
            "cudnn_allows_tf32": torch.backends.cudnn.allow_tf32,
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
            "deterministic": torch.are_deterministic_algorithms_enabled(),
        },
        "variables": _variables(),
        "command": [_command_name(sys.argv[0]), *sys.argv[1:]],
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


def _libraries() -> dict[str, str]:
    """Return the versions of what packages bring along: decoders, the resampler, numpy's linear algebra."""
    import numpy as np
    import soundfile

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # pyright: ignore -- a dictionary in this mode
    found = {"libsndfile": soundfile.__libsndfile_version__, "numpy_blas": f"{blas['name']} {blas['version']}"}
    for name, package, attribute in _BROUGHT_ALONG:
        with contextlib.suppress(ImportError):
            version = getattr(importlib.import_module(package), attribute, None)
            if version is not None:
                found[name] = str(version)
    return found


def _cuda() -> dict[str, Any]:
    import torch

    properties = torch.cuda.get_device_properties(0)
    return {
        "version": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "driver": _driver(),
        "compute_capability": f"{properties.major}.{properties.minor}",
        "memory_bytes": properties.total_memory,
        "n_gpus": torch.cuda.device_count(),
    }


def _driver() -> str | None:
    """Return what NVIDIA's kernel module says of itself, on Linux."""
    try:
        return Path("/proc/driver/nvidia/version").read_text().splitlines()[0].partition(":")[2].strip()
    except (OSError, IndexError):
        return None


def _command_name(path: str) -> str:
    """Name a command by its file; that of a package started by `python -m` tells it by its folder."""
    folder, name = os.path.split(path)
    return os.path.basename(folder) if name == "__main__.py" else name


def _variables() -> dict[str, str]:
    return {
        name: "(a path)" if "/" in value or "\\" in value else value
        for name, value in sorted(os.environ.items())
        if name.startswith(_VARIABLES)
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as info:
            names = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor()
