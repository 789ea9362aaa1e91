"""What a run leaves when it was trained: weights, answers, calibration, and last the metrics that say it is done."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Int64

from cohear.data.folds import Split
from cohear.errors import UserError
from cohear.evaluation.answering import NotFiniteError
from cohear.evaluation.calibration import UNFITTED, Calibration, truth_table, write_calibration
from cohear.evaluation.fixed_views import FixedViews
from cohear.evaluation.measure import Answers, answer, score
from cohear.experiments.build import PreparedData, shown_transform
from cohear.experiments.config import EVERY_CLIP, TransformName
from cohear.experiments.environment_record import environment_warnings
from cohear.experiments.expectation import Expectation
from cohear.experiments.fitted_calibration import count_false_alarms, fit_calibration
from cohear.experiments.initial_run import initial_run_warning
from cohear.experiments.predictions import VALIDATION, Predictions, round_predictions, write_predictions, write_table
from cohear.experiments.run_folder import SCHEMA, RunRecord
from cohear.experiments.trained_network import weights_path
from cohear.metrics.multi_label import f1_scores, mean_average_precision
from cohear.models import VGG
from cohear.runtime.files import write_json
from cohear.training.checkpoints import save_weights
from cohear.training.nonfinite import LOWER_RATE

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
ViewsOf = Callable[[TransformName, Part], FixedViews]
"""Evaluation views of a part of the clips, with one of the transforms."""


def finish(
    folder: Path,
    record: RunRecord,
    data: PreparedData,
    split: Split,
    network: VGG,
    views_of: ViewsOf,
    kept_epoch: int,
    expectation: Expectation | None,
    warnings: Sequence[str],
) -> None:
    """Write weights, predictions, calibration and, last, the metrics that say the run is finished.

    Args:
        folder: of the run.
        record: what it is.
        data: of the run.
        split: its training, validation and test clips.
        network: trained.
        views_of: of the parts of `split`.
        kept_epoch: whose weights the network has.
        expectation: of a run on every clip, where one is known.
        warnings: what training gave reason for.
    """
    config = record.config
    began_with = [w for w in [initial_run_warning(config, record.data_fingerprint)] if w is not None]
    save_weights(weights_path(folder), network, {"identity": record.identity})
    calibration = expectation.calibration if expectation else UNFITTED
    if len(split.validation):
        validation = _round(_ask(network, views_of, "combination", "validation", kept_epoch), data, split.validation)
        write_predictions(folder, validation, VALIDATION)
        calibration = fit_calibration(validation, config)
    if calibration.is_fitted:
        write_calibration(folder, calibration)
    if config.fold == EVERY_CLIP:
        untested: dict[str, Any] = {**dict.fromkeys(("accuracy", "nll", "jsd", "jsd_own")), "n_clips": 0}
        tested = {**untested, "expected": expectation.to_json() if expectation else None}
    else:
        tested = _test(folder, record, data, split, network, views_of, kept_epoch, calibration)
    write_json(
        folder / "metrics.json",
        {
            **tested,
            "method": config.method,
            "transform": config.views.transform,
            "fold": config.fold,
            "seed": config.seed,
            "model": record.model,
            "dataset": record.dataset,
            "preset": config.preset,
            "epochs": config.training.epochs,
            "precision": config.training.precision,
            "experiment": record.experiment,
            "n_train_clips": len(split.train),
            "n_validation_clips": len(split.validation),
            "kept_epoch": kept_epoch,
            "warnings": [*split.warnings, *began_with, *warnings, *environment_warnings(folder)],
            "data_notes": [*data.dataset.notes, *data.store.report.lines, *data.store.class_lines],
            "schema": SCHEMA,
        },
    )


def _test(
    folder: Path,
    record: RunRecord,
    data: PreparedData,
    split: Split,
    network: VGG,
    views_of: ViewsOf,
    kept_epoch: int,
    calibration: Calibration,
) -> dict[str, Any]:
    """Answer the test clips, write down the answers, and return the numbers that follow."""
    config, own_transform = record.config, shown_transform(record.config)
    transforms: list[TransformName] = list(dict.fromkeys((own_transform, "combination")))
    answers = {transform: _ask(network, views_of, transform, "test", kept_epoch) for transform in transforms}
    common = answers["combination"]
    predictions = _round(common, data, split.test)
    write_predictions(folder, predictions)
    write_table(folder, predictions)
    scores = score(common, data.store.targets[split.test])
    own = None if config.method == "none" else float(answers[config.views.transform].jsd.mean(dtype=np.float64))
    return {
        "accuracy": scores.accuracy,
        "n_clips": len(split.test),
        "nll": scores.nll,
        "jsd": scores.jsd,
        "jsd_own": own,
        **(_multi_label_scores(common, predictions) if predictions.is_multi_label else {}),
        **count_false_alarms(predictions, calibration, config.data.background, record.clip_s),
    }


def _multi_label_scores(answers: Answers, predictions: Predictions) -> dict[str, float | None]:
    truth = truth_table(predictions.labels, len(predictions.classes))
    f1 = f1_scores(predictions.predicted > 0, truth)
    numbers = {"mean_average_precision": math.nan, "f1_micro": f1.micro, "f1_macro": f1.macro}
    if truth.any():
        numbers["mean_average_precision"] = mean_average_precision(answers.log_probabilities[0], truth)
    return {name: number if math.isfinite(number) else None for name, number in numbers.items()}


@contextmanager
def explain_not_finite(part: Part, epoch: int) -> Iterator[None]:
    """Say of answers that are no numbers which clips were asked about, and when.

    Args:
        part: of the run's clips.
        epoch: whose weights were asked, counted from 0.

    Raises:
        UserError: in place of `NotFiniteError`.
    """
    try:
        yield
    except NotFiniteError as error:
        raise UserError(
            f"the answers to the {part} clips are not finite after epoch {epoch}, counted from 0; {LOWER_RATE}"
        ) from error


def _ask(network: VGG, views_of: ViewsOf, transform: TransformName, part: Part, epoch: int) -> Answers:
    with explain_not_finite(part, epoch):
        said = answer(network, views_of(transform, part))
    assert said is not None
    return said


def _round(answers: Answers, data: PreparedData, rows: Int64[np.ndarray, " clip"]) -> Predictions:
    store = data.store
    return round_predictions(
        tuple(store.classes),
        tuple(store.clips[row].id for row in rows),
        tuple(store.groups[row] for row in rows),
        store.targets[rows],
        answers.log_probabilities[0],
        answers.jsd,
    )
