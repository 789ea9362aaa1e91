"""SIGTERM: real processes, asked to leave at their busiest. They save or fall back, and are gone within ten seconds."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from faults.tally import Tally
from tiny import OPTIONS, write_tones

LIMIT_S = 10.0
PATIENCE_S = 300.0


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Send SIGTERM at each of these moments."""
    n = 1 if quick else 3
    tally = Tally(
        "SIGTERM saves or falls back to the last checkpoint, and the process is gone with 143 within 10 s", 4 * n
    )
    table = write_tones(scratch / "tones", n_clips=2)
    longer = write_tones(scratch / "longer", n_clips=8, clip_s=5.0)
    tiny = (table, *OPTIONS, "--set", "training.epochs=400", "--track", "end")
    full_size = (longer, "--preset", "paper", "--set", "data.sample_rate=44100", "--set", "views.n_rooms=4")
    longest_s = 0.0
    for index in range(n):
        moments = (
            Moment("while it starts", tiny, "begun", 1.0 + index),
            Moment("while it decodes", (_many_clips(table), *OPTIONS), "cache/*.partial", 0.3),
            Moment("between short steps", tiny, "run/checkpoint/epoch-2-*", 0.1 * index, is_saved=True),
            Moment("within a step of a minute", full_size, "run/history.jsonl", 3.0),
        )
        for number, moment in enumerate(moments):
            folder = scratch / f"{index}-{number}"
            (folder / "begun").mkdir(parents=True)
            took_s, problem = _terminate(moment, folder)
            longest_s = max(longest_s, took_s)
            tally.judge(f"{moment.name}, try {index + 1}", problem)
    tally.figures = f"at most {longest_s:.1f} s"
    yield tally


@dataclass(frozen=True)
class Moment:
    """When SIGTERM is sent."""

    name: str
    words: tuple[object, ...]
    """Of the training."""
    sign: str
    """A file below the try's folder that says that the moment comes; a pattern."""
    later_s: float
    """Seconds from then on."""
    is_saved: bool = False
    """Whether there is time to save; else the run may fall back to its last checkpoint."""


def _terminate(moment: Moment, folder: Path) -> tuple[float, str | None]:
    """Begin a training, and end it when its moment has come; returns the seconds it took, and what was wrong."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COHEAR_CACHE": str(folder / "cache")}
    command = [sys.executable, "-m", "cohear", "train", *map(str, moment.words), "--out", str(folder / "run")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, text=True, **pipes) as process:
        deadline = time.monotonic() + PATIENCE_S
        while not any(folder.glob(moment.sign)):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                return 0.0, f"its moment did not come: {process.communicate()[1][-300:]}"
            time.sleep(0.01)
        time.sleep(moment.later_s)
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        try:
            _, err = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            return 60.0, "it did not leave within a minute"
    took_s, last = time.monotonic() - asked, (err.strip().splitlines() or [""])[-1]
    print(f"SIGTERM {moment.name}: {took_s:.1f} s, {last}")
    if process.returncode != 128 + signal.SIGTERM or "Traceback" in err:
        return took_s, f"status {process.returncode}: {last}"
    if not last.startswith("cohear: stopped"):
        return took_s, f"it says: {last}"
    if moment.is_saved and not _saved_as_said(last, folder / "run"):
        return took_s, f"what it stopped at is not saved: {last}"
    return took_s, None if took_s <= LIMIT_S else f"it took {took_s:.1f} s"


def _saved_as_said(last: str, run: Path) -> bool:
    said = re.search(r"stopped in epoch (\d+) after step (\d+), everything is saved", last)
    return said is not None and (run / "checkpoint" / f"epoch-{said[1]}-step-{said[2]}.safetensors").is_file()


def _many_clips(table: Path) -> Path:
    """Write a table of thousands of segments, so that decoding takes a while."""
    rows = [f"tone{i % 3}-1-0.wav,tone{i % 3},{i % 2},{i / 1e5},{0.5 + i / 1e5}" for i in range(9000)]
    many = table.with_name("many.csv")
    many.write_text("\n".join(["path,label,fold,start,end", *rows]) + "\n")
    return many
