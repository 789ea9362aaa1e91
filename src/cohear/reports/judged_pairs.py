"""Does each step of the method help on the clips that runs were judged on, and on corrupted ones? Paired tests."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Bool

from cohear.evaluation.robustness import answers_right
from cohear.experiments.judged_runs import JudgedRun
from cohear.metrics.accuracy import standard_error
from cohear.metrics.paired_tests import grouped_bootstrap, holm, mcnemar
from cohear.reports.grouping import Experiment
from cohear.reports.judged_experiments import JudgedExperiment
from cohear.reports.paired_table import N_RESAMPLES, Comparison, MatchedAnswers, paired_table_of
from cohear.reports.tables import Table

_SIGNIFICANCE = 0.05


def paired_tables(experiments: Sequence[JudgedExperiment]) -> list[Table]:
    """Test each step of the method for each transform: on clean clips, and on corrupted ones where there are any."""
    kinds = (False, True) if experiments[0].is_corrupted else (False,)
    tables = [_paired_table(experiments, corrupted) for corrupted in kinds]
    return [table for table in tables if table is not None]


def tested_pairs(experiments: Sequence[JudgedExperiment], *, corrupted: bool) -> list[Comparison]:
    """Return the tests behind `paired_tables`, in their order."""
    return _test_pairs(experiments, corrupted)[1]


def compare_judged(a: JudgedExperiment, b: JudgedExperiment, *, corrupted: bool) -> Comparison | None:
    """Test A against B on the clips that both were judged on, matched by fold, seed and path.

    Where each clip was judged once by either, McNemar's exact test. A clip that was judged by runs of several seeds, or
    of several folds since it is none of their data, or in many corrupted versions is no more evidence for that: then a
    bootstrap over source recordings, each with all that was answered to its clips.

    Returns:
        None where they share no clip, or a bootstrap would have one recording only.
    """
    runs_b = {(run.fold, run.seed): judged for run, judged in zip(b.experiment.runs, b.judged, strict=True)}
    right_a, right_b, recordings, paths, seeds, n_unmatched = [], [], [], [], set(), 0
    for run, its in zip(a.experiment.runs, a.judged, strict=True):
        other = runs_b.get((run.fold, run.seed))
        if other is None:
            continue
        place_of = {path: place for place, path in enumerate(other.clips.paths)}
        rows_a = [row for row, path in enumerate(its.clips.paths) if path in place_of]
        rows_b = [place_of[its.clips.paths[row]] for row in rows_a]
        n_unmatched += len(its.clips.paths) + len(place_of) - 2 * len(rows_a)
        versions_a, versions_b = _right(its, corrupted)[:, rows_a], _right(other, corrupted)[:, rows_b]
        right_a.append(versions_a.ravel())
        right_b.append(versions_b.ravel())
        recordings += [its.clips.groups[row] for row in rows_a] * len(versions_a)
        paths += [its.clips.paths[row] for row in rows_a]
        seeds.add(run.seed)
    if not paths:
        return None
    correct_a, correct_b, clips = np.concatenate(right_a), np.concatenate(right_b), set(paths)
    answers = MatchedAnswers(correct_a, correct_b, tuple(recordings), len(clips), len(seeds), n_unmatched)
    if len(correct_a) == len(clips):
        return Comparison(a.experiment, b.experiment, answers, mcnemar(correct_a, correct_b))
    if answers.n_recordings == 1:
        return None
    _, numbers = np.unique(recordings, return_inverse=True)
    differences = correct_a.astype(float) - correct_b.astype(float)
    return Comparison(a.experiment, b.experiment, answers, grouped_bootstrap(differences, numbers, N_RESAMPLES))


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
    if table is None or not tested:
        return table
    judged_of = {its.experiment: its for its in experiments}
    wanted = [name for name in table.header if name != "p"]
    rows = []
    for pair, cells in zip(tested, table.rows, strict=True):
        row = dict(zip(table.header, cells, strict=True))
        row["Points"] += _error_over_folds(judged_of[pair.a], judged_of[pair.b], corrupted)
        rows.append(tuple(row[name] for name in wanted))
    title = f"{table.title}, {'corrupted' if corrupted else 'clean'} clips"
    return dataclasses.replace(
        table, title=title, header=tuple(wanted), rows=tuple(rows), notes=tuple(_notes(tested, corrupted))
    )


def _notes(tested: Sequence[Comparison], corrupted: bool) -> Iterable[str]:
    corrected = holm([pair.test.p_value for pair in tested])
    significant = [pair.name for pair, p in zip(tested, corrected, strict=True) if p < _SIGNIFICANCE]
    if significant:
        yield f"Significant at 5 % after correction: {'; '.join(significant)}."
    else:
        yield "No difference is significant at 5 % after correction; that does not show that there is none."
    over = ", mean over corruptions and severities" if corrupted else ""
    yield (
        f"Points: difference of accuracy{over}, in percentage points ± its standard error over folds; positive: the "
        "first is better. The same clips, matched by fold, seed and path; n: clips/recordings/seeds."
    )
    if all(len(pair.answers.correct_a) == pair.answers.n_clips for pair in tested):
        test = "McNemar's exact test, interval by Bonett and Price; clips count as independent."
    else:
        test = f"{N_RESAMPLES} bootstrap resamples of source recordings, each with all that was answered to its clips."
    seeds = "" if any(pair.answers.n_seeds > 1 for pair in tested) else " How another seed would come out stays open."
    yield (
        f"Interval and p: {test}{seeds} Holm p: corrected for the pairs of this table. Detectable: the smallest true "
        "difference, in points, that runs like these would find significant four times in five."
    )
    if n_unmatched := sum(pair.answers.n_unmatched for pair in tested):
        yield f"Left out: {n_unmatched} answers to clips that only one model of a pair was judged on."


def _right(judged: JudgedRun, corrupted: bool) -> Bool[np.ndarray, "version clip"]:
    """Return whether clips were answered rightly: as they are, or in each way corrupted."""
    if not corrupted:
        return answers_right(judged.logits, judged.clips.truth, multi_label=judged.record.multi_label)[None]
    assert judged.right_when_corrupted is not None
    return judged.right_when_corrupted.reshape(-1, len(judged.clips.rows))


def _error_over_folds(a: JudgedExperiment, b: JudgedExperiment, corrupted: bool) -> str:
    of_a, of_b = (its.by_fold(lambda judged: float(_right(judged, corrupted).mean())) for its in (a, b))
    error = standard_error([100 * (of_a[fold] - of_b[fold]) for fold in of_a if fold in of_b])
    return "" if error is None else f"±{error:.2f}"
