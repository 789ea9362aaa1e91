"""Measure everything: quality and memory in processes of their own, times in turns, then the targets.

`python -m benchmarks [--quick] [--out FILE]`, from the project's root; `make bench` installs the other libraries first,
in an environment of their own. Takes minutes; leave the machine alone meanwhile.
"""

import argparse
import datetime
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.children import ChildError, call_in_child
from benchmarks.contenders import TASKS, Contender, Task, version_of
from benchmarks.measuring import Lap, Laps, median_lap, ratios
from benchmarks.page import FULL, QUICK, Effort, Goal, Results, Row, render
from benchmarks.peers import contenders
from benchmarks.pitch_quality import PitchSurvey
from cohear.runtime.devices import describe_environment

_BARE_LOG_MEL = ("bare torch.stft, one clip at a time", "bare torch.stft, whole batch")
_AIMS: dict[Task, tuple[tuple[str, tuple[str, ...], float], ...]] = {
    "pitch": (("cohear pitch_shift", ("audiomentations (signalsmith)",), 0.5),),
    "reverb": (
        ("cohear reverberate", ("scipy fftconvolve, one clip at a time",), 0.8),
        ("cohear reverberate", ("scipy fftconvolve, whole batch",), 0.8),
    ),
    "log_mel": (("cohear LogMel", _BARE_LOG_MEL, 1.05),),
    "spec_augment": (("cohear SpecAugment, draw and apply", ("copying the batch",), 3.0),),
}
"""What one of ours may take at most, in a batch, over the fastest of some others."""
_LIMIT_ROOMS_S = 5.0
_TIMES_MORE_ROUNDS: dict[Task, int] = {"pitch": 1, "reverb": 2, "log_mel": 3, "spec_augment": 20}
"""Calls that take milliseconds get more."""

Call = Callable[..., Any]
"""As `call_in_child`."""


def measure(effort: Effort, say: Callable[[str], None], call: Call = call_in_child) -> Results:
    """Measure ours and every peer that is installed.

    Args:
        effort: how much.
        say: is told what is being done.
        call: runs a function of `children` in a process of its own.
    """
    packages = sorted({package for task in TASKS for one in contenders(task) for package in one.packages})
    versions = {package: version_of(package) for package in packages}
    results = Results(effort, datetime.date.today().isoformat(), describe_environment(), versions)
    say("quality and memory")
    # Nothing here is timed, so the processes may share the machine.
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for task in TASKS:
            examine = partial(_examine, task, effort=effort, versions=versions, call=call)
            results.rows[task] = list(pool.map(examine, contenders(task)))
    for task, rows in results.rows.items():
        say(f"time: {task.replace('_', ' ')}")
        results.goals += _time(task, rows, effort, call)
    say("time: all transforms, rooms")
    results.transforms = call("time_transforms", effort.n_clips, effort.n_rounds)
    duration_s, results.worst_room = call("make_rooms", effort.n_rooms, n_threads=2)
    rooms = Lap(duration_s, duration_s)
    results.goals.append(Goal(f"{effort.n_rooms} room responses", _LIMIT_ROOMS_S, "s, two threads", rooms))
    return results


def _examine(task: Task, contender: Contender, effort: Effort, versions: dict[str, str | None], call: Call) -> Row:
    """Measure memory and quality; what cannot do one clip gets no further."""
    row = Row(contender.name)
    try:
        missing = [package for package in contender.packages if versions[package] is None]
        if missing:
            raise ChildError(f"not installed ({', '.join(missing)})")
        row.single_mb = call("peak_memory", task, contender.name, 1)
    except ChildError as error:
        row.problem = str(error)
        return row
    try:
        row.batch_mb = call("peak_memory", task, contender.name, effort.n_clips)
        if task == "pitch":
            row.survey = PitchSurvey(**call("survey_pitch", contender.name, effort.semitones, effort.tones_hz))
    except ChildError as error:
        row.notes.append(str(error))
    return row


def _time(task: Task, rows: list[Row], effort: Effort, call: Call) -> list[Goal]:
    """Fill in the times of a task's rows and return what came of its aims."""
    able = {row.name: row for row in rows if not row.problem}
    in_all_rounds = sorted({name for ours, others, _limit in _AIMS[task] for name in (ours, *others)})
    laps: dict[str, Laps] = {}
    for n_clips in (1, effort.n_clips):
        n_rounds = effort.n_rounds * _TIMES_MORE_ROUNDS[task]
        try:
            plain, failures = call("time_in_turns", task, [*able], n_clips, n_rounds, effort.budget_s, in_all_rounds)
        except ChildError as error:
            plain, failures = {}, dict.fromkeys(able, str(error))
        laps = {name: [Lap(*lap) if lap else None for lap in taken] for name, taken in plain.items()}
        for name, row in able.items():
            row.batch = median_lap(laps.get(name, []))
            row.single = row.batch if n_clips == 1 else row.single
            row.n_rounds = sum(lap is not None for lap in laps.get(name, []))
            row.notes += [f"time of a batch of {n_clips}: {failures[name]}"] if name in failures else []
    goals = []
    for ours, others, limit in _AIMS[task]:
        medians = {name: lap.cpu_s for name in others if (lap := median_lap(laps.get(name, [])))}
        fastest = min(medians, key=medians.__getitem__, default=others[0])
        measured = ratios(laps[ours], laps[fastest]) if ours in laps and fastest in laps else None
        goals.append(Goal(f"{ours}, batch of {effort.n_clips}", limit, fastest, measured))
    return goals


def main() -> None:
    """Print the page and, where asked to, write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--out", type=Path, help="write the page there, too")
    parser.add_argument("--quick", action="store_true", help="few clips and rounds: whether it works, not how fast")
    options = parser.parse_args()
    text = render(measure(QUICK if options.quick else FULL, partial(print, file=sys.stderr)))
    print(text, end="")
    if options.out is not None:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
