"""What strangers' files are put into: data, runs, a packed model, a cache, all small and finished; and commands."""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import torch

import cohear
from cohear.app import server
from cohear.cli import run
from cohear.data.bank_files import save_bank
from cohear.dsp.response_bank import ResponseBank
from cohear.errors import UserError
from cohear.reports import run_report
from cohear.runtime.files import write_text
from faults.watched import Watched, watch
from tiny import OPTIONS, SAMPLE_RATE, write_classes

Command = tuple[str, ...]
"""Of `cohear`, with paths relative to the scene."""

TRAIN: Command = ("train", "sounds", *OPTIONS, "--set", "training.epochs=1", "--track", "end")


def make_scene(folder: Path) -> Path:
    """Make a folder with everything that cohear reads, whole."""
    folder.mkdir(parents=True)
    write_classes(folder / "sounds", n_clips=12)
    rooms = folder / "rooms"
    rooms.mkdir()
    decay = np.exp(-np.arange(800) / 100).astype(np.float32)
    for number in range(2):
        soundfile.write(rooms / f"{number}.wav", np.roll(decay, number), SAMPLE_RATE)
    save_bank(ResponseBank(np.stack([decay, decay]), SAMPLE_RATE, ("a", "b")), folder / "bank.safetensors")
    whole = (*TRAIN, "--validation", "0.3", "--set", "data.pitch_cache=true")
    commands: tuple[Command, ...] = (
        (*whole, "--out", "run"),
        (*whole, "--seed", "1", "--out", "other"),
        ("pack", "run", "model.cohear"),
        ("predict", "model.cohear", "sounds/tone0/0.wav"),
        (*TRAIN, "--fold", "all", "--out", "every"),
    )
    for command in commands:
        done = in_scene(folder, command)
        assert done.status == 0, done.said
    unfinished = folder / "unfinished"
    shutil.copytree(folder / "run", unfinished)
    for name in ("metrics.json", "model.safetensors", "report.html"):
        (unfinished / name).unlink()
    return folder


@contextlib.contextmanager
def copy_of(scene: Path, place: Path) -> Iterator[Path]:
    """Lend a copy of a scene, the times of its files kept."""
    shutil.copytree(scene, place, symlinks=True)
    try:
        yield place
    finally:
        shutil.rmtree(place)


def in_scene(folder: Path, command: Command, limit_s: int = 300) -> Watched:
    """Run a command of cohear within a scene, watched; what would be served is made ready and not served."""
    return watch(_run, folder, list(command), limit_s=limit_s)


def _run(folder: Path, command: list[str]) -> int:
    os.chdir(folder)
    os.environ["COHEAR_CACHE"] = str(folder / "cache")
    sys.path[:] = [path for path in sys.path if path not in ("", ".")]
    server.serve = lambda *_: print("ready to serve")
    if command[0] in ("train", "crossval"):  # a report takes longer than its run; `report` draws it
        run_report.write_run_report = lambda its, _: write_page(its / run_report.REPORT)
    if command[0] == "load":
        try:
            print(cohear.load(command[1]).predict("sounds/tone0/0.wav"))
        except UserError as error:
            print(error)
            return 2
        return 0
    return run(command)


def write_page(path: Path) -> Path:
    """Write what stands for a report."""
    write_text(path, "a report")
    return path


def import_first() -> None:
    """Import what the commands need, so that it is there in every process that is forked."""
    torch.set_num_threads(1)
    import gradio  # noqa: F401
    import onnxruntime  # noqa: F401

    import cohear.app.page
    import cohear.benchmarks.bench
    import cohear.cli.finish
    import cohear.experiments.grid
    import cohear.experiments.judged_runs
    import cohear.inference.onnx_export
    import cohear.inference.packing
    import cohear.reports.check_report
    import cohear.reports.evaluation_report
    import cohear.reports.run_report
    import cohear.reports.table1_report  # noqa: F401
