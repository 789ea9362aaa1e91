"""Measure everything: quality and memory in processes of their own, times in turns, then the goals."""

import datetime
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, get_args

from cohear.benchmarks.child import ChildError, call_in_child
from cohear.benchmarks.contender import Contender, Task, version_of
from cohear.benchmarks.jobs import contenders
from cohear.benchmarks.ours import BY_HAND
from cohear.benchmarks.peers import PEERS
from cohear.benchmarks.pitch_survey import PitchSurvey
from cohear.benchmarks.results import Effort, Goal, Results, Row
from cohear.benchmarks.timing import Lap, Laps, fastest, median_lap, ratios
from cohear.runtime.environment import describe_environment

TASKS: tuple[Task, ...] = get_args(Task)


@dataclass(frozen=True)
class _Aim:
    """A limit for one of ours over the fastest of some others, in a batch."""

    what: str
    ours: str
    others: tuple[str, ...]
    limit: float


_SCIPY_ALONE, _SCIPY_BATCH = "scipy fftconvolve, one clip at a time", "scipy fftconvolve, whole batch"
_COPY = tuple(one.name for one in BY_HAND["spec_augment"])
_AIMS: dict[Task, tuple[_Aim, ...]] = {
    "pitch": (_Aim("pitch shift, mixed shifts", "cohear pitch_shift", ("audiomentations (signalsmith)",), 0.5),),
    "reverb": (
        _Aim("reverb, a 1 s response per clip", "cohear reverberate", (_SCIPY_ALONE,), 0.8),
        _Aim("reverb, a 1 s response per clip", "cohear reverberate", (_SCIPY_BATCH,), 0.8),
    ),
    "log_mel": (_Aim("log-mel", "cohear LogMel", tuple(one.name for one in BY_HAND["log_mel"]), 1.05),),
    "spec_augment": (
        _Aim("SpecAugment, draw and apply", "cohear SpecAugment, draw and apply", _COPY, 3.0),
        _Aim("SpecAugment, apply", "cohear SpecAugment, apply", _COPY, 3.0),
    ),
}
_LIMIT_ROOMS_S = 5.0
# Calls that take milliseconds get more rounds.
_TIMES_MORE_ROUNDS: dict[Task, int] = {"pitch": 1, "reverb": 2, "log_mel": 3, "spec_augment": 20}

_JOBS = "cohear.benchmarks.jobs:"
Call = Callable[..., Any]
"""As `call_in_child`."""


def run(effort: Effort, say: Callable[[str], None], call: Call = call_in_child) -> Results:
    """Measure ours and every peer that is installed.

    Args:
        effort: how much.
        say: is told what is being done.
        call: runs a function of `jobs` in a process of its own.
    """
    results = Results(effort, datetime.date.today().isoformat(), describe_environment(), _peer_versions())
    say("quality and memory")
    # Nothing here is timed, so the processes may share the machine.
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        examined: dict[Task, list[Future[Row]]] = {
            task: [pool.submit(_examine, task, contender, effort, call) for contender in contenders(task)]
            for task in TASKS
        }
        results.rows = {task: [row.result() for row in rows] for task, rows in examined.items()}
    for task in TASKS:
        say(f"time: {task.replace('_', ' ')}")
        results.goals.extend(_time(task, results.rows[task], effort, call))
    say("time: all transforms, rooms")
    try:
        results.transforms = call(f"{_JOBS}time_transforms", effort.n_clips, effort.n_rounds)
    except ChildError as error:
        results.transforms = {"all": str(error)}
    duration = None
    try:
        duration_s, worst_error = call(f"{_JOBS}make_rooms", effort.n_rooms, n_threads=2)
        results.rooms = duration_s, worst_error
        duration = Lap(duration_s, duration_s)
    except ChildError as error:
        results.rooms = str(error)
    results.goals.append(Goal(f"{effort.n_rooms} room responses", _LIMIT_ROOMS_S, "", duration))
    return results


def _peer_versions() -> dict[str, str | None]:
    names = {package for task in TASKS for peer in PEERS[task] for package in peer.packages}
    return {name: version_of(name) for name in sorted(names)}


def _examine(task: Task, contender: Contender, effort: Effort, call: Call) -> Row:
    """Measure memory and quality; what cannot do one clip gets no further."""
    row = Row(contender.name)
    missing = contender.missing()
    if missing:
        row.problem = f"not installed ({', '.join(missing)})"
        return row
    try:
        row.single_mb = call(f"{_JOBS}peak_memory", task, contender.name, 1)
    except ChildError as error:
        row.problem = str(error)
        return row
    try:
        row.batch_mb = call(f"{_JOBS}peak_memory", task, contender.name, effort.n_clips)
    except ChildError as error:
        row.notes.append(f"memory of a batch: {error}")
    if task == "pitch":
        try:
            found = call(f"{_JOBS}survey_pitch", contender.name, effort.semitones, effort.tones_hz)
            row.survey = PitchSurvey(**found)
        except ChildError as error:
            row.notes.append(f"quality: {error}")
    return row


def _time(task: Task, rows: list[Row], effort: Effort, call: Call) -> list[Goal]:
    """Fill in the times of a task's rows and return what came of its aims."""
    able = [row for row in rows if not row.problem]
    in_all_rounds = sorted({name for aim in _AIMS[task] for name in (aim.ours, *aim.others)})
    batch: dict[str, Laps] = {}
    for n_clips in (1, effort.n_clips):
        n_rounds = effort.n_rounds * _TIMES_MORE_ROUNDS[task]
        arguments = ([row.name for row in able], n_clips, n_rounds, effort.budget_s, in_all_rounds)
        try:
            plain, failures = call(f"{_JOBS}time_in_turns", task, *arguments, timeout_s=900.0)
        except ChildError as error:
            plain, failures = {}, {row.name: str(error) for row in able}
        batch = {name: [Lap(*lap) if lap else None for lap in laps] for name, laps in plain.items()}
        for row in able:
            laps = batch.get(row.name, [])
            if n_clips == 1:
                row.single = median_lap(laps)
            row.batch, row.n_rounds = median_lap(laps), sum(lap is not None for lap in laps)
            if row.name in failures:
                row.notes.append(f"time of {n_clips} clip{'' if n_clips == 1 else 's'}: {failures[row.name]}")
    goals = []
    for aim in _AIMS[task]:
        reference = fastest({name: batch[name] for name in aim.others if name in batch})
        measured = ratios(batch.get(aim.ours, []), batch[reference]) if reference and aim.ours in batch else None
        goals.append(Goal(f"{aim.what}, batch of {effort.n_clips}", aim.limit, reference or aim.others[0], measured))
    return goals
