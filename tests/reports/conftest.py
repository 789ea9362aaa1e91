import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohear.experiments.identity import NUMERICS
from cohear.experiments.paper import ABLATIONS, CONTROLS, TABLE_1
from cohear.experiments.predictions import round_predictions, write_predictions
from cohear.experiments.presets import small
from cohear.experiments.run_folder import SCHEMA
from cohear.reports.run_folders import read_runs

CLASSES = ("dog", "rain", "siren", "bird")
MODELS = {
    ("none", "none"): "No Augmentation",
    ("standard", "combination"): "Combination",
    ("bda", "combination"): "Combination-BDA",
    ("consistency", "combination"): "Combination-CL",
    ("consistency", "pitch"): "Pitch-Shift-CL",
}
CHANGES = {model.name: model.changes for model in (*ABLATIONS, *CONTROLS)}


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
    weight: float = 5.0,
    ramp_epochs: float = small().objective.ramp_epochs,
    jsd_scale: float = 1.0,
    test_accuracies: tuple[float, ...] = (),
    trained_epochs: int | None = None,
    numerics: int | None = NUMERICS,
    rooms: str | None = None,
    **metrics: object,
) -> Path:
    """Write a finished run; the clips numbered `wrong` are answered by the class after their label's.

    `jsd_scale` multiplies the divergence over the epochs, and `test_accuracies` stand in for the usual rising ones.
    The settings are few, and what the model of that name changes; `trained_epochs` are the schedule's.
    """
    folder.mkdir(parents=True)
    right = n_clips - len(wrong)
    values = {
        "accuracy": right / n_clips,
        "n_clips": n_clips,
        "nll": 0.7,
        "jsd": 0.05,
        "jsd_own": None if method == "none" else 0.04,
        "method": method,
        "transform": transform,
        "fold": fold,
        "seed": seed,
        "model": MODELS.get((method, transform), f"{transform}-{method}"),
        "dataset": "made-up",
        "preset": "small",
        "epochs": n_epochs,
        "precision": "float32",
        "experiment": f"{method} {transform} {weight}{'' if numerics == NUMERICS else numerics}{rooms or ''}",
        "schema": SCHEMA,
        "warnings": [],
        "data_notes": ["80 clips decoded to 5 s at 22050 Hz"],
        **metrics,
    }
    config: dict[str, Any] = {
        "preset": values["preset"],
        "method": method,
        "fold": fold,
        "seed": seed,
        "views": {"transform": transform},
        "training": {"precision": values["precision"]},
        "objective": {"consistency_weight": weight, "ramp_epochs": ramp_epochs},
    }
    if trained_epochs is not None:
        config["training"]["epochs"] = trained_epochs
    for name, value in CHANGES.get(str(values["model"]), ()):
        section, _, field = name.partition(".")
        config[section][field] = value
    facts = {"data_path": "/data/made-up", "classes": classes, "track": "every"}
    facts |= {name: fact for name, fact in (("numerics", numerics), ("rooms", rooms)) if fact is not None}
    _write_json(folder / "config.json", {"config": config, **facts})
    _write_json(folder / "environment.json", {"python": "3.11.2", "packages": {"torch": "2.13.0"}})
    history = [_epoch(epoch, n_epochs, weight, tracked, jsd_scale) for epoch in range(n_epochs)]
    for record, accuracy in zip(history, test_accuracies, strict=False):
        record["test_accuracy"] = accuracy
    (folder / "history.jsonl").write_text("".join(json.dumps(record) + "\n" for record in history))
    _write_predictions(folder, classes, n_clips, fold, wrong)
    _write_json(folder / "metrics.json", values)
    return folder


def _epoch(epoch: int, n_epochs: int, weight: float, tracked: bool, jsd_scale: float) -> dict:
    left = math.exp(-3 * (epoch + 1) / n_epochs)
    record = {
        "epoch": epoch,
        "learning_rate": 5e-4,
        "consistency_weight": weight * epoch / n_epochs,
        "loss": 3 * left + weight * epoch / n_epochs * 0.3 * left,
        "classification": 3 * left,
        "consistency": 0.3 * left,
        "n_steps": 7,
        "duration_s": 1.5,
    }
    if tracked:
        for part, factor in (("train", 0.5), ("test", 1.0)):
            record |= {
                f"{part}_accuracy": 1 - 0.9 * left,
                f"{part}_jsd": jsd_scale * 0.2 * factor * (0.2 + left),
                f"{part}_nll": left,
            }
    return record


def _write_predictions(folder: Path, classes: tuple[str, ...], n_clips: int, fold: int, wrong: tuple[int, ...]) -> None:
    clips = np.arange(n_clips)
    labels = clips % len(classes)
    answers = (labels + np.isin(clips, wrong)) % len(classes)
    probabilities = np.full((n_clips, len(classes)), 0.2 / (len(classes) - 1), np.float32)
    probabilities[clips, answers] = 0.8
    paths = tuple(f"fold{fold}/{clip}.wav" for clip in clips)
    groups = tuple(f"recording {fold}-{clip // 2}" for clip in clips)
    jsd = np.full(n_clips, 0.05, np.float32)
    write_predictions(folder, round_predictions(classes, paths, groups, labels, np.log(probabilities), jsd))


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))


def write_grid(folder, n_wrong, folds=range(1, 6), seeds=(0,), models=TABLE_1, **settings):
    """Write runs of the paper's preset and read them; `n_wrong`, by method, are the first clips of each fold."""
    settings = {"dataset": "ESC-50", "preset": "paper", "ramp_epochs": 10.0, "tracked": False, "n_epochs": 1} | settings
    settings = {"trained_epochs": 72 if settings["preset"] == "paper" else 24} | settings
    for model in models:
        for fold in folds:
            for seed in seeds:
                place, wrong = folder / f"{model.name} {fold} {seed}", tuple(range(n_wrong[model.method]))
                write_run(place, model.method, model.transform, fold, seed, wrong, model=model.name, **settings)
    return read_runs([folder])


@pytest.fixture(autouse=True)
def _small_folds(monkeypatch):
    monkeypatch.setattr("cohear.reports.table1_choice.CLIPS_OF_A_FOLD", 20)


@pytest.fixture(name="write_run")
def _write_run():
    return write_run


@pytest.fixture(name="write_grid")
def _write_grid():
    return write_grid
