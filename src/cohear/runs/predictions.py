"""What a run answered on clean clips, and what that teaches of its probabilities and of runs like it.

`predictions.safetensors` and a table are of its test part, `validation.safetensors` of its validation part.

Float16 keeps a log-probability to one part in 2000, and all of a fold of ESC-50 in 50 KB; the answers themselves are
kept beside it, since rounding could make a tie of two classes.
"""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Float16
from safetensors import SafetensorError
from safetensors.numpy import load, save

from cohear.data.clips import SEPARATOR
from cohear.evaluation.calibration import UNFITTED, Calibration, calibrate
from cohear.metrics.accuracy import standard_error
from cohear.metrics.tasks import Decisions, Targets, Task, task_of
from cohear.metrics.thresholds import (
    DEFAULT_THRESHOLD,
    Threshold,
    default_thresholds,
    detections,
    false_alarms,
    false_alarms_per_hour,
)
from cohear.runs.config import Config, change
from cohear.runs.description import Expectation
from cohear.runs.finding import find_readable
from cohear.runs.identity import identify_experiment
from cohear.runs.run import Metrics, Record, damaged, first_error
from cohear.runtime.files import parse_json, read_plain, write_bytes
from cohear.training.batches import sampling_classes

if TYPE_CHECKING:
    from cohear.runs.plan import Plan

PREDICTIONS, VALIDATION, TABLE = "predictions.safetensors", "validation.safetensors", "predictions.csv"
MOST_BYTES = 2**34
_DTYPES = {"labels": np.int64, "predicted": np.int64, "log_probabilities": np.float16, "jsd": np.float16}
_MOST_NEGATIVE = float(np.finfo(np.float16).min)


@dataclass(frozen=True, eq=False)
class Predictions:
    """The answers to the clean clips of a part, as a run's folder keeps them."""

    classes: tuple[str, ...]
    paths: tuple[str, ...]
    """Each clip's identity: its file, with a span where it is a part of one."""
    groups: tuple[str, ...]
    """The source recording of each clip; empty where it is not known."""
    labels: Decisions
    predicted: Decisions
    """What the task decides."""
    log_probabilities: Float16[np.ndarray, "clip label"]
    """Of one distribution per clip, or of each class by itself."""
    jsd: Float16[np.ndarray, " clip"]
    """Over the clean clip and its evaluation views, nats."""

    @property
    def task(self) -> Task:
        """What was asked of each clip."""
        return task_of(self.labels)

    @property
    def correct(self) -> Bool[np.ndarray, " clip"]:
        """Whether the answer to each clip is its label, or exactly its set of labels."""
        return (self.labels == self.predicted).reshape(len(self.paths), -1).all(axis=1)

    @property
    def label_texts(self) -> list[str]:
        """The label of each clip, or its labels separated by `;` as in a table of clips."""
        return self.task.texts(self.labels, self.classes, SEPARATOR)

    @property
    def predicted_texts(self) -> list[str]:
        """The answer to each clip, written as `label_texts`."""
        return self.task.texts(self.predicted, self.classes, SEPARATOR)


def round_predictions(
    classes: tuple[str, ...],
    paths: tuple[str, ...],
    groups: tuple[str, ...],
    targets: Targets,
    predicted: Decisions,
    log_probabilities: Float[np.ndarray, "clip label"],
    jsd: Float[np.ndarray, " clip"],
) -> Predictions:
    """Round what a network said to what is kept; what it decided was decided before."""
    kept = np.maximum(log_probabilities, _MOST_NEGATIVE).astype(np.float16)
    return Predictions(classes, paths, groups, targets.astype(np.int64), predicted, kept, jsd.astype(np.float16))


