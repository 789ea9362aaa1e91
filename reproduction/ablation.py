"""What each ingredient of `small` is worth: `python -m reproduction.ablation ESC-50 --out results/ablation`.

One ingredient is changed at a time. Every run trains on three quarters of the training clips of a fold and is judged on
the last quarter; what it answers to the clips of its test fold plays no part here.
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from cohear.runs.config import change
from cohear.runs.cost import usual_jobs
from cohear.runs.finding import find_finished
from cohear.runs.grid import check_places, run_grid
from cohear.runs.plan import Plan, list_clips
from cohear.runs.presets import scale_schedules, small
from cohear.runs.run import Run

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


def plans(data: Path, out: Path) -> list[Plan]:
    """Plan every run, fold by fold, so that each part of the table compares fairly."""
    chosen = {"data.validation_share": 0.25, "fold": FOLDS[0]}
    listing = list_clips(data, change(small(), chosen), chosen)
    prepared, base = listing.decode(), listing.config
    planned = []
    for fold in FOLDS:
        for name, changes in INGREDIENTS.items():
            config = change(base, {"fold": fold, **changes})
            if name == "twice the epochs":
                config = scale_schedules(config, 2 * config.training.epochs)
            planned.append(Plan(config, prepared, "end", out=out / f"{name.replace(' ', '-')}_fold{fold}"))
    return planned


def table(out: Path) -> str:
    """Return the validation accuracies of what is finished, as a table in Markdown."""
    found: dict[str, dict[int | str, Run]] = defaultdict(dict)
    for run in find_finished([out])[0]:
        name, _, _ = run.folder.name.rpartition("_fold")
        found[name.replace("-", " ")][run.fold] = run
    lines = ["| | accuracy, % | against `small` | loss | minutes |", "|---|---:|---:|---:|---:|"]
    for name in INGREDIENTS:
        runs = found.get(name, {})
        both = sorted(runs.keys() & found[BASE].keys())
        if not both:
            continue
        last = [runs[fold].history[-1] for fold in both]
        gains = [100 * (its["validation_accuracy"] - found[BASE][fold].history[-1]["validation_accuracy"])
                 for its, fold in zip(last, both, strict=True)]  # fmt: skip
        error = f" ± {np.std(gains, ddof=1) / len(gains) ** 0.5:.1f}" if len(gains) > 1 and name != BASE else ""
        minutes = [sum(epoch["duration_s"] for epoch in runs[fold].history) / 60 for fold in both]
        lines.append(
            f"| {name} | {100 * np.mean([its['validation_accuracy'] for its in last]):.1f} | "
            f"{'' if name == BASE else f'{np.mean(gains):+.1f}{error}'} | "
            f"{np.mean([its['validation_nll'] for its in last]):.3f} | {np.mean(minutes):.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Make what is missing, then print the table."""
    parser = argparse.ArgumentParser(prog="python -m reproduction.ablation", description=__doc__)
    parser.add_argument("data", type=Path, help="ESC-50")
    parser.add_argument("--out", type=Path, default=Path("results/ablation"), help="where the runs lie")
    parser.add_argument("--minutes", type=float, help="after which to save and leave; given again it goes on")
    options = parser.parse_args()
    planned = plans(options.data, options.out)
    check_places(planned)
    deadline_s = None if options.minutes is None else time.time() + 60 * options.minutes
    run_grid(planned, n_jobs=usual_jobs(planned), deadline_s=deadline_s)
    print(table(options.out))


if __name__ == "__main__":
    main()
