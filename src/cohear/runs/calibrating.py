"""What validation clips teach about a run's answers, its own or those of a cross-validation, and what to expect."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cohear.evaluation.calibration import UNFITTED, Calibration, calibrate
from cohear.metrics.accuracy import standard_error
from cohear.metrics.thresholds import detections, false_alarms_per_hour
from cohear.runs.config import EVERY_CLIP, Config, change
from cohear.runs.identity import identify_experiment
from cohear.runs.plan import Plan
from cohear.runs.predictions import Predictions, join_predictions
from cohear.runs.run import Metrics, Record, find_readable


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
        return {name: value for name, value in vars(self).items() if name != "calibration"}


def find_expectation(plan: Plan) -> Expectation | None:
    """Look for the runs that differ from one on every clip in nothing but fold, seed and validation part.

    Returns:
        None where there is no finished one.

    Raises:
        UserError: where a file of such a run is damaged.
    """
    wanted = plan.record
    there = find_readable(plan.crossval or plan.parent, wanted.data_fingerprint)
    runs = [run for run in there if run.is_finished and _is_same(run.record, wanted)]
    if not runs:
        return None
    by_fold: dict[int, list[Metrics]] = {}
    for run in runs:
        by_fold.setdefault(int(run.config.fold), []).append(run.metrics)
    accuracies = [math.fsum(m["accuracy"] or 0.0 for m in of_fold) / len(of_fold) for of_fold in by_fold.values()]
    validation = [part for run in runs if (part := run.validation) is not None]
    return Expectation(
        accuracy=math.fsum(accuracies) / len(accuracies),
        standard_error=standard_error(accuracies),
        n_runs=len(runs),
        folds=tuple(sorted(by_fold)),
        n_clips=sum(of_fold[0]["n_clips"] for of_fold in by_fold.values()),
        calibration=fit_calibration(validation, plan.config) if validation else UNFITTED,
    )


def _is_same(there: Record, wanted: Record) -> bool:
    if there.config.fold == EVERY_CLIP:
        return False
    config = change(wanted.config, {"data.validation_share": there.config.data.validation_share})
    return identify_experiment(config, wanted.data_fingerprint, wanted.contents) == there.experiment


def fit_calibration(validation: Sequence[Predictions], config: Config) -> Calibration:
    """Fit temperature and thresholds to kept answers, so that anyone can fit them again.

    Args:
        validation: answers to validation clips, of one run or more; never of test clips.
        config: of the run.
    """
    answers = join_predictions(validation)
    return calibrate(
        answers.task,
        answers.classes,
        answers.log_probabilities,
        answers.predicted,
        answers.labels,
        precision=config.training.threshold_precision,
        background=config.data.background,
    )


def count_false_alarms(
    test: Predictions, calibration: Calibration, background: str | None, clip_s: float
) -> dict[str, float | None]:
    """Count how often something is heard in test clips of background.

    Args:
        test: answers to test clips.
        calibration: whose thresholds count.
        background: the label of 'none of these'; where several labels may be true, clips without any are background.
        clip_s: seconds of a clip.

    Returns:
        `false_alarms_per_hour`, None where there are no thresholds or no such clips, and `n_background_clips`.
    """
    task, truth = test.task, test.task.truth(test.labels, len(test.classes))
    of_background = [name == background for name in test.classes]
    is_background = truth[:, of_background].any(axis=1) | ~truth.any(axis=1)
    n_clips = int(is_background.sum())
    if not calibration.is_fitted or not n_clips:
        return {"false_alarms_per_hour": None, "n_background_clips": n_clips}
    shown = task.probabilities(task.logits(test.log_probabilities[is_background]), calibration.temperature)
    answers = task.answers(test.predicted[is_background], len(test.classes))
    heard = detections(test.classes, shown, answers, calibration.thresholds)
    heard[:, of_background] = False
    rate = false_alarms_per_hour(int(heard.any(axis=1).sum()), n_clips, clip_s)
    return {"false_alarms_per_hour": rate, "n_background_clips": n_clips}
