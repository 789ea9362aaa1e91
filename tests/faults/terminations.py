"""SIGTERM, and Ctrl-C twice: real processes, asked to leave at their busiest. They save or fall back, and are gone.

A moment within a long step counts where the process says that it left within a step: on a machine on which the step was
over sooner nothing was tried.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from faults.tally import Tally
from tiny import OPTIONS, write_tones

PATIENCE_S = 300.0
APART_S = 0.3
"""Between two signals."""


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Ask to leave at each of these moments."""
    n = 1 if quick else 3
    table = write_tones(scratch / "tones", n_clips=2)
    longer = write_tones(scratch / "longer", n_clips=8, clip_s=5.0)
    tiny = (table, *OPTIONS, "--set", "training.epochs=400", "--track", "end")
    full_size = (longer, "--preset", "paper", "--set", "data.sample_rate=44100", "--set", "views.n_rooms=4")
    long_step = ("within a step of a minute", full_size, "run/history.jsonl", 3.0)
    yield _judge(
        "SIGTERM saves or falls back to the last checkpoint, and the process is gone with 143 within 10 s",
        Asking((signal.SIGTERM,), 143, 10.0),
        [
            [
                Moment("while it starts", tiny, "begun", 1.0 + index),
                Moment("while it decodes", (_many_clips(table), *OPTIONS), "cache/*.partial", 0.3),
                Moment("between short steps", tiny, "run/checkpoint/epoch-2-*", 0.1 * index, is_saved=True),
                Moment(*long_step, is_within=True),
            ]
            for index in range(n)
        ],
        scratch / "terminated",
    )
    yield _judge(
        "A second Ctrl-C within a long step ends the process with 130 within 4 s",
        Asking((signal.SIGINT, signal.SIGINT), 130, 4.0),
        [[Moment(*long_step, is_within=True)]] * n,
        scratch / "interrupted",
    )


@dataclass(frozen=True)
class Asking:
    """How a process is asked to leave."""

    signals: tuple[signal.Signals, ...]
    status: int
    """With which it shall leave."""
    limit_s: float
    """From the last signal on."""


@dataclass(frozen=True)
class Moment:
    """When the signals are sent."""

    name: str
    words: tuple[object, ...]
    """Of the training."""
    sign: str
    """A file below the try's folder that says that the moment comes; a pattern."""
    later_s: float
    """Seconds from then on."""
    is_saved: bool = False
    """Whether there is time to save; else the run may fall back to its last checkpoint."""
    is_within: bool = False
    """Whether the step must last longer than the process may."""


class NotTriedError(Exception):
    """The moment did not come as it should have."""


def _judge(promise: str, asking: Asking, rounds: Sequence[Sequence[Moment]], scratch: Path) -> Tally:
    """Ask at all moments of all rounds."""
    tally = Tally(promise, sum(map(len, rounds)))
    longest_s = 0.0
    for index, moments in enumerate(rounds):
        for number, moment in enumerate(moments):
            folder = scratch / f"{index}-{number}"
            (folder / "begun").mkdir(parents=True)
            try:
                took_s, problem = _ask(asking, moment, folder)
            except NotTriedError as reason:
                print(f"{moment.name}, try {index + 1}, counts as not tried: {reason}")
                continue
            longest_s = max(longest_s, took_s)
            tally.judge(f"{moment.name}, try {index + 1}", problem)
    tally.figures = f"at most {longest_s:.1f} s"
    return tally


def _ask(asking: Asking, moment: Moment, folder: Path) -> tuple[float, str | None]:
    """Begin a training, and end it when its moment has come; returns the seconds it took, and what was wrong."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COHEAR_CACHE": str(folder / "cache")}
    command = [sys.executable, "-m", "cohear", "train", *map(str, moment.words), "--out", str(folder / "run")]
    with subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + PATIENCE_S
        while not any(folder.glob(moment.sign)):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                return 0.0, f"its moment did not come: {process.communicate()[1][-300:]}"
            time.sleep(0.01)
        time.sleep(moment.later_s)
        *before, last_signal = asking.signals
        for number in before:
            process.send_signal(number)
            time.sleep(APART_S)
        asked = time.monotonic()
        process.send_signal(last_signal)
        try:
            _, err = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            return 60.0, "it did not leave within a minute"
    took_s, last = time.monotonic() - asked, (err.strip().splitlines() or [""])[-1]
    print(f"{' '.join(number.name for number in asking.signals)} {moment.name}: {took_s:.1f} s, {last}")
    if process.returncode != asking.status or "Traceback" in err:
        return took_s, f"status {process.returncode}: {last}"
    return took_s, _problem(asking, moment, folder / "run", took_s, last)


def _problem(asking: Asking, moment: Moment, run: Path, took_s: float, last: str) -> str | None:
    """Say what was wrong with how long a process took to leave, or with the last line it said.

    Raises:
        NotTriedError: where it left well, and not at its moment.
    """
    if not last.startswith("cohear: stopped"):
        return f"it says: {last}"
    if moment.is_saved and not _saved_as_said(last, run):
        return f"what it stopped at is not saved: {last}"
    if took_s > asking.limit_s:
        return f"it took {took_s:.1f} s"
    if moment.is_within and not last.startswith("cohear: stopped within a step"):
        raise NotTriedError(f"the step was over sooner: {last}")
    return None


def _saved_as_said(last: str, run: Path) -> bool:
    said = re.search(r"stopped in epoch (\d+) after step (\d+), everything is saved", last)
    return said is not None and (run / "checkpoint" / f"epoch-{said[1]}-step-{said[2]}.safetensors").is_file()


def _many_clips(table: Path) -> Path:
    """Write a table of thousands of segments, so that decoding takes a while."""
    rows = [f"tone{i % 3}-1-0.wav,tone{i % 3},{i % 2},{i / 1e5},{0.5 + i / 1e5}" for i in range(9000)]
    many = table.with_name("many.csv")
    many.write_text("\n".join(["path,label,fold,start,end", *rows]) + "\n")
    return many
