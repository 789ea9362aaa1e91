"""What strangers' files are put into: data, runs, a packed model, a cache, all small and finished; and commands."""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

import cohear
from cohear.app import server
from cohear.cli import run
from cohear.data.recordings import save_bank
from cohear.dsp.response_bank import ResponseBank
from cohear.errors import UserError
from cohear.runtime.files import keep_compiled_programs
from faults.commands import leave_pictures_blank
from faults.strangers.watched import Watched, watch
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
    whole = (*TRAIN, "--validation", "0.3")
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


def uses(model: str) -> tuple[Command, ...]:
    """Return commands that use a run or a packed model."""
    sound = "sounds/tone0/0.wav"
    return (
        ("load", model),
        ("predict", model, sound, "--top", "3"),
        ("predict", model, sound, "--format", "audacity", "--out", "tracks"),
        ("predict", model, sound, "--format", "raven", "--out", "tracks"),
        ("predict", model, sound, "--embeddings", "arrays"),
        ("export", model, "made.onnx"),
        ("listen", model, "--port", "0", "--no-open"),
        (*TRAIN, "--init", model, "--out", "begun"),
    )


@contextlib.contextmanager
def copy_of(scene: Path, place: Path) -> Iterator[Path]:
    """Lend a copy of a scene, the times of its files kept."""
    shutil.copytree(scene, place, symlinks=True)
    try:
        yield place
    finally:
        shutil.rmtree(place)


def in_scene(folder: Path, command: Command) -> Watched:
    """Run a command of cohear within a scene, watched; what would be served is made ready and not served."""
    return watch(_run, folder, list(command))


def _run(folder: Path, command: list[str]) -> int:
    os.chdir(folder)
    os.environ["COHEAR_CACHE"] = str(folder / "cache")
    sys.path[:] = [path for path in sys.path if path not in ("", ".")]
    server.serve = lambda *_: print("ready to serve")
    leave_pictures_blank()
    keep_compiled_programs()
    if command[0] != "load":
        return run(command)
    try:
        print(cohear.load(command[1]).predict("sounds/tone0/0.wav"))
    except UserError as error:
        print(error)
        return 2
    return 0
