"""Folders of finished runs, made without training; and the grid of the paper."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cohear.metrics.tasks import SINGLE_LABEL
from cohear.reports.experiments import VARIANTS
from cohear.runs.config import change
from cohear.runs.finding import find_finished
from cohear.runs.identity import NUMERICS, ONE_READ
from cohear.runs.paper import TABLE_1
from cohear.runs.predictions import round_predictions, write_predictions
from cohear.runs.presets import PRESETS, scale_schedules, small
from cohear.runs.run import Record, Run

CLASSES = ("dog", "rain", "siren", "bird")
NAMES = {(model.method, model.transform): model.name for model in TABLE_1 if not model.name.endswith(ONE_READ)}


def write_run(
    folder: Path,
    method: str = "consistency",
    transform: str = "combination",
    fold: int = 1,
    seed: int = 0,
    wrong: tuple[int, ...] = (3, 10),
    n_clips: int = 20,
    classes: tuple[str, ...] = CLASSES,
    n_epochs: int = 3,
    tracked: bool = True,
    jsd_scale: float = 1.0,
    test_accuracies: tuple[float, ...] = (),
    settings: dict[str, Any] | None = None,
    numerics: int = NUMERICS,
    recording_size: int = 2,
    **metrics: Any,
) -> Path:
    """Write a finished run; the clips numbered `wrong` are answered by the class after their label's.

    `jsd_scale` multiplies the divergence over the epochs, and `test_accuracies` stand in for the usual rising ones. The
    configuration is the preset's, but for the preset `paper` scaled to the epochs, with `settings` and with what the
    model of that name changes; the rest are metrics, or replace what the record says.
    """
    settings = settings or {}
    said = {"model": NAMES.get((method, transform), f"{transform}-{method}"), "dataset": "made-up", "preset": "small"}
    given = [
        name
        for name in ("model", "dataset", "data_fingerprint", "preset", "precision", "experiment")
        if name in metrics
    ]
    said |= {name: str(metrics.pop(name)) for name in given}
    variant, base = VARIANTS.get(said["model"]), PRESETS.get(said["preset"], small)()
    changes = {"preset": said["preset"], "method": method, "views.transform": transform, "fold": fold, "seed": seed}
    changes |= {"data.clip_s": 5.0, "training.precision": "float32"}
    if said.get("precision") in ("float32", "bf16"):
        changes["training.precision"] = said["precision"]
    changes |= dict(variant.changes if variant else ()) | settings
    record = Record(
        config=change(base if said["preset"] == "paper" else scale_schedules(base, n_epochs), changes),
        model=said["model"],
        identity=str(folder),
        experiment=said.get("experiment", f"{method} {transform} {settings} {numerics} {said['preset']}"),
        numerics=numerics,
        data_path="/data/made-up",
        dataset=said["dataset"],
        data_fingerprint=said.get("data_fingerprint", ""),
        classes=classes,
        task=SINGLE_LABEL.name,
        track="every",
    )
    run = Run(folder)
    run.write_record(record)
    write_json(folder / "environment.json", {"python": "3.11.2", "packages": {"torch": "2.13.0"}})
    history = [_epoch(epoch, n_epochs, tracked, jsd_scale) for epoch in range(1, n_epochs + 1)]
    for record, accuracy in zip(history, test_accuracies, strict=False):
        record["test_accuracy"] = accuracy
    (folder / "history.jsonl").write_text("".join(json.dumps(record) + "\n" for record in history))
    _write_predictions(folder, classes, n_clips, fold, wrong, recording_size)
    values = {
        "accuracy": 1 - len(wrong) / n_clips,
        "n_clips": n_clips,
        "n_train_clips": 4 * n_clips,
        "n_validation_clips": 0,
        "kept_epoch": n_epochs,
        "nll": 0.7,
        "jsd": 0.05,
        "jsd_own": None if method == "none" else 0.04,
        "fold": fold,
        "warnings": [],
        "data_notes": ["80 clips decoded to 5 s at 22050 Hz"],
    }
    run.write_metrics(values | metrics)
    return folder


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))


def _epoch(epoch: int, n_epochs: int, tracked: bool, jsd_scale: float) -> dict:
    left = math.exp(-3 * epoch / n_epochs)
    record = {"epoch": epoch, "consistency_weight": 5 * (epoch - 1) / n_epochs, "loss": 3 * left}
    record |= {"classification": 3 * left, "consistency": 0.3 * left}
    for part, factor in (("train", 0.5), ("test", 1.0)) if tracked else ():
        record[f"{part}_accuracy"] = 1 - 0.9 * left
        record[f"{part}_jsd"] = jsd_scale * 0.2 * factor * (0.2 + left)
    return record


def _write_predictions(
    folder: Path, classes: tuple[str, ...], n_clips: int, fold: int, wrong: tuple[int, ...], recording_size: int
) -> None:
    clips = np.arange(n_clips)
    labels = clips % len(classes)
    answers = (labels + np.isin(clips, wrong)) % len(classes)
    probabilities = np.full((n_clips, len(classes)), 0.2 / (len(classes) - 1), np.float32)
    probabilities[clips, answers] = 0.8
    paths = tuple(f"fold{fold}/{clip}.wav" for clip in clips)
    groups = tuple(f"recording {fold}-{clip // recording_size}" for clip in clips)
    jsd = np.full(n_clips, 0.05, np.float32)
    write_predictions(folder, round_predictions(classes, paths, groups, labels, answers, np.log(probabilities), jsd))


def read_runs(paths: Sequence[Path]) -> list[Run]:
    return find_finished(paths)[0]


def write_grid(folder, n_wrong, folds=range(1, 6), seeds=(0,), models=TABLE_1, **settings):
    """Write runs of the paper's preset and read them; `n_wrong`, by model or method, are a fold's first clips."""
    settings = {"dataset": "ESC-50", "preset": "paper", "tracked": False, "n_epochs": 1} | settings
    for model in models:
        for fold in folds:
            for seed in seeds:
                place, wrong = (
                    folder / f"{model.name} {fold} {seed}",
                    tuple(range(n_wrong.get(model.name, n_wrong[model.method]))),
                )
                write_run(
                    place, model.method, model.transform, fold, seed, wrong,
                    model=model.name, **{"settings": dict(model.changes)} | settings,
                )  # fmt: skip
    return read_runs([folder])
