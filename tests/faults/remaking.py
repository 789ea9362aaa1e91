"""Make a run again from what its folder says of it, and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def command_of(run: Path) -> tuple[list[str], dict[str, str]]:
    """Read from `config.json` and `environment.json` how to make a run again.

    Returns:
        The arguments of `cohear` but for `--out`, and the environment's variables.
    """
    told, environment = (json.loads((run / name).read_text("utf-8")) for name in ("config.json", "environment.json"))
    settings = dict(_flat(told["config"]))
    preset = settings.pop("preset")
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={_typed(value)}")]
    hidden = (None, "(a path)")  # paths are of the machine
    variables = {name: value for name, value in environment["variables"].items() if value not in hidden}
    variables["OMP_NUM_THREADS"] = str(environment["n_threads"])
    return ["train", told["data_path"], "--preset", preset, "--track", told["track"], *words], variables


def cohear(arguments: list[str], folder: Path, variables: dict[str, str]) -> str | None:
    """Run a command in a folder, with a cache that is not there yet and few variables; say what went wrong."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
    environment = {**kept, "HOME": str(folder), "COHEAR_CACHE": str(folder / "cache"), **variables}
    command = [sys.executable, "-m", "cohear", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    return f"cohear {arguments[0]} ended with {done.returncode}: {done.stderr[-500:]}" if done.returncode else None


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, value in values.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return found


def _typed(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
