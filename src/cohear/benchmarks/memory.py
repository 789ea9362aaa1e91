"""How much memory a call needs at its peak, beyond its inputs and its output."""

import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_MB = 1e6


def extra_peak_mb(call: Callable[[], Any]) -> float:
    """Return the peak of a call beyond what was there before it and beyond what it returns, 1e6 bytes.

    Meant for a process in which little else was called before: memory that was freed but is still the process's is
    used again without being seen. On Linux the kernel's record of the peak is set back before the call; elsewhere the
    record is the process's since its start, so that the peak of importing a library hides one that is smaller.

    Args:
        call: returns an array or a sequence of them.
    """
    before, reset = _resident_bytes(), _reset_peak()
    if not reset:
        before = _peak_bytes()
    result = call()
    return max(0.0, _peak_bytes() - before - _size(result)) / _MB


def _size(result: np.ndarray | Sequence[np.ndarray]) -> int:
    return result.nbytes if isinstance(result, np.ndarray) else sum(part.nbytes for part in result)


def _reset_peak() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _resident_bytes() -> int:
    return _from_status("VmRSS") or _peak_bytes()


def _peak_bytes() -> int:
    # The figures of getrusage are kept elsewhere, and setting back the peak does not change them.
    in_kb = 1 if sys.platform == "darwin" else 1024
    return _from_status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * in_kb


def _from_status(name: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), None)
