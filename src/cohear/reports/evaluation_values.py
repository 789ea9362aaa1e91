"""Everything that was judged, as plain values for JSON: shares from 0 to 1, divergences and likelihoods in nats."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from cohear.evaluation.corruptions import CORRUPTIONS
from cohear.evaluation.robustness import answers_right, error_rates, mean_corruption_error
from cohear.experiments.judged_runs import JudgedRun
from cohear.reports.evaluation_tables import judgement_of
from cohear.reports.judged_experiments import JudgedExperiment, baseline_of
from cohear.reports.judged_pairs import tested_pairs

SCHEMA = 1
"""Raised when the meaning of a value changes."""


def evaluation_values(judged: Sequence[JudgedRun], experiments: Sequence[JudgedExperiment] = ()) -> dict[str, Any]:
    """Return what was judged.

    Args:
        judged: every run.
        experiments: the same runs averaged; none for a single run.
    """
    values: dict[str, Any] = {"schema": SCHEMA, "runs": [run_values(its) for its in judged]}
    if experiments:
        values["experiments"] = [_experiment_values(its, baseline_of(experiments)) for its in experiments]
        kinds = (False, True) if experiments[0].is_corrupted else (False,)
        values["pairs"] = {("corrupted" if kind else "clean"): _pair_values(experiments, kind) for kind in kinds}
    return values


def run_values(judged: JudgedRun) -> dict[str, Any]:
    """Return what was judged of one run."""
    record, clips = judged.record, judged.clips
    temperatures = {"as_trained": 1.0}
    if judged.calibration.is_fitted:
        temperatures["after_temperature"] = judged.calibration.temperature
    values: dict[str, Any] = {
        "folder": str(judged.folder),
        "model": record.model,
        "fold": record.config.fold,
        "seed": record.config.seed,
        "trained_on": record.dataset,
        "judged_on": clips.dataset,
        "clips": clips.description,
        "notes": list(clips.notes),
        "warnings": list(clips.warnings),
        "calibration": judged.calibration.to_json(),
    }
    for name, temperature in temperatures.items():
        judgement = judgement_of(judged, temperature)
        values[name] = {"accuracy": judgement.accuracy, **asdict(judgement)}
    values["jsd"] = float(judged.jsd.mean(dtype=np.float64))
    values["agreement"] = [
        {
            "transform": agreement.perturbation.kind,
            "strength": agreement.perturbation.strength,
            "jsd": float(agreement.jsd.mean(dtype=np.float64)),
            "flip_rate": float(agreement.flipped.mean()),
        }
        for agreement in judged.agreements
    ]
    if judged.right_when_corrupted is not None:
        rates = error_rates(judged.right_when_corrupted)
        values["mean_corruption_error"] = mean_corruption_error(judged.right_when_corrupted)
        values["corruptions"] = [
            {"name": its.name, "unit": its.unit, "levels": list(its.levels), "error_rates": of_each.tolist()}
            for its, of_each in zip(CORRUPTIONS, rates, strict=True)
        ]
    values["answers"] = _answers(judged)
    return values


def _answers(judged: JudgedRun) -> list[dict[str, Any]]:
    """Return each clip with whether it was answered rightly, clean and in how many of its corrupted versions."""
    right = answers_right(judged.logits, judged.clips.truth, multi_label=judged.record.multi_label)
    rows = [
        {"path": path, "group": group, "right": bool(its)}
        for path, group, its in zip(judged.clips.paths, judged.clips.groups, right, strict=True)
    ]
    if judged.right_when_corrupted is not None:
        for row, share in zip(rows, judged.right_when_corrupted.mean(axis=(0, 1)), strict=True):
            row["right_when_corrupted"] = float(share)
    return rows


def _experiment_values(its: JudgedExperiment, baseline: JudgedExperiment) -> dict[str, Any]:
    def error(judged: JudgedRun) -> float:
        return 1 - judgement_of(judged).accuracy

    def corrupted(judged: JudgedRun) -> float:
        assert judged.right_when_corrupted is not None
        return mean_corruption_error(judged.right_when_corrupted)

    values: dict[str, Any] = {"model": its.label, "clean_error": asdict(its.over_folds(error))}
    if its.is_corrupted:
        relative = its.relative_error(baseline)
        values["mean_corruption_error"] = asdict(its.over_folds(corrupted))
        values["relative_corruption_error"] = None if relative is None else asdict(relative)
        values["baseline"] = baseline.label
    return values


def _pair_values(experiments: Sequence[JudgedExperiment], corrupted: bool) -> list[dict[str, Any]]:
    return [
        {"first": pair.a.label, "second": pair.b.label, "n_clips": pair.answers.n_clips, **asdict(pair.test)}
        for pair in tested_pairs(experiments, corrupted=corrupted)
    ]
