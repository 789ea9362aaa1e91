"""The same once more: a run is made again from what its folder says of it, and nothing else."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from faults.tally import Tally
from tiny import OPTIONS, write_classes, write_tones


def trials(folder: Path, quick: bool) -> Iterator[Tally]:
    """Train in one folder, then again in another from what the first run says of itself; `quick` one run of five."""
    first, again = folder / "first", folder / "again"
    write_tones(first / "tones")
    write_classes(first / "classes")
    write_classes(first / "several", several=True)
    own = [*OPTIONS, "--set", "data.clip_s=0.5"]
    recipe = ["--transform", "pitch(semitones=-1|1.5)+reverb(n_rooms=4),masking", "--set", "network.width=0.1"]
    cases = {
        "a table, two threads": (["tones/tones.csv", *OPTIONS, *recipe, "--fold", "2"], {"OMP_NUM_THREADS": "2"}),
        "a folder, weights, patience": (["classes", *own, "--balance", "sampling", "--patience", "1"], {}),
        "several labels": (["several/clips.csv", *own, "--balance", "weights", "--track", "end"], {}),
        "standard": (["tones/tones.csv", *OPTIONS, "--method", "standard", "--transform", "masking"], {}),
        "none, every clip": (["tones/tones.csv", *OPTIONS, "--method", "none", "--fold", "all"], {}),
    }
    cases = dict(list(cases.items())[: 1 if quick else None])
    tally = Tally(
        "A run made again from its config.json and environment.json alone has the same bytes of weights", len(cases)
    )
    for case, (arguments, variables) in cases.items():
        run = first / "run"
        shutil.rmtree(run, ignore_errors=True)
        shutil.rmtree(again, ignore_errors=True)
        for data in ("tones", "classes", "several"):
            shutil.copytree(first / data, again / data)
        problem = _cohear(["train", *arguments, "--out", "run"], first, {"OMP_NUM_THREADS": "1", **variables})
        if problem is None:
            told, variables = command_of(run)
            problem = _cohear([*told, "--out", "run"], again, variables)
        weights = [its / "model.safetensors" for its in (run, again / "run")]
        if problem is None and weights[0].read_bytes() != weights[1].read_bytes():
            problem = "other weights"
        tally.judge(case, problem)
    yield tally


def command_of(run: Path) -> tuple[list[str], dict[str, str]]:
    """Read from `config.json` and `environment.json` how to make a run again.

    Returns:
        The arguments of `cohear` but for `--out`, and the environment's variables.
    """
    told, environment = (json.loads((run / name).read_text("utf-8")) for name in ("config.json", "environment.json"))
    settings = dict(_flat(told["config"]))
    preset = settings.pop("preset")
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    hidden = (None, "(a path)")  # paths are of the machine
    variables = {name: value for name, value in environment["variables"].items() if value not in hidden}
    variables["OMP_NUM_THREADS"] = str(environment["n_threads"])
    return ["train", told["data_path"], "--preset", preset, "--track", told["track"], *words], variables


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _cohear(arguments: list[str], folder: Path, variables: dict[str, str]) -> str | None:
    """Run a command in a folder, with a cache that is not there yet and few variables; say what went wrong."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
    environment = {**kept, "HOME": str(folder), "COHEAR_CACHE": str(folder / "cache"), **variables}
    command = [sys.executable, "-m", "cohear", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return f"cohear {arguments[0]} ended with {done.returncode}: {done.stderr[-500:]}" if done.returncode else None
