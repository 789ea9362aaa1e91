"""What the children of a benchmark do; arguments and results are plain, as JSON has them."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

import numpy as np

from cohear.benchmarks.contender import Contender, Prepare, Task
from cohear.benchmarks.inputs import SAMPLE_RATE, clips, make_inputs
from cohear.benchmarks.memory import extra_peak_mb
from cohear.benchmarks.ours import BY_HAND, OURS
from cohear.benchmarks.peers import PEERS
from cohear.benchmarks.pitch_quality import PAPER_SHIFTS
from cohear.benchmarks.pitch_survey import survey
from cohear.benchmarks.timing import first_line, median_lap, take_turns


def contenders(task: Task) -> tuple[Contender, ...]:
    """Return all contenders of a task, ours first."""
    return *OURS[task], *BY_HAND[task], *PEERS[task]


def _prepared(task: Task, name: str) -> Prepare:
    return next(one for one in contenders(task) if one.name == name).load()


def peak_memory(task: Task, name: str, n_clips: int) -> float:
    """Return the peak memory of one call, 1e6 bytes beyond input and output."""
    prepare = _prepared(task, name)
    inputs = make_inputs(task, n_clips)
    # A tenth of a clip first: plans, tables and compiled code stay, and are not the call's.
    prepare(*(array[:1, : max(array.shape[1] // 10, 1)] if array.ndim > 1 else array[:1] for array in inputs))()
    return extra_peak_mb(prepare(*inputs))


def survey_pitch(name: str, semitones: Sequence[float], tones_hz: Sequence[float]) -> dict[str, float]:
    """Return the fields of a `PitchSurvey`."""
    prepare = _prepared("pitch", name)
    return dataclasses.asdict(
        survey(lambda signals, shifts: np.stack(list(prepare(signals, shifts)())), semitones, tones_hz, SAMPLE_RATE)
    )


def time_in_turns(
    task: Task, names: Sequence[str], n_clips: int, n_rounds: int, budget_s: float, keep_going: Sequence[str]
) -> tuple[dict[str, list[tuple[float, float] | None]], dict[str, str]]:
    """Return for each name wall and CPU seconds of each round, and what failed."""
    calls: dict[str, Callable[[int], Callable[[], Any]]] = {}
    failures: dict[str, str] = {}
    n_turns = len(PAPER_SHIFTS) if task == "pitch" else 1  # other inputs are always the same
    inputs = functools.lru_cache(maxsize=n_turns)(lambda turn: make_inputs(task, n_clips, turn))
    for name in names:
        try:
            prepare = _prepared(task, name)
            prepare(*make_inputs(task, 1))()  # whatever is done once only
        except Exception as error:  # whatever a library raises is its result
            failures[name] = first_line(error)
            continue
        calls[name] = functools.partial(lambda prepare, turn: prepare(*inputs(turn % n_turns)), prepare)
    laps, failed = take_turns(calls, n_rounds, budget_s, keep_going)
    plain = {name: [lap and (lap.wall_s, lap.cpu_s) for lap in row] for name, row in laps.items()}
    return plain, {**failures, **failed}


def time_transforms(n_clips: int, n_rounds: int) -> dict[str, list[float] | str]:
    """Time every transform of `cohear.transforms` that is not made of others: drawing and applying.

    Returns:
        For each name CPU milliseconds per clip, of one clip and of a batch; or why it was not measured.
    """
    import torch

    from cohear import keys, transforms
    from cohear.dsp.recordings import Recordings

    recorded = {"recordings": Recordings(clips(4), SAMPLE_RATE), "sample_rate": SAMPLE_RATE}
    arguments: dict[str, dict[str, Any]] = {"AddRecordedNoise": recorded}
    batches: dict[str, torch.Tensor] = {
        "waveform": torch.from_numpy(clips(n_clips)),
        "log_mel": torch.from_numpy(make_inputs("spec_augment", n_clips)[0]),
    }
    made_of_others = (transforms.Transform, transforms.Chain, transforms.Choose)
    measured: dict[str, list[float] | str] = {}
    for name in sorted(transforms.__all__):
        kind = getattr(transforms, name)
        if not isinstance(kind, type) or not issubclass(kind, transforms.Transform) or kind in made_of_others:
            continue
        given = arguments.get(name, {})
        if any(one.default is one.empty and one.name not in given for one in signature(kind).parameters.values()):
            measured[name] = "it needs arguments"
            continue
        try:
            transform = kind(**given)
            measured[name] = [
                _ms_per_clip(
                    transform, batches[transform.domain][:n], keys.fold_in(keys.key(0, "bench"), np.arange(n)), n_rounds
                )
                for n in (1, n_clips)
            ]
        except Exception as error:  # a defect of ours is shown, too
            measured[name] = first_line(error)
    return measured


def _ms_per_clip(transform: Any, batch: Any, clip_keys: np.ndarray, n_rounds: int) -> float:
    def call() -> Any:
        return transform.apply(batch, transform.draw(clip_keys))

    call()  # banks are made once
    laps, failures = take_turns({"": lambda _: call}, n_rounds, budget_s=5.0)
    if failures:
        raise RuntimeError(failures[""])
    lap = median_lap(laps[""])
    return math.nan if lap is None else 1e3 * lap.cpu_s / len(batch)


def make_rooms(n_rooms: int) -> tuple[float, float]:
    """Return the seconds that the paper's room responses take, and the greatest relative error of their time."""
    from cohear.dsp.decay_times import decay_times_s
    from cohear.dsp.rooms import room_responses, room_targets

    room_responses(2, sample_rate=SAMPLE_RATE)
    start = time.perf_counter()
    responses = room_responses(n_rooms, sample_rate=SAMPLE_RATE)
    duration_s = time.perf_counter() - start
    measured_s = decay_times_s(responses.numpy(), SAMPLE_RATE)
    return duration_s, float(np.abs(measured_s / room_targets(n_rooms) - 1).max())
