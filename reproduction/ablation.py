"""What each ingredient of `small` is worth: `python -m reproduction.ablation ESC-50 --epochs 24`.

One ingredient is changed at a time. Every run trains on three quarters of the training clips of a fold and is judged on
the last quarter; what it answers to the clips of its test fold plays no part here. Given again, the command goes on
with what is missing.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cohear.metrics.accuracy import standard_error
from cohear.runs.config import Config, change
from cohear.runs.plan import Prepared, list_clips
from cohear.runs.presets import scale_schedules, small
from reproduction.measuring import Record, measure_missing, trained

FOLDS = (2, 3, 4, 5)
BASE = "small"
INGREDIENTS: dict[str, dict[str, Any]] = {
    BASE: {},
    "bda": {"method": "bda"},
    "standard": {"method": "standard"},
    "two transformed views": {"views.n_transformed": 2},
    "weight 1": {"objective.consistency_weight": 1.0},
    "the paper's schedule": {"optimizer.schedule": "steps", "optimizer.learning_rate": 5e-4},
    "half the learning rate": {"optimizer.learning_rate": 2e-3},
    "batches of 120": {"training.batch_size": 120},
    "average of the weights": {"optimizer.averaging_epochs": 2.0},
    "mixup": {"training.mixup": 0.2},
    "masks": {"views.transform": "combination+masking"},
    "half the width": {"network.width": 1 / 8},
    "twice the epochs": {},
}
"""What is changed, by its name."""
CASE = ("name", "fold", "epochs")


def configured(base: Config, name: str, fold: int, epochs: int) -> Config:
    """Return the configuration of a run.

    Args:
        base: `small` on the data.
        name: of the ingredient that is changed.
        fold: whose test clips are left out.
        epochs: of the runs, with every schedule scaled to them.
    """
    config = change(scale_schedules(base, epochs), {"fold": fold, **INGREDIENTS[name]})
    return scale_schedules(config, 2 * epochs) if name == "twice the epochs" else config


def measure(data: Prepared, name: str, fold: int, epochs: int, deadline_s: float | None) -> Record | None:
    """Train, and judge on validation clips; None where it is too late to begin."""
    if deadline_s is not None and time.time() > deadline_s:
        return None
    with trained(configured(data.listing.config, name, fold, epochs), data) as (run, core_minutes):
        last = run.history[-1]
        answers = {what: last[f"validation_{what}"] for what in ("accuracy", "nll")}
        return {"name": name, "fold": fold, "epochs": epochs, **answers, "core_minutes": core_minutes}


def table(found: Sequence[Record]) -> str:
    """Return the validation accuracies of what was measured, of one number of epochs, as a table in Markdown."""
    by_name = {name: {its["fold"]: its for its in found if its["name"] == name} for name in INGREDIENTS}
    lines = ["| | accuracy, % | against `small` | loss | minutes of a core | folds |", "|---|---:|---:|---:|---:|---:|"]
    for name, its in by_name.items():
        folds = sorted(its.keys() & by_name[BASE].keys())
        if not folds:
            continue
        accuracy, loss, minutes = (
            np.mean([its[fold][what] for fold in folds]) for what in ("accuracy", "nll", "core_minutes")
        )
        gains = [100 * (its[fold]["accuracy"] - by_name[BASE][fold]["accuracy"]) for fold in folds]
        error = standard_error(gains)
        gain = f"{np.mean(gains):+.1f}" + ("" if error is None else f" ± {error:.1f}")
        lines.append(
            f"| {name} | {100 * accuracy:.1f} | {'' if name == BASE else gain} | {loss:.3f} | {minutes:.1f} | "
            f"{len(folds)} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(prog="python -m reproduction.ablation", description=__doc__)
    parser.add_argument("data", type=Path, help="ESC-50")
    parser.add_argument("--epochs", type=int, default=small().training.epochs, help="of each run")
    parser.add_argument("--folds", type=int, nargs="+", default=FOLDS, metavar="N", help="whose clips are not heard")
    parser.add_argument("--out", type=Path, default=Path("results/ablation.json"), help="where the numbers go")
    parser.add_argument("--minutes", type=float, help="after which nothing more is begun")
    options = parser.parse_args()
    deadline_s = None if options.minutes is None else time.time() + 60 * options.minutes
    chosen = {"data.validation_share": 0.25, "fold": FOLDS[0]}
    data = list_clips(options.data, change(small(), chosen), chosen).decode()
    cases = {
        (name, fold, options.epochs): (data, name, fold, options.epochs, deadline_s)
        for fold in options.folds
        for name in INGREDIENTS
    }
    found = measure_missing(measure, cases, CASE, options.out)
    print(table([its for its in found if its["epochs"] == options.epochs]))


if __name__ == "__main__":
    main()
