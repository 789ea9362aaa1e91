"""Several runs beside each other: robustness, probabilities, consistency, and paired tests of them."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from cohear.evaluation.consistency import PERTURBATIONS
from cohear.evaluation.corruptions import CORRUPTIONS
from cohear.evaluation.robustness import answers_right, mean_corruption_error
from cohear.experiments.judged_runs import JudgedRun
from cohear.metrics.accuracy import standard_error
from cohear.metrics.paired_tests import grouped_bootstrap, mcnemar
from cohear.reports.evaluation_tables import judgement_of, levels_text, perturbation_text
from cohear.reports.grouping import Experiment
from cohear.reports.judged_experiments import JudgedExperiment, OverFolds, baseline_of
from cohear.reports.method_table import count_text
from cohear.reports.paired_table import N_RESAMPLES, Comparison, MatchedAnswers, paired_table_of
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
    relative = its.relative_error(baseline)
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
            yield (
                f"{WARNING}{its.label} has only fold {folds} of the {len(every)} of this table: its mean does not "
                "compare with means over others."
            )
    warnings = {warning for its in experiments for judged in its.judged for warning in judged.clips.warnings}
    yield from (WARNING + warning for warning in sorted(warnings))


def belief_table(experiments: Sequence[JudgedExperiment]) -> Table:
    """Build the table of probabilities and of consistency, as trained, without temperatures."""
    rows = [
        (
            its.label,
            _number(its.over_folds(lambda judged: judgement_of(judged).nll), 3),
            _number(its.over_folds(lambda judged: judgement_of(judged).brier), 3),
            f"{its.pooled.ece:.1%}",
            _number(its.over_folds(lambda judged: float(judged.jsd.mean(dtype=np.float64))), 4),
            _percent(its.over_folds(_flips)),
        )
        for its in experiments
    ]
    by_chance = ", ".join(sorted({f"{its.pooled.ece_by_chance:.1%}" for its in experiments}))
    notes = (
        "Of clean clips, as trained, without temperatures. NLL: negative log-likelihood, nats. ECE: calibration error "
        f"of all runs' answers together; were every probability true, so many would still give about {by_chance}.",
        "JSD: nats, over a clip and two views of `combination`. Flips: answers that change with the clip, mean over "
        f"{len(PERTURBATIONS)} changes of pitch, room and masks.",
    )
    return Table("Probabilities and consistency", ("Model", "NLL", "Brier", "ECE", "JSD", "Flips"), tuple(rows), notes)


def corruptions_table(experiments: Sequence[JudgedExperiment]) -> Table:
    """Build the table of error rates by corruption."""
    of_each = [100 * np.mean(list(its.rates_by_fold().values()), axis=0).mean(axis=1) for its in experiments]
    rows = [
        (levels_text(corruption), *(f"{rates[place]:.1f}" for rates in of_each))
        for place, corruption in enumerate(CORRUPTIONS)
    ]
    header = ("Corruption", *(its.label for its in experiments))
    return Table("Error by corruption", header, tuple(rows), ("Percent, mean over folds and severities.",))


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


def paired_tables(experiments: Sequence[JudgedExperiment]) -> list[Table]:
    """Test each step of the method for each transform: on clean clips, and on corrupted ones where there are any."""
    kinds = (False, True) if experiments[0].is_corrupted else (False,)
    tables = [_paired_table(experiments, corrupted) for corrupted in kinds]
    return [table for table in tables if table is not None]


def tested_pairs(experiments: Sequence[JudgedExperiment], *, corrupted: bool) -> list[Comparison]:
    """Return the tests behind `paired_tables`, in their order."""
    return _test_pairs(experiments, corrupted)[1]


def _test_pairs(experiments: Sequence[JudgedExperiment], corrupted: bool) -> tuple[Table | None, list[Comparison]]:
    judged_of = {its.experiment: its for its in experiments}
    tested: list[Comparison] = []

    def test(a: Experiment, b: Experiment) -> Comparison | None:
        comparison = compare_judged(judged_of[a], judged_of[b], corrupted=corrupted)
        tested.extend([] if comparison is None else [comparison])
        return comparison

    return paired_table_of(list(judged_of), test), tested


def _paired_table(experiments: Sequence[JudgedExperiment], corrupted: bool) -> Table | None:
    table, tested = _test_pairs(experiments, corrupted)
    if table is None or not table.rows:
        return table
    judged_of = {its.experiment: its for its in experiments}
    errors = [_error_over_folds(judged_of[pair.a], judged_of[pair.b], corrupted) for pair in tested]
    rows = tuple((*row[:2], error, *row[2:]) for row, error in zip(table.rows, errors, strict=True))
    over_folds = "± folds: standard error of the difference over folds, seeds averaged."
    return dataclasses.replace(
        table,
        title=f"{table.title}, {'corrupted' if corrupted else 'clean'} clips",
        header=(*table.header[:2], "± folds", *table.header[2:]),
        rows=rows,
        notes=(*(_CORRUPTED_NOTES if corrupted else table.notes), over_folds),
    )


_CORRUPTED_NOTES = (
    "Points: difference of accuracy on corrupted clips, mean over corruptions and severities, in percentage points; "
    "positive: the first survives more. The same clips, corrupted alike, matched by fold, seed and path; n: "
    "clips/recordings/seeds.",
    f"Interval and p: {N_RESAMPLES} bootstrap resamples of source recordings, each with all its clips, seeds and "
    "corruptions; how another seed would come out stays open. Holm p: corrected for the pairs of this table. "
    "Detectable: the smallest true difference, in points, that runs like these would find significant four times in "
    "five.",
)


def compare_judged(a: JudgedExperiment, b: JudgedExperiment, *, corrupted: bool) -> Comparison | None:
    """Test A against B on the clips that both were judged on.

    Clean clips of one seed by McNemar's exact test; several seeds, and corrupted clips, whose many versions are no
    independent evidence, by a bootstrap over source recordings.

    Returns:
        None where they share no clip, or a bootstrap would have one recording only.
    """
    runs_b = {(run.fold, run.seed): judged for run, judged in zip(b.experiment.runs, b.judged, strict=True)}
    right_a, right_b, recordings, clips, seeds, n_unmatched = [], [], [], set(), set(), 0
    for run, its in zip(a.experiment.runs, a.judged, strict=True):
        other = runs_b.get((run.fold, run.seed))
        if other is None:
            continue
        place_of = {path: place for place, path in enumerate(other.clips.paths)}
        shared = [(i, place_of[path]) for i, path in enumerate(its.clips.paths) if path in place_of]
        n_unmatched += len(its.clips.paths) + len(other.clips.paths) - 2 * len(shared)
        rows_a, rows_b = (np.array(rows, np.int64) for rows in zip(*shared, strict=True)) if shared else ([], [])
        right_a.append(_right(its, corrupted)[:, rows_a].ravel())
        right_b.append(_right(other, corrupted)[:, rows_b].ravel())
        groups = [its.clips.groups[i] for i in rows_a]
        recordings += groups * len(_right(its, corrupted))
        clips |= {(run.fold, its.clips.paths[i]) for i in rows_a}
        seeds.add(run.seed)
    if not clips:
        return None
    answers = MatchedAnswers(
        np.concatenate(right_a), np.concatenate(right_b), tuple(recordings), len(clips), len(seeds), n_unmatched
    )
    if answers.n_seeds == 1 and not corrupted:
        return Comparison(a.experiment, b.experiment, answers, mcnemar(answers.correct_a, answers.correct_b))
    if answers.n_recordings == 1:
        return None
    differences = answers.correct_a.astype(float) - answers.correct_b.astype(float)
    _, numbers = np.unique(answers.recordings, return_inverse=True)
    return Comparison(a.experiment, b.experiment, answers, grouped_bootstrap(differences, numbers, N_RESAMPLES))


def _right(judged: JudgedRun, corrupted: bool) -> np.ndarray:
    """Return whether clips were answered rightly, `[version, clip]`: as they are, or in each way corrupted."""
    if not corrupted:
        return answers_right(judged.logits, judged.clips.truth, multi_label=judged.record.multi_label)[None]
    assert judged.right_when_corrupted is not None
    return judged.right_when_corrupted.reshape(-1, len(judged.clips.rows))


def _error_over_folds(a: JudgedExperiment, b: JudgedExperiment, corrupted: bool) -> str:
    of_a, of_b = (its.by_fold(lambda judged: float(_right(judged, corrupted).mean())) for its in (a, b))
    error = standard_error([100 * (of_a[fold] - of_b[fold]) for fold in of_a if fold in of_b])
    return "-" if error is None else f"{error:.2f}"


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
