"""What ran where: versions, machine, threads; written beside every run."""

import os
import platform
import sys
from importlib import metadata
from typing import Any

_PACKAGES = ("cohear", "torch", "numpy", "lightning-fabric", "soundfile", "soxr", "safetensors", "pydantic")


def describe_environment() -> dict[str, Any]:
    """Return versions and facts about this machine that can change a result in its last bits."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "processor": _processor(),
        "n_cores": os.cpu_count(),
        "n_threads": torch.get_num_threads(),
        "gpu": device,
        "command": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as info:
            names = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor()
