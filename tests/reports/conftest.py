import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

CLASSES = ("dog", "rain", "siren", "bird")
MODELS = {
    ("none", "none"): "No Augmentation",
    ("standard", "combination"): "Combination",
    ("bda", "combination"): "Combination-BDA",
    ("consistency", "combination"): "Combination-CL",
    ("consistency", "pitch"): "Pitch-Shift-CL",
}


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
    **metrics: object,
) -> Path:
    """Write a finished run; the clips numbered `wrong` are answered by the class after their label's."""
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
        "experiment": f"{method} {transform} {weight}",
        "schema": 1,
        "warnings": [],
        "data_notes": ["80 clips decoded to 5 s at 22050 Hz"],
        **metrics,
    }
    config = {
        "preset": values["preset"],
        "method": method,
        "fold": fold,
        "seed": seed,
        "views": {"transform": transform},
        "objective": {"consistency_weight": weight},
    }
    facts = {"data_path": "/data/made-up", "classes": classes, "track": "every"}
    _write_json(folder / "config.json", {"config": config, **facts})
    _write_json(folder / "environment.json", {"python": "3.11.2", "packages": {"torch": "2.13.0"}})
    history = [_epoch(epoch, n_epochs, weight, tracked) for epoch in range(n_epochs)]
    (folder / "history.jsonl").write_text("".join(json.dumps(record) + "\n" for record in history))
    _write_predictions(folder / "predictions.csv", classes, n_clips, fold, wrong)
    _write_json(folder / "metrics.json", values)
    return folder


def _epoch(epoch: int, n_epochs: int, weight: float, tracked: bool) -> dict:
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
                f"{part}_jsd": 0.2 * factor * (0.2 + left),
                f"{part}_nll": left,
            }
    return record


def _write_predictions(path: Path, classes: tuple[str, ...], n_clips: int, fold: int, wrong: tuple[int, ...]) -> None:
    header = ["path", "group", "label", "predicted", "probability", "correct", "jsd"]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*header, *(f"p:{name}" for name in classes)])
        for clip in range(n_clips):
            label = clip % len(classes)
            answer = (label + (clip in wrong)) % len(classes)
            probabilities = np.full(len(classes), 0.2 / (len(classes) - 1))
            probabilities[answer] = 0.8
            name, group = f"fold{fold}/{clip}.wav", f"recording {fold}-{clip // 2}"
            row = [name, group, classes[label], classes[answer], 0.8, int(clip not in wrong), 0.05]
            writer.writerow([*row, *probabilities])


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))


@pytest.fixture(name="write_run")
def _write_run():
    return write_run
