"""All that was judged of runs, as plain values: the JSON of `cohear evaluate`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from cohear.evaluation.corruptions import CORRUPTIONS
from cohear.evaluation.judgement import Judgement
from cohear.evaluation.robustness import error_rates, mean_corruption_error
from cohear.judging.judged_runs import JudgedRun
from cohear.reports.evaluation_report import judgement_of, mean_jsd, right_of

SCHEMA = 2
"""Raised when the meaning of a value in the JSON changes."""


def evaluation_values(judged: Sequence[JudgedRun]) -> dict[str, Any]:
    """Return all that was judged as plain values: shares from 0 to 1, divergences and likelihoods in nats."""
    return {"schema": SCHEMA, "runs": [_run_values(its) for its in judged]}


def _run_values(judged: JudgedRun) -> dict[str, Any]:
    record, clips, calibration = judged.run.record, judged.clips, judged.run.calibration
    right, corrupted = right_of(judged).tolist(), judged.right_when_corrupted
    after = judgement_of(judged, calibration.temperature) if calibration.has_temperature else None
    values: dict[str, Any] = {
        "folder": str(judged.run.folder),
        "model": record.model,
        "fold": record.config.fold,
        "seed": judged.run.config.seed,
        "trained_on": record.dataset,
        "judged_on": clips.dataset,
        "clips": clips.description,
        "notes": list(clips.notes),
        "warnings": list(clips.warnings),
        "calibration": calibration.to_json(),
        "as_trained": _judgement_values(judgement_of(judged)),
        "after_temperature": None if after is None else _judgement_values(after),
        "jsd": mean_jsd(judged.jsd),
        "agreement": [
            {
                "transform": its.perturbation.kind,
                "strength": its.perturbation.strength,
                "jsd": mean_jsd(its.jsd),
                "flip_rate": float(its.flipped.mean()),
            }
            for its in judged.agreements
        ],
        "answers": [
            {"path": path, "group": group, "right": one}
            for path, group, one in zip(clips.paths, clips.groups, right, strict=True)
        ],
    }
    if corrupted is not None:
        values["mean_corruption_error"] = mean_corruption_error(corrupted)
        values["corruptions"] = [
            {"name": its.name, "unit": its.unit, "levels": list(its.levels), "error_rates": rates.tolist()}
            for its, rates in zip(CORRUPTIONS, error_rates(corrupted), strict=True)
        ]
        for row, share in zip(values["answers"], corrupted.mean(axis=(0, 1)).tolist(), strict=True):
            row["right_when_corrupted"] = share
    return values


def _judgement_values(made: Judgement) -> dict[str, Any]:
    return {"accuracy": made.accuracy, **asdict(made)}
