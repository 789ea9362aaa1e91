"""How far what this machine computes is from the golden files; printed as JSON: `python -m golden.differences`."""

import json
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from golden.keys_and_splits import keys_and_splits
from golden.transformed import SHIFTS_PITCH, drawn, log_mels, transformed

HERE = Path(__file__).parent
_EXACT = ("keys_and_splits.json", "drawn.json")


def differences() -> dict[str, Any]:
    """Compare all of it.

    Returns:
        `changed`: names of what should be exactly equal and is not; `double` and `single`: the largest difference of
        waveforms computed in either precision, of full scale, in single precision without those whose pitch is
        shifted, which `shifted` has; `log_mel_db`: that of log-mels.
    """
    splits, parameters = (json.loads((HERE / name).read_text("utf-8")) for name in _EXACT)
    waveforms, golden_db = (load_file(HERE / name) for name in ("waveforms.safetensors", "log_mels.safetensors"))
    found = json.loads(json.dumps({**keys_and_splits(), **{f"parameters of {k}": v for k, v in drawn().items()}}))
    expected = {**splits, **{f"parameters of {name}": values for name, values in parameters.items()}}
    single = _distances(transformed(waveforms["clips"]), waveforms)
    return {
        "changed": sorted(name for name in expected.keys() | found.keys() if found.get(name) != expected.get(name)),
        "double": _largest(_distances(transformed(waveforms["clips"].double()), waveforms).values()),
        "single": _largest(distance for name, distance in single.items() if name not in SHIFTS_PITCH),
        "shifted": _largest(single[name] for name in SHIFTS_PITCH),
        "log_mel_db": _largest(_distances(log_mels(waveforms["clips"]), golden_db).values()),
        "versions": f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}",
    }


def _distances(found: dict[str, torch.Tensor], golden: dict[str, torch.Tensor]) -> dict[str, float]:
    return {name: float((tensor - golden[name]).abs().max()) for name, tensor in found.items()}


def _largest(distances: Iterable[float]) -> float:
    return float(np.max([*distances]))  # NaN where one is NaN, which `max` may pass over


if __name__ == "__main__":
    print(json.dumps(differences()))
