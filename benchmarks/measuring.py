"""Time and memory of calls, measured so that they compare.

A machine is faster in one second than in the next. What is measured in turns, in one process and on the same inputs,
meets the same seconds, and the median of the ratios of each round is steadier than the ratio of two medians.
"""

import math
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np


class Lap(NamedTuple):
    """How long one call took."""

    wall_s: float
    cpu_s: float
    """Of all threads of the process."""


Laps = Sequence[Lap | None]
"""One per round; None where a call was left out."""


def take_turns(
    calls: Mapping[str, Callable[[int], Callable[[], Any]]],
    n_rounds: int,
    budget_s: float,
    keep_going: Collection[str] = (),
) -> tuple[dict[str, list[Lap | None]], dict[str, str]]:
    """Call everything in turns.

    Args:
        calls: prepares the call of a round; the preparation is not timed.
        n_rounds: how often, >= 1.
        budget_s: what has taken that long is left out of the rounds that follow.
        keep_going: names that take part in all rounds, however long they take.

    Returns:
        The laps of each name, and of those that raised, what they said: they are left out.
    """
    laps: dict[str, list[Lap | None]] = {name: [] for name in calls}
    failures: dict[str, str] = {}
    spent_s = dict.fromkeys(calls, 0.0)
    for turn in range(n_rounds):
        for name, prepare in calls.items():
            lap = None
            if name not in failures and (name in keep_going or spent_s[name] <= budget_s):
                try:
                    lap = _time(prepare(turn))
                    spent_s[name] += lap.wall_s
                except Exception as error:  # whatever a library raises is its result
                    failures[name] = first_line(error)
            laps[name].append(lap)
    return laps, failures


def _time(call: Callable[[], Any]) -> Lap:
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    result = call()
    lap = Lap(time.perf_counter() - wall_s, time.process_time() - cpu_s)
    del result  # after the clock has stopped: freeing is not part of the call
    return lap


def median_lap(laps: Laps) -> Lap | None:
    """Return the medians of both times, None where nothing was timed."""
    taken = [lap for lap in laps if lap]
    return Lap(*map(median, zip(*taken, strict=True))) if taken else None


def ratios(ours: Laps, theirs: Laps) -> Lap | None:
    """Return the medians over rounds of our times over theirs, None without a round that has both.

    Example:
        >>> ratios([Lap(1.0, 1.0), Lap(4.0, 4.0), None], [Lap(2.0, 4.0), Lap(4.0, 8.0), Lap(9.0, 9.0)])
        Lap(wall_s=0.75, cpu_s=0.375)
    """
    rounds = zip(ours, theirs, strict=True)
    return median_lap([Lap(a.wall_s / b.wall_s, a.cpu_s / b.cpu_s) if a and b else None for a, b in rounds])


def first_line(error: BaseException) -> str:
    """Say what was raised on one line, files by their names alone: the page is read on other machines.

    Example:
        >>> first_line(OSError("cannot load /opt/lib/sound.so"))
        'OSError: cannot load sound.so'
    """
    lines = re.sub(r"(?<![\w.])(?:/[^\s/:'\"]+)+/", "", str(error)).strip().splitlines()
    return ": ".join([type(error).__name__, *lines[:1]])


def extra_peak_mb(call: Callable[[], Any]) -> float:
    """Return the peak of a call beyond what was there before it and beyond what it returns, 1e6 bytes.

    Meant for a process in which little else was called before: memory that was freed but is still the process's is
    used again without being seen. The kernel's record of the peak is set back before the call, as only Linux can;
    elsewhere the answer is nan.

    Args:
        call: returns an array or a sequence of them.
    """
    try:
        before = status_bytes("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        call()
        return math.nan
    result = call()
    size = sum(part.nbytes for part in ([result] if isinstance(result, np.ndarray) else result))
    return max(0.0, status_bytes("VmHWM") - before - size) / 1e6


def status_bytes(name: str) -> int:
    """Return one of the kernel's numbers of this process, bytes: `VmRSS` is its memory now, `VmHWM` at its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
