"""How long calls take, measured so that they compare: in turns, in one process, on the same inputs.

A machine is faster in one second than in the next. What is measured in turns meets the same seconds, and the median
of the ratios of each round is steadier than the ratio of two medians.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Lap:
    """How long one call took."""

    wall_s: float
    cpu_s: float
    """Of all threads of the process."""


Laps = list[Lap | None]
"""One per round; None where a call was left out."""


def take_turns(
    calls: Mapping[str, Callable[[int], Callable[[], Any]]],
    n_rounds: int,
    budget_s: float,
    keep_going: Sequence[str] = (),
) -> tuple[dict[str, Laps], dict[str, str]]:
    """Call everything in turns.

    Args:
        calls: prepares the call of a round; the preparation is not timed.
        n_rounds: how often, >= 1.
        budget_s: what has taken that long is left out of the rounds that follow.
        keep_going: names that take part in all rounds, however long they take.

    Returns:
        The laps of each name, and of those that raised, what they did: they are left out.
    """
    laps: dict[str, Laps] = {name: [] for name in calls}
    failures: dict[str, str] = {}
    spent_s = dict.fromkeys(calls, 0.0)
    for turn in range(n_rounds):
        for name, prepare in calls.items():
            if name in failures or (name not in keep_going and spent_s[name] > budget_s):
                laps[name].append(None)
                continue
            try:
                call = prepare(turn)
                lap = _time(call)
            except Exception as error:  # whatever a library raises is its result
                failures[name] = first_line(error)
                laps[name].append(None)
                continue
            laps[name].append(lap)
            spent_s[name] += lap.wall_s
    return laps, failures


def _time(call: Callable[[], Any]) -> Lap:
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    result = call()
    lap = Lap(wall_s=time.perf_counter() - wall_s, cpu_s=time.process_time() - cpu_s)
    del result  # after the clock has stopped: freeing is not part of the call
    return lap


def first_line(error: BaseException) -> str:
    """Say what was raised on one line, files by their names alone: the page is read on other machines."""
    lines = without_folders(str(error)).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def without_folders(text: str) -> str:
    """Leave the last part of each absolute path.

    Example:
        >>> without_folders("cannot load /opt/lib/sound.so, and/or its neighbor")
        'cannot load sound.so, and/or its neighbor'
    """
    return re.sub(r"(?<![\w.])(?:/[^\s/:'\"]+)+/", "", text)


def median_lap(laps: Laps) -> Lap | None:
    """Return the medians of both times, None where nothing was timed."""
    taken = [lap for lap in laps if lap]
    if not taken:
        return None
    return Lap(wall_s=median(lap.wall_s for lap in taken), cpu_s=median(lap.cpu_s for lap in taken))


def ratios(ours: Laps, theirs: Laps) -> Lap | None:
    """Return the medians over rounds of our times over theirs, None without a round that has both.

    Example:
        >>> ratios([Lap(1.0, 1.0), Lap(4.0, 4.0), None], [Lap(2.0, 4.0), Lap(4.0, 8.0), Lap(9.0, 9.0)])
        Lap(wall_s=0.75, cpu_s=0.375)
    """
    rounds = [(a, b) for a, b in zip(ours, theirs, strict=True) if a and b]
    if not rounds:
        return None
    return Lap(
        wall_s=median(a.wall_s / b.wall_s for a, b in rounds), cpu_s=median(a.cpu_s / b.cpu_s for a, b in rounds)
    )


def fastest(candidates: Mapping[str, Laps]) -> str | None:
    """Return the name with the smallest median CPU time, None where nothing was timed."""
    medians = {name: lap.cpu_s for name, laps in candidates.items() if (lap := median_lap(laps))}
    return min(medians, key=medians.__getitem__) if medians else None
