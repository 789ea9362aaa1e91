"""Read what a finished run left in its folder.

A folder with `config.json` is a run; it is finished when it also holds `metrics.json`, which is written last.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cohear.errors import UserError
from cohear.experiments.config import EVERY_CLIP
from cohear.experiments.predictions import PREDICTIONS, Predictions, damaged, read_predictions
from cohear.reports.paper_numbers import PAPER_TABLE_1
from cohear.runtime.json_text import parse_json
from cohear.runtime.reading import read_plain

CONFIG, ENVIRONMENT, HISTORY = "config.json", "environment.json", "history.jsonl"
METRICS = "metrics.json"

_NUMBER = (int, float)
_TRAINED: dict[str, tuple[type, ...]] = {
    "method": (str,),
    "transform": (str,),
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
_TESTED: dict[str, tuple[type, ...]] = {
    "accuracy": _NUMBER,
    "n_clips": (int,),
    "nll": _NUMBER,
    "jsd": _NUMBER,
    "jsd_own": (*_NUMBER, type(None)),
    "fold": (int,),
}
_SENTENCES = ("warnings", "data_notes")


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """A finished run, whether or not it was tested, as its folder tells it."""

    folder: Path
    method: str
    transform: str
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
    measured: dict[str, Any]
    """All of `metrics.json`."""


@dataclass(frozen=True, eq=False)
class RunSummary(TrainedRun):
    """A finished run that was tested on a fold."""

    accuracy: float
    """Share of the clean test clips answered rightly, in [0, 1]."""
    n_clips: int
    nll: float
    """Nats."""
    jsd: float
    """Nats, over views of the combination whatever the run was trained on."""
    jsd_own: float | None
    """Nats, over views of the run's own transform; None where it has none."""
    fold: int

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
    """Read a finished run that was tested.

    Raises:
        UserError: if the folder is no run, the run is unfinished or was trained on every clip, or a file of it is
            missing or damaged.
    """
    run = read_trained_run(folder)
    if not isinstance(run, RunSummary):
        raise UserError(
            f"'{folder}' was trained on every clip, so there are none it was tested on: give runs with a fold"
        )
    return run


def read_trained_run(folder: Path) -> TrainedRun:
    """Read a finished run; a `RunSummary` where it was tested.

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
    kind = TrainedRun if metrics.get("fold") == EVERY_CLIP else RunSummary
    wanted = {**(_TESTED if kind is RunSummary else {}), **_TRAINED}
    for name, types in wanted.items():
        if name not in metrics:
            raise damaged(folder / METRICS, f"it has no {name!r}")
        if not isinstance(metrics[name], types) or isinstance(metrics[name], bool):
            raise damaged(folder / METRICS, f"{name!r} cannot be {metrics[name]!r}")
    if (metrics["transform"], metrics["method"]) not in PAPER_TABLE_1:
        wrong = f"method {metrics['method']!r} with transform {metrics['transform']!r}"
        raise damaged(folder / METRICS, f"there is no {wrong}")
    known = {name: metrics[name] for name in wanted if name not in _SENTENCES}
    facts = _read_json(folder / CONFIG)
    config = facts.pop("config", None)
    if not isinstance(config, dict):
        raise damaged(folder / CONFIG, "it has no 'config'")
    return kind(
        folder=folder,
        **known,
        measured=metrics,
        warnings=tuple(map(str, metrics["warnings"])),
        data_notes=tuple(map(str, metrics["data_notes"])),
        config=config,
        facts=facts,
        environment=_read_json(folder / ENVIRONMENT),
        history=_read_history(folder / HISTORY),
    )


def read_runs(paths: Iterable[Path]) -> list[RunSummary]:
    """Read runs; a path is a run folder, or a folder with run folders somewhere below it.

    Unfinished runs below a folder are left out (`unfinished_runs` names them), and those that were trained on every
    clip; one given by its own path is refused.

    Raises:
        UserError: if a path does not exist, holds no finished run, or a run cannot be read.
    """
    return [read_run(folder) for folder in _finished_folders(paths, lambda folder: not _is_untested(folder))]


def read_trained_runs(paths: Iterable[Path]) -> list[TrainedRun]:
    """As `read_runs`, with the runs that were trained on every clip."""
    return [read_trained_run(folder) for folder in _finished_folders(paths, lambda _: True)]


def _finished_folders(paths: Iterable[Path], is_wanted: Callable[[Path], bool]) -> list[Path]:
    folders: dict[Path, Path] = {}
    for path in paths:
        found = _run_folders(path)
        finished = [f for f in found if f == path or ((f / METRICS).is_file() and is_wanted(f))]
        if not finished:
            others = f", only {len(found)} unfinished or without a test" if found else ""
            raise UserError(f"'{path}' holds no finished run{others}: give the folder of a run, or a folder with some.")
        folders.update({folder.resolve(): folder for folder in finished})
    return list(folders.values())


def _is_untested(folder: Path) -> bool:
    return _read_json(folder / METRICS).get("fold") == EVERY_CLIP


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
        return read_plain(file).decode()
    except FileNotFoundError:
        raise UserError(
            f"'{file}' is missing: remove metrics.json beside it and go on with --resume, or leave the run out."
        ) from None
    except UnicodeDecodeError:
        raise damaged(file, "it is not text") from None


def _read_json(file: Path) -> dict[str, Any]:
    return _parse_object(_read_text(file), file)


def _parse_object(text: str, file: Path) -> dict[str, Any]:
    try:
        value = parse_json(text)
    except ValueError as error:
        raise damaged(file, f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise damaged(file, "not a JSON object")
    return value


def _read_history(file: Path) -> tuple[dict[str, Any], ...]:
    records = tuple(_parse_object(line, file) for line in _read_text(file).splitlines() if line.strip())
    if not all(isinstance(record.get("epoch"), int) for record in records):
        raise damaged(file, "a line has no 'epoch'")
    return records
