"""What is measured in processes of their own: a library that crashes, hangs or fills the memory takes nothing along.

Every library gets as many threads as is asked for: their pools read the environment when they are first imported.
Arguments and results are plain, as JSON has them.
"""

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.contenders import SAMPLE_RATE, Prepare, Task, made_up_clips, make_inputs
from benchmarks.measuring import Lap, extra_peak_mb, first_line, median_lap, take_turns
from benchmarks.peers import contenders
from benchmarks.pitch_quality import PAPER_SHIFTS, survey
from cohear import keys, transforms
from cohear.dsp.recordings import Recordings
from cohear.dsp.rooms import reverberation_time, room_responses, room_targets

_POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class ChildError(Exception):
    """What went wrong in the child, in one line."""


def call_in_child(function: str, *arguments: Any, n_threads: int = 1, timeout_s: float = 900.0) -> Any:
    """Call a function of this module in a fresh interpreter and return what it returns.

    Raises:
        ChildError: if it raises, ends otherwise without a result, or takes too long.
    """
    with tempfile.TemporaryDirectory(prefix="cohear-bench-") as folder:
        place = Path(folder) / "result.json"  # a file and not the standard output, to which libraries print
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.children", str(place), function]
        try:
            ended = subprocess.run(
                [*command, json.dumps(arguments)],
                cwd=Path(__file__).parents[1],
                env={**os.environ, **dict.fromkeys(_POOLS, str(n_threads)), "TMPDIR": folder},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired:
            raise ChildError(f"it was stopped after {timeout_s:g} s") from None
        if ended.returncode < 0:
            raise ChildError(f"its process was ended by {signal.Signals(-ended.returncode).name}")
        if ended.returncode:
            raise ChildError((ended.stderr.strip().splitlines() or [f"exit status {ended.returncode}"])[-1])
        return json.loads(place.read_text())


def _prepared(task: Task, name: str) -> Prepare:
    return next(one for one in contenders(task) if one.name == name).load()


def peak_memory(task: Task, name: str, n_clips: int) -> float:
    """Return the peak memory of one call, 1e6 bytes beyond input and output."""
    prepare, inputs = _prepared(task, name), make_inputs(task, n_clips)
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
) -> tuple[dict[str, list[Lap | None]], dict[str, str]]:
    """Return the laps of each name, and what failed."""
    n_turns = len(PAPER_SHIFTS) if task == "pitch" else 1  # other inputs are always the same
    inputs = lru_cache(maxsize=n_turns)(lambda turn: make_inputs(task, n_clips, turn))
    calls: dict[str, Callable[[int], Callable[[], Any]]] = {}
    failures: dict[str, str] = {}
    for name in names:
        try:
            prepare = _prepared(task, name)
            prepare(*make_inputs(task, 1))()  # whatever is done once only
        except Exception as error:  # whatever a library raises is its result
            failures[name] = first_line(error)
        else:
            calls[name] = partial(lambda prepare, turn: prepare(*inputs(turn % n_turns)), prepare)
    laps, failed = take_turns(calls, n_rounds, budget_s, keep_going)
    return laps, {**failures, **failed}


def time_transforms(n_clips: int, n_rounds: int) -> dict[str, list[float]]:
    """Time every transform of `cohear.transforms` that is not made of others: drawing and applying.

    Returns:
        For each name CPU milliseconds per clip, of one clip and of a batch.
    """
    recorded = {"recordings": Recordings(made_up_clips(4), SAMPLE_RATE), "sample_rate": SAMPLE_RATE}
    log_mels = torch.from_numpy(make_inputs("spec_augment", n_clips)[0])
    batches = {"waveform": torch.from_numpy(made_up_clips(n_clips)), "log_mel": log_mels}
    made_of_others = (transforms.Transform, transforms.Chain, transforms.Choose)
    measured = {}
    for name in sorted(transforms.__all__):
        kind = getattr(transforms, name)
        if isinstance(kind, type) and issubclass(kind, transforms.Transform) and kind not in made_of_others:
            transform = kind(**(recorded if name == "AddRecordedNoise" else {}))
            batch = batches[transform.domain]
            measured[name] = [_ms_per_clip(transform, batch[:n], n_rounds) for n in (1, n_clips)]
    return measured


def _ms_per_clip(transform: transforms.Transform, batch: torch.Tensor, n_rounds: int) -> float:
    clip_keys = keys.fold_in(keys.key(0, "bench"), np.arange(len(batch)))

    def call() -> torch.Tensor:
        return transform.apply(batch, transform.draw(clip_keys))

    call()  # banks are made once
    laps, _failures = take_turns({"": lambda _turn: call}, n_rounds, budget_s=5.0)
    lap = median_lap(laps[""])
    return math.nan if lap is None else 1e3 * lap.cpu_s / len(batch)


def make_rooms(n_rooms: int) -> tuple[float, float]:
    """Return the seconds that the paper's room responses take, and the greatest relative error of their time."""
    room_responses(2, sample_rate=SAMPLE_RATE)
    start = time.perf_counter()
    responses = room_responses(n_rooms, sample_rate=SAMPLE_RATE)
    duration_s = time.perf_counter() - start
    measured_s = [reverberation_time(response, SAMPLE_RATE) for response in responses]
    return duration_s, float(np.abs(measured_s / room_targets(n_rooms) - 1).max())


def main(place: str, function: str, arguments: str) -> None:
    """Be the child: call, and write the result as JSON, or say the error's first line and leave with status 1."""
    try:
        Path(place).write_text(json.dumps(globals()[function](*json.loads(arguments))))
    except Exception as error:
        sys.exit(first_line(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
