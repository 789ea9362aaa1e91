"""Several runs beside each other: errors clean and corrupted, probabilities, consistency."""

from collections.abc import Iterable, Sequence

import numpy as np

from cohear.evaluation.consistency import PERTURBATIONS
from cohear.evaluation.corruptions import CORRUPTIONS, TRAINED_KINDS
from cohear.evaluation.robustness import mean_corruption_error
from cohear.experiments.judged_runs import JudgedRun
from cohear.reports.evaluation_tables import judgement_of, perturbation_text
from cohear.reports.judged_experiments import JudgedExperiment, OverFolds, baseline_of
from cohear.reports.method_table import count_text
from cohear.reports.tables import WARNING, Table, nats_text


def robustness_table(experiments: Sequence[JudgedExperiment]) -> Table:
    """Build the table of error rates, clean and, where they were asked for, corrupted."""
    baseline = baseline_of(experiments)
    corrupted = experiments[0].is_corrupted
    rows = [(its.label, *_error_cells(its, baseline, corrupted), str(len(its.judged))) for its in experiments]
    header = ("Model", "Clean error", *(("Corrupted error", "Relative") if corrupted else ()), "Runs")
    return Table("Robustness" if corrupted else "Errors", header, tuple(rows), tuple(_robustness_notes(experiments)))


def _error_cells(its: JudgedExperiment, baseline: JudgedExperiment, corrupted: bool) -> tuple[str, ...]:
    clean = _percent(its.over_folds(lambda judged: 1 - judgement_of(judged).accuracy))
    if not corrupted:
        return (clean,)
    relative = its.relative_error(baseline) if its is not baseline else OverFolds(1.0, None)
    return clean, _percent(its.over_folds(_corruption_error)), "-" if relative is None else _number(relative, 3)


def _robustness_notes(experiments: Sequence[JudgedExperiment]) -> Iterable[str]:
    folds = count_text((len(its.experiment.folds) for its in experiments), "fold")
    seeds = count_text((len(its.experiment.seeds) for its in experiments), "seed")
    yield f"Errors: mean ± standard error over {folds}, each fold averaged over {seeds}."
    if experiments[0].is_corrupted:
        yield (
            f"Corrupted error: mean over {len(CORRUPTIONS)} corruptions in 5 severities. Relative: errors under each "
            f"corruption over those of {baseline_of(experiments).label}, mean over corruptions (Hendrycks and "
            "Dietterich 2019)."
        )
    every = {fold for its in experiments for fold in its.experiment.folds}
    for its in experiments:
        if len(its.experiment.folds) < len(every):
            folds = ", ".join(map(str, its.experiment.folds))
            there = f"{'fold' if len(its.experiment.folds) == 1 else 'folds'} {folds}"
            yield (
                f"{WARNING}{its.label} has only {there} of the {len(every)} of this table: its mean does not "
                "compare with means over others."
            )
    heard = {frozenset(path for judged in its.judged for path in judged.clips.paths) for its in experiments}
    if len(heard) > 1:
        sizes = ", ".join(f"{its.label} on {sum(len(j.clips.rows) for j in its.judged)}" for its in experiments)
        yield f"{WARNING}the models were judged on different clips ({sizes}): their errors do not compare."
    warnings = {warning for its in experiments for judged in its.judged for warning in judged.clips.warnings}
    yield from (WARNING + warning for warning in sorted(warnings))


def belief_table(experiments: Sequence[JudgedExperiment]) -> Table:
    """Build the table of probabilities and of consistency, as trained, without temperatures."""
    rows = [
        (
            its.label,
            _number(its.over_folds(lambda judged: judgement_of(judged).nll), 2),
            _number(its.over_folds(lambda judged: judgement_of(judged).brier), 3),
            f"{its.pooled.ece:.1%} ({its.pooled.ece_by_chance:.1%})",
            _number(its.over_folds(lambda judged: float(judged.jsd.mean(dtype=np.float64))), 4),
            _percent(its.over_folds(_flips)),
        )
        for its in experiments
    ]
    notes = (
        "Of clean clips, as trained, without temperatures. NLL: negative log-likelihood, nats. ECE: calibration error "
        "of all runs' answers together, in brackets what so many would give on average, were every probability true.",
        "JSD: nats, over a clip and two views of `combination`. Flips: answers that change with the clip, mean over "
        f"{len(PERTURBATIONS)} changes of pitch, room and masks.",
    )
    return Table("Probabilities and consistency", ("Model", "NLL", "Brier", "ECE", "JSD", "Flips"), tuple(rows), notes)


def corruptions_table(experiments: Sequence[JudgedExperiment]) -> Table:
    """Build the table of error rates by corruption."""
    of_each = [100 * np.mean(list(its.rates_by_fold().values()), axis=0).mean(axis=1) for its in experiments]
    rows = [
        (corruption.name, *(f"{rates[place]:.1f}" for rates in of_each)) for place, corruption in enumerate(CORRUPTIONS)
    ]
    is_new = np.array([corruption.name not in TRAINED_KINDS for corruption in CORRUPTIONS])
    rows.append(("all", *(f"{rates.mean():.1f}" for rates in of_each)))
    rows.append((f"all but {' and '.join(TRAINED_KINDS)}", *(f"{rates[is_new].mean():.1f}" for rates in of_each)))
    header = ("Corruption", *(its.label for its in experiments))
    notes = ("Percent, mean over folds and severities. The views of `combination` are of rooms and pitch.",)
    return Table("Error by corruption", header, tuple(rows), notes)


def agreements_table(experiments: Sequence[JudgedExperiment]) -> Table:
    """Build the table of divergences by transform and strength."""

    def jsd(its: JudgedExperiment, place: int) -> float:
        return its.over_folds(lambda judged: float(judged.agreements[place].jsd.mean(dtype=np.float64))).mean

    rows = [
        (perturbation_text(perturbation), *(nats_text(jsd(its, place)) for its in experiments))
        for place, perturbation in enumerate(PERTURBATIONS)
    ]
    header = ("Change", *(its.label for its in experiments))
    notes = ("JSD of the answers to a clip and to the changed clip, nats, mean over clips and folds.",)
    return Table("Divergence by change", header, tuple(rows), notes)


def _corruption_error(judged: JudgedRun) -> float:
    assert judged.right_when_corrupted is not None
    return mean_corruption_error(judged.right_when_corrupted)


def _flips(judged: JudgedRun) -> float:
    return float(np.mean([agreement.flipped.mean() for agreement in judged.agreements]))


def _percent(value: OverFolds) -> str:
    return _number(OverFolds(100 * value.mean, None if value.error is None else 100 * value.error), 1, "%")


def _number(value: OverFolds, digits: int, unit: str = "") -> str:
    error = "" if value.error is None else f"±{value.error:.{digits}f}"
    return f"{max(0.0, value.mean):.{digits}f}{unit}{error}"
