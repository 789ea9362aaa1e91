"""What a large data set costs: `python -m benchmarks.large_sets [--help]`, from the project's root.

Made-up tables whose rows are short segments of twenty sound files, so that a million clips take no more disk than their
decoded sounds. Every step of every size runs in a process of its own, and a store may be built by several. Memory is
the peak of resident memory beyond what the imports took. Linux only, as the kernel's record of the peak is read.
Training is stopped after a few steps: what it holds by then is what the number of clips decides.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.measuring import status_bytes
from benchmarks.page import markdown_table
from cohear.data.datasets import read_dataset
from cohear.runs.config import Config
from cohear.runs.data_check import check_data
from cohear.runs.execution import execute, plan_run
from cohear.runs.plan import list_clips
from cohear.runs.presets import configure

SIZES = (10**3, 10**4, 10**5, 10**6)
_N_FILES, _FILE_S, _SAMPLE_RATE, _CLIP_S = 20, 100, 8000, 0.1
_N_STRETCHES, _N_LABELS, _CLIPS_PER_GROUP = 10, 50, 5
_SETTINGS: dict[str, Any] = {
    "data.sample_rate": _SAMPLE_RATE,
    "data.clip_s": _CLIP_S,
    "front_end.n_fft": 256,
    "front_end.hop_length": 40,
    "front_end.n_mels": 16,
    "network.width": 1 / 16,
    "training.precision": "float32",
}


class _EnoughError(Exception):
    """So many steps were wanted."""


def write_sounds(folder: Path) -> None:
    """Write the files of noise of which all clips are segments."""
    random = np.random.default_rng(0)
    for number in range(_N_FILES):
        noise = 0.1 * random.standard_normal(_FILE_S * _SAMPLE_RATE)
        soundfile.write(folder / f"recording-{number:02d}.wav", noise, _SAMPLE_RATE, subtype="PCM_16")


def write_table(path: Path, n_clips: int) -> None:
    """Write a table of segments, as many of each file; a label holds for a stretch of a file, a group for five clips.

    Files of odd numbers have no groups, so that their clips stay together by their file.
    """
    with open(path, "w", encoding="utf-8") as table:
        table.write("path,label,group,start,end\n")
        per_file = n_clips // _N_FILES
        for number in range(_N_FILES):
            starts_s = np.linspace(0, _FILE_S - 2 * _CLIP_S, per_file).round(6).tolist()
            for place, start_s in enumerate(starts_s):
                label = (number * 7 + place * _N_STRETCHES // per_file) % _N_LABELS
                group = "" if number % 2 else f"{number}-{place // _CLIPS_PER_GROUP}"
                end_s = f"{start_s + _CLIP_S:.6f}"
                table.write(f"recording-{number:02d}.wav,label {label},{group},{start_s:.6f},{end_s}\n")


def _config() -> Config:
    return configure({"data.n_folds": 5}, "small", epochs=1, settings=_SETTINGS)


def read(table: Path) -> object:
    """Read the table, which gives the clips."""
    return read_dataset(table)


def plan(table: Path) -> object:
    """Read the table and the headers and make folds: all of a plan before sounds are decoded."""
    return list_clips(table, _config(), set(_SETTINGS))


def check(table: Path) -> object:
    """Do what `cohear check` does."""
    return check_data(table, _config(), set(_SETTINGS))


def decode(table: Path) -> object:
    """Plan and build the store, or find it built."""
    return list_clips(table, _config(), set(_SETTINGS)).decode()


def train(table: Path, n_steps: int = 20) -> object:
    """Plan a run on the store that is there, and take some steps."""

    def on_step(done: int, _total: int) -> None:
        if done >= n_steps:
            raise _EnoughError

    with tempfile.TemporaryDirectory(dir=table.parent) as out:
        planned = plan_run(table, _config(), set(_SETTINGS), track="end", out=Path(out) / "run")
        with suppress(_EnoughError):
            execute(planned, on_step=on_step)
        return planned


BUILD = "build the store"
STEPS: dict[str, Callable[[Path], object]] = {
    "read the table": read,
    "and make folds": plan,
    "check": check,
    BUILD: decode,
    "open the store": decode,
    "train 20 steps": train,
}


def measure(table: Path, step: str) -> tuple[float, float, float, float]:
    """Do one step; return its seconds, those of all cores, and its peak memory and what it keeps, MiB."""
    before = status_bytes("VmRSS")
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    kept = STEPS[step](table)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    peak = status_bytes("VmHWM") - before
    gc.collect()
    held = status_bytes("VmRSS") - before
    del kept
    return wall_s, cpu_s, peak / 2**20, held / 2**20


def measure_all(
    folder: Path, sizes: Sequence[int], steps: Sequence[str], n_builders: int, say: Callable[[str], None]
) -> str:
    """Measure each step of each size in a process of its own, the store's in as many as build it; return a table."""
    write_sounds(folder)
    rows = []
    for n_clips in sizes:
        table = folder / f"{n_clips}.csv"
        write_table(table, n_clips)
        for step in steps:
            command = [sys.executable, "-m", "benchmarks.large_sets", "--step", step, str(table)]
            environment = {**os.environ, "COHEAR_CACHE": str(folder / f"cache-{n_clips}-{n_builders}")}
            n_processes = n_builders if step == BUILD else 1
            processes = [
                subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
                for _ in range(n_processes)
            ]
            statuses = [process.wait() for process in processes]
            if any(statuses):  # of one that was killed it is negative
                raise SystemExit(f"'{step}' failed")
            told = [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]
            wall_s, _, peak, held = (max(its) for its in zip(*told, strict=True))
            cpu_s = sum(cpu_s for _, cpu_s, _, _ in told)
            step = f"{step}, {n_processes} processes" if n_processes > 1 else step
            say(f"{n_clips} clips, {step}: {wall_s:.1f} s ({cpu_s:.1f} s CPU), {peak:.0f} MiB, {held:.0f} MiB kept")
            numbers = [f"{wall_s:.1f}", f"{cpu_s:.1f}", f"{peak:.0f}", f"{held:.0f}"]
            rows.append([f"{n_clips:,}".replace(",", " "), step, *numbers])
    return markdown_table(["clips", "step", "s", "CPU, s", "peak, MiB", "kept, MiB"], rows)


def main() -> None:
    """Print the growth curve, or as a child one of its points."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_sets", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="clips of a set, multiples of 20")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=[*STEPS], metavar="STEP", help="only these")
    parser.add_argument("--builders", type=int, default=1, metavar="N", help="processes that build the store at once")
    parser.add_argument("--folder", type=Path, help="where to work, and to leave everything; else a temporary one")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("table", type=Path, nargs="?", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(measure(options.table, options.step)))
        return
    with tempfile.TemporaryDirectory(prefix="cohear-large-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(exist_ok=True, parents=True)
        print(
            measure_all(
                folder, options.sizes, options.steps, options.builders, lambda line: print(line, file=sys.stderr)
            )
        )


if __name__ == "__main__":
    main()
