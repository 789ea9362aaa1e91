"""Read what a finished run left in its folder.

A folder with `config.json` is a run; it is finished when it also holds `metrics.json`, which is written last.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cohear.errors import UserError
from cohear.experiments.predictions import PREDICTIONS, Predictions, damaged, read_predictions
from cohear.reports.paper_numbers import PAPER_TABLE_1

CONFIG, ENVIRONMENT, HISTORY = "config.json", "environment.json", "history.jsonl"
METRICS = "metrics.json"

_NUMBER = (int, float)
_METRICS: dict[str, tuple[type, ...]] = {
    "accuracy": _NUMBER,
    "n_clips": (int,),
    "nll": _NUMBER,
    "jsd": _NUMBER,
    "jsd_own": (*_NUMBER, type(None)),
    "method": (str,),
    "transform": (str,),
    "fold": (int,),
    "seed": (int,),
    "model": (str,),
    "dataset": (str,),
    "preset": (str,),
    "epochs": (int,),
    "precision": (str,),
    "experiment": (str,),
    "warnings": (list,),
    "data_notes": (list,),
}


_SENTENCES = ("warnings", "data_notes")


@dataclass(frozen=True, eq=False)
class RunSummary:
    """A finished run, as its folder tells it."""

    folder: Path
    accuracy: float
    """Share of the clean test clips answered rightly, in [0, 1]."""
    n_clips: int
    nll: float
    """Nats."""
    jsd: float
    """Nats, over views of the combination whatever the run was trained on."""
    jsd_own: float | None
    """Nats, over views of the run's own transform; None where it has none."""
    method: str
    transform: str
    fold: int
    seed: int
    model: str
    """The paper's name."""
    dataset: str
    preset: str
    epochs: int
    precision: str
    experiment: str
    """What runs on other folds and seeds share."""
    warnings: tuple[str, ...]
    """What should be known of the split."""
    data_notes: tuple[str, ...]
    """What decoding did to the sounds."""
    config: dict[str, Any]
    """The resolved settings, by section."""
    facts: dict[str, Any]
    """What else `config.json` says of the run: its data, its identity."""
    environment: dict[str, Any]
    history: tuple[dict[str, Any], ...]
    """One record per epoch."""

    @property
    def title(self) -> str:
        """Name the run in a few words."""
        return f"{self.model} on {self.dataset}, fold {self.fold}, seed {self.seed}"

    @cached_property
    def predictions(self) -> Predictions:
        """The answers to the test clips, read when first asked for.

        Raises:
            UserError: if the file is missing, damaged or of another number of clips.
        """
        predictions = read_predictions(self.folder)
        n_correct = int(predictions.correct.sum())
        if len(predictions.paths) != self.n_clips:
            raise damaged(
                self.folder / PREDICTIONS,
                f"it has {len(predictions.paths)} clips, {METRICS} says {self.n_clips}",
            )
        if n_correct != round(self.accuracy * self.n_clips):
            raise damaged(
                self.folder / PREDICTIONS, f"{n_correct} answers are right, {METRICS} says {self.accuracy:.2%}"
            )
        return predictions


def read_run(folder: Path) -> RunSummary:
    """Read a finished run.

    Raises:
        UserError: if the folder is no run, the run is unfinished, or a file of it is missing or damaged.
    """
    if not (folder / CONFIG).is_file():
        raise UserError(
            f"'{folder}' is not a run folder (it has no {CONFIG}): give the folder that `cohear train` wrote."
        )
    if not (folder / METRICS).is_file():
        raise UserError(
            f"'{folder}' holds an unfinished run (it has no {METRICS}): finish it with the command that began "
            "it and --resume."
        )
    metrics = _read_json(folder / METRICS)
    for name, types in _METRICS.items():
        if name not in metrics:
            raise damaged(folder / METRICS, f"it has no {name!r}")
        if not isinstance(metrics[name], types) or isinstance(metrics[name], bool):
            raise damaged(folder / METRICS, f"{name!r} cannot be {metrics[name]!r}")
    if (metrics["transform"], metrics["method"]) not in PAPER_TABLE_1:
        wrong = f"method {metrics['method']!r} with transform {metrics['transform']!r}"
        raise damaged(folder / METRICS, f"there is no {wrong}")
    known = {name: metrics[name] for name in _METRICS if name not in _SENTENCES}
    facts = _read_json(folder / CONFIG)
    config = facts.pop("config", None)
    if not isinstance(config, dict):
        raise damaged(folder / CONFIG, "it has no 'config'")
    return RunSummary(
        folder=folder,
        **known,
        warnings=tuple(map(str, metrics["warnings"])),
        data_notes=tuple(map(str, metrics["data_notes"])),
        config=config,
        facts=facts,
        environment=_read_json(folder / ENVIRONMENT),
        history=_read_history(folder / HISTORY),
    )


def read_runs(paths: Iterable[Path]) -> list[RunSummary]:
    """Read runs; a path is a run folder, or a folder with run folders somewhere below it.

    Unfinished runs below a folder are left out (`unfinished_runs` names them), one given by its own path is
    refused.

    Raises:
        UserError: if a path does not exist, holds no finished run, or a run cannot be read.
    """
    folders: dict[Path, Path] = {}
    for path in paths:
        found = _run_folders(path)
        finished = [folder for folder in found if folder == path or (folder / METRICS).is_file()]
        if not finished:
            unfinished = f", only {len(found)} unfinished" if found else ""
            raise UserError(
                f"'{path}' holds no finished run{unfinished}: give the folder of a run, or a folder with some."
            )
        folders.update({folder.resolve(): folder for folder in finished})
    return [read_run(folder) for folder in folders.values()]


def unfinished_runs(paths: Iterable[Path]) -> list[Path]:
    """Find the folders of unfinished runs, at or below the paths."""
    found = [folder for path in paths for folder in _run_folders(path)]
    return [folder for folder in found if not (folder / METRICS).is_file()]


def _run_folders(path: Path) -> list[Path]:
    if not path.is_dir():
        kind = "is a file" if path.exists() else "does not exist"
        raise UserError(f"'{path}' {kind}: give the folder of a run, or a folder of such folders.")
    found = []
    for folder, below, files in os.walk(path):
        below.sort()
        if CONFIG in files:
            found.append(Path(folder))
            below.clear()  # a run holds no runs
    return found


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"'{file}' is missing: train this run again, or leave it out.") from None
    except UnicodeDecodeError:
        raise damaged(file, "it is not text") from None


def _read_json(file: Path) -> dict[str, Any]:
    return _parse_object(_read_text(file), file)


def _parse_object(text: str, file: Path) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise damaged(file, f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise damaged(file, "not a JSON object")
    return value


def _read_history(file: Path) -> tuple[dict[str, Any], ...]:
    records = tuple(_parse_object(line, file) for line in _read_text(file).splitlines() if line.strip())
    if not all(isinstance(record.get("epoch"), int) for record in records):
        raise damaged(file, "a line has no 'epoch'")
    return records
