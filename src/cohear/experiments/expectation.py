"""What to expect of a run on every clip: the tests of runs with the same settings that left a fold out."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cohear.evaluation.calibration import UNFITTED, Calibration
from cohear.experiments.config import EVERY_CLIP, Config
from cohear.experiments.fitted_calibration import fit_calibration
from cohear.experiments.identity import identify_experiment
from cohear.experiments.predictions import VALIDATION, join_predictions, read_predictions
from cohear.experiments.presets import change
from cohear.experiments.run_folder import RunRecord, read_metrics
from cohear.experiments.runs_below import FoundRun, find_runs
from cohear.metrics.accuracy import standard_error


@dataclass(frozen=True)
class Expectation:
    """The results of a cross-validation."""

    accuracy: float
    """Mean over folds, 0 to 1, each averaged over its seeds."""
    standard_error: float | None
    """Over folds; None for one."""
    n_runs: int
    folds: tuple[int, ...]
    n_clips: int
    """Test clips of all folds."""
    calibration: Calibration
    """Fitted to the validation clips of all runs; none of these was tested or trained on where it was answered."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values, without the calibration."""
        values = {**vars(self), "folds": list(self.folds)}
        del values["calibration"]
        return values


def find_expectation(record: RunRecord, parent: Path) -> Expectation | None:
    """Look among the runs below a folder for those that differ in nothing but fold, seed and validation part.

    Args:
        record: of a run on every clip.
        parent: where `cohear crossval` put its runs; may be missing.

    Returns:
        None where there is no finished one.

    Raises:
        UserError: where a file of such a run is damaged.
    """
    found = find_runs(parent, record.dataset, record.data_fingerprint)
    runs = [run for run in found if run.is_finished and _is_same(run.record, record)]
    if not runs:
        return None
    measured = [read_metrics(run.folder) for run in runs]
    by_fold: dict[int, list[dict[str, Any]]] = {}
    for metrics in measured:
        by_fold.setdefault(metrics["fold"], []).append(metrics)
    accuracies = [math.fsum(m["accuracy"] for m in of_fold) / len(of_fold) for of_fold in by_fold.values()]
    return Expectation(
        accuracy=math.fsum(accuracies) / len(accuracies),
        standard_error=standard_error(accuracies),
        n_runs=len(runs),
        folds=tuple(sorted(by_fold)),
        n_clips=sum(of_fold[0]["n_clips"] for of_fold in by_fold.values()),
        calibration=_calibrate(runs, record.config),
    )


def _is_same(there: RunRecord, wanted: RunRecord) -> bool:
    if there.config.fold == EVERY_CLIP:
        return False
    share = there.config.data.validation_share
    config = change(wanted.config, {"data.validation_share": share})
    weights = wanted.initial_weights
    return identify_experiment(config, wanted.data_fingerprint, wanted.rooms, weights) == there.experiment


def _calibrate(runs: list[FoundRun], config: Config) -> Calibration:
    parts = [read_predictions(run.folder, VALIDATION) for run in runs if (run.folder / VALIDATION).exists()]
    return fit_calibration(join_predictions(parts), config) if parts else UNFITTED