def join_predictions(parts: Sequence[Predictions]) -> Predictions:
    """Put the answers to several parts of the same classes one after the other."""
    first = parts[0]
    if any(part.classes != first.classes for part in parts):
        raise ValueError("predictions of different classes cannot be joined")
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _DTYPES}
    paths, groups = (tuple(text for part in parts for text in getattr(part, name)) for name in ("paths", "groups"))
    return Predictions(first.classes, paths, groups, **arrays)


def write_predictions(folder: Path, predictions: Predictions, file: str = PREDICTIONS) -> None:
    """Write predictions, equal bytes for equal answers."""
    tensors = {
        "labels": predictions.labels.astype(np.int32),
        "predicted": predictions.predicted.astype(np.int32),
        "log_probabilities": predictions.log_probabilities,
        "jsd": predictions.jsd,
    }
    # One entry of metadata: the order in which safetensors writes several is not defined.
    text = {name: getattr(predictions, name) for name in ("classes", "paths", "groups")}
    metadata = {"clips": json.dumps(text, ensure_ascii=False, separators=(",", ":"))}
    write_bytes(folder / file, save(tensors, metadata))


def write_table(folder: Path, predictions: Predictions) -> None:
    """Render `predictions.csv`: a row per clip, for the eye and for pandas."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ["path", "group", "label", "predicted", "probability", "correct", "jsd"]
    writer.writerow(columns + [f"p:{name}" for name in predictions.classes])
    probabilities = np.exp(predictions.log_probabilities.astype(np.float64))
    texts = zip(
        predictions.paths, predictions.groups, predictions.label_texts, predictions.predicted_texts, strict=True
    )
    for row, (path, group, label, answer) in enumerate(texts):
        likeliest = f"{probabilities[row].max():.4g}" if not predictions.task.gives_several else ""
        measured = [likeliest, int(predictions.correct[row]), f"{predictions.jsd[row]:.4g}"]
        writer.writerow([path, group, label, answer, *measured, *(f"{p:.4g}" for p in probabilities[row])])
    write_bytes(folder / TABLE, text.getvalue().encode())


def read_predictions(folder: Path, file: str = PREDICTIONS) -> Predictions:
    """Read a run's predictions on its test clips, or another file of predictions.

    Raises:
        UserError: where the file is missing or damaged.
    """
    path = folder / file
    try:
        data = read_plain(path, MOST_BYTES)
        tensors = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        text = parse_json(header["__metadata__"]["clips"])
        classes, paths, groups = (tuple(map(str, text[name])) for name in ("classes", "paths", "groups"))
        arrays = {name: tensors[name].astype(dtype) for name, dtype in _DTYPES.items()}
        _check(arrays, len(paths), len(groups), len(classes))
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
        raise damaged(path, f"it has no {error}" if isinstance(error, KeyError) else first_error(error)) from error
    return Predictions(classes, paths, groups, **arrays)


def _check(arrays: dict[str, np.ndarray], n_clips: int, n_groups: int, n_classes: int) -> None:
    """Refuse arrays that do not fit each other, and values that no answer has."""
    rows, table = (n_clips,), (n_clips, n_classes)
    labels = table if arrays["labels"].ndim == 2 else rows
    shapes = {"labels": labels, "predicted": labels, "log_probabilities": table, "jsd": rows}
    if n_groups != n_clips or any(array.shape != shapes[name] for name, array in arrays.items()):
        raise ValueError(f"its arrays do not fit {n_clips} clips and {n_classes} classes")
    n_answers = 2 if labels == table else n_classes
    for name in ("labels", "predicted"):
        if n_clips and not 0 <= arrays[name].min() <= arrays[name].max() < n_answers:
            raise ValueError(f"its {name} name a class that it has not")
    if not all(np.isfinite(arrays[name]).all() for name in ("log_probabilities", "jsd")):
        raise ValueError("it holds what is no number")


def find_expectation(plan: "Plan") -> tuple[Expectation, Calibration] | None:
    """Look for the runs that differ from one on every clip in nothing but fold, seed and validation part.

    Returns:
        What to expect, and what their validation clips teach: none of these was tested or trained on where it was
        answered. None where there is no finished one.

    Raises:
        UserError: where a file of such a run is damaged.
    """
    wanted = plan.record
    there = find_readable(plan.crossval or plan.parent, wanted.data_fingerprint)
    runs = [run for run in there if run.is_finished and run.is_tested and _is_same(run.record, wanted)]
    if not runs:
        return None
    by_fold: dict[int, list[Metrics]] = {}
    for run in runs:
        by_fold.setdefault(int(run.config.fold), []).append(run.metrics)
    accuracies = [math.fsum(m["accuracy"] or 0.0 for m in of_fold) / len(of_fold) for of_fold in by_fold.values()]
    validation = [part for run in runs if (part := run.validation) is not None]
    expectation = Expectation(
        accuracy=math.fsum(accuracies) / len(accuracies),
        standard_error=standard_error(accuracies),
        n_runs=len(runs),
        folds=tuple(sorted(by_fold)),
        n_clips=sum(of_fold[0]["n_clips"] for of_fold in by_fold.values()),
    )
    return expectation, fit_calibration(validation, plan.config, plan.data.targets) if validation else UNFITTED


def _is_same(there: Record, wanted: Record) -> bool:
    config = change(wanted.config, {"data.validation_share": there.config.data.validation_share})
    return identify_experiment(config, wanted.data_fingerprint, wanted.contents) == there.experiment


def fit_calibration(validation: Sequence[Predictions], config: Config, targets: Targets) -> Calibration:
    """Fit temperature and thresholds to kept answers, so that anyone can fit them again.

    Args:
        validation: answers to validation clips, of one run or more; never of test clips.
        config: of the run.
        targets: of the training clips, whose frequencies tell a default threshold.
    """
    answers = join_predictions(validation)
    return calibrate(
        answers.task,
        answers.classes,
        answers.log_probabilities,
        answers.predicted,
        answers.labels,
        precision=config.training.threshold_precision,
        default=_defaults(answers.task, len(answers.classes), config, targets),
        background=config.data.background,
        clips=answers.paths,
    )


def uncalibrated(task: Task, classes: Sequence[str], config: Config, targets: Targets) -> Calibration:
    """Return what is known without validation clips: default thresholds, where balancing made them more than one half.

    Args:
        task: of the run.
        classes: the names of the labels.
        config: of the run.
        targets: of the training clips.
    """
    named = zip(classes, _defaults(task, len(classes), config, targets).tolist(), strict=True)
    thresholds = {name: Threshold(one, None, None, 0) for name, one in named if one > DEFAULT_THRESHOLD}
    thresholds.pop(config.data.background or "", None)
    return Calibration(thresholds=thresholds)


def _defaults(task: Task, n_classes: int, config: Config, targets: Targets) -> Float[np.ndarray, " label"]:
    """Compute a default threshold for each label from how often it was heard in training and how often it is there."""
    truth = task.truth(targets, n_classes)
    real = learned = truth.mean(axis=0)
    if config.training.balance == "weights":
        learned = task.weighted_shares(truth)
    elif config.training.balance == "sampling":
        drawn_as = sampling_classes(targets)  # each of these equally often
        learned = np.mean([truth[drawn_as == one].mean(axis=0) for one in np.unique(drawn_as)], axis=0)
    return default_thresholds(learned, real)


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
    task, n_classes = test.task, len(test.classes)
    shown = task.probabilities(task.logits(test.log_probabilities), calibration.temperature)
    heard = detections(test.classes, shown, task.answers(test.predicted, n_classes), calibration.thresholds)
    n_alarms, n_clips = false_alarms(heard, task.truth(test.labels, n_classes), test.classes, background)
    is_known = calibration.is_fitted and n_clips
    rate = false_alarms_per_hour(n_alarms, n_clips, clip_s) if is_known else None
    return {"false_alarms_per_hour": rate, "n_background_clips": n_clips}
