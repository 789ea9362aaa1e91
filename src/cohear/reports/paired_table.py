"""Does each step of the method help? Paired tests between models on the clips that both heard."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from cohear.metrics.paired_tests import PairedTest, detectable_difference, grouped_bootstrap, holm, mcnemar
from cohear.reports.grouping import Experiment, closest, group_runs, n_different
from cohear.reports.method_table import count_text
from cohear.reports.paper_numbers import TRANSFORMS
from cohear.reports.run_folders import RunSummary
from cohear.reports.tables import Table, signed

_STEPS = (("consistency", "bda"), ("bda", "standard"), ("standard", "none"), ("consistency", "none"))
N_RESAMPLES = 10_000
_SIGNIFICANCE = 0.05


@dataclass(frozen=True, eq=False)
class MatchedAnswers:
    """Whether two models answered the same clips rightly; a pair is one clip under one seed."""

    correct_a: Bool[np.ndarray, " pair"]
    correct_b: Bool[np.ndarray, " pair"]
    recordings: tuple[str, ...]
    """The source recording of each pair."""
    n_clips: int
    n_seeds: int
    n_unmatched: int
    """Answers of runs with a shared fold and seed to clips that only one model heard."""

    @property
    def n_recordings(self) -> int:
        """Different source recordings."""
        return len(set(self.recordings))


@dataclass(frozen=True, eq=False)
class Comparison:
    """Experiment A against experiment B."""

    a: Experiment
    b: Experiment
    answers: MatchedAnswers
    test: PairedTest

    @property
    def name(self) -> str:
        """A minus B."""
        return f"{self.a.label} − {self.b.label}"  # noqa: RUF001


def match_answers(a: Experiment, b: Experiment) -> MatchedAnswers | None:
    """Pair the answers of two experiments by fold, seed and path; None where they share no clip."""
    runs_b = {(run.fold, run.seed): run for run in b.runs}
    correct_a: list[bool] = []
    correct_b: list[bool] = []
    recordings: list[str] = []
    clips, seeds, n_unmatched = set(), set(), 0
    for run_a in a.runs:
        run_b = runs_b.get((run_a.fold, run_a.seed))
        if run_b is None:
            continue
        answers_a, answers_b = run_a.predictions, run_b.predictions
        right_b = dict(zip(answers_b.paths, answers_b.correct.tolist(), strict=True))
        shared = [i for i, path in enumerate(answers_a.paths) if path in right_b]
        n_unmatched += len(answers_a.paths) + len(answers_b.paths) - 2 * len(shared)
        for i in shared:
            path = answers_a.paths[i]
            correct_a.append(bool(answers_a.correct[i]))
            correct_b.append(right_b[path])
            recordings.append(answers_a.groups[i] or path)
            clips.add((run_a.fold, path))
            seeds.add(run_a.seed)
    if not clips:
        return None
    return MatchedAnswers(
        np.array(correct_a), np.array(correct_b), tuple(recordings), len(clips), len(seeds), n_unmatched
    )


def compare(a: Experiment, b: Experiment) -> Comparison | None:
    """Test A against B: McNemar's exact test for one seed, a bootstrap over recordings for several.

    Returns:
        None where they share no clip, or all their clips under several seeds come from one recording.
    """
    answers = match_answers(a, b)
    if answers is None:
        return None
    if answers.n_seeds == 1:
        return Comparison(a, b, answers, mcnemar(answers.correct_a, answers.correct_b))
    if answers.n_recordings == 1:
        return None
    differences = answers.correct_a.astype(float) - answers.correct_b.astype(float)
    _, groups = np.unique(answers.recordings, return_inverse=True)
    return Comparison(a, b, answers, grouped_bootstrap(differences, groups, N_RESAMPLES))


def paired_table(runs: Sequence[RunSummary]) -> Table | None:
    """Test each step of the method for each transform: consistency, bda, standard, none; and each ablation.

    Returns:
        None where no two of the experiments make such a pair.

    Raises:
        UserError: if two runs are the same, or predictions cannot be read.
    """
    return paired_table_of(group_runs(runs))


def paired_table_of(
    experiments: Sequence[Experiment], test: Callable[[Experiment, Experiment], Comparison | None] = compare
) -> Table | None:
    """Build the table from experiments.

    Args:
        experiments: in the order of the table.
        test: `compare`, or one that remembers what it has compared.

    Returns:
        As `paired_table`.
    """
    pairs = list(_pairs(experiments))
    if not pairs:
        return None
    results = [test(a, b) for a, b in pairs]
    comparisons = [result for result in results if result is not None]
    corrected = holm([comparison.test.p_value for comparison in comparisons])
    rows = tuple(_cells(comparison, p, len(comparisons)) for comparison, p in zip(comparisons, corrected, strict=True))
    header = ("Pair", "Points", "95% interval", "p", "Holm p", "Detectable", "n")
    untested = [f"{a.label} and {b.label}" for (a, b), r in zip(pairs, results, strict=True) if r is None]
    significant = [c.name for c, p in zip(comparisons, corrected, strict=True) if p < _SIGNIFICANCE]
    return Table("Paired tests", header, rows, tuple(_notes(comparisons, significant, untested)))


def _pairs(experiments: Sequence[Experiment]) -> Iterable[tuple[Experiment, Experiment]]:
    """The steps of the method for each transform, then each ablation against the next simpler one.

    An ablation that changes two things (two views instead of three, and another divergence) is compared with the one
    that changes the first of them alone, so that the difference is of one thing.
    """
    named = [experiment for experiment in experiments if experiment.is_in_the_paper]
    for transform in TRANSFORMS[1:]:
        for method_a, method_b in _STEPS:
            kind_b = method_b, "none" if method_b == "none" else transform
            for a in named:
                if (a.method, a.transform) == (method_a, transform) and (b := _partner(a, kind_b, named)):
                    yield a, b
    for a in experiments:
        if not a.is_in_the_paper and (base := _partner(a, (a.method, a.transform), named)):
            alike = [b for b in experiments if (b.method, b.transform) == (a.method, a.transform)]
            yield a, _next_simpler(a, base, alike)


def _next_simpler(a: Experiment, base: Experiment, alike: Sequence[Experiment]) -> Experiment:
    simpler = [b for b in alike if n_different(b, base) < n_different(a, base)]
    return min(simpler, key=lambda b: (n_different(a, b), n_different(b, base)), default=base)


def _partner(a: Experiment, kind: tuple[str, str], named: Sequence[Experiment]) -> Experiment | None:
    return closest(a, [b for b in named if (b.method, b.transform) == kind])


def _cells(comparison: Comparison, corrected_p: float, n_comparisons: int) -> tuple[str, ...]:
    test, answers = comparison.test, comparison.answers
    detectable = detectable_difference(test.standard_error, n_comparisons, _SIGNIFICANCE)
    return (
        comparison.name,
        signed(100 * test.difference),
        f"{signed(100 * test.interval[0])}, {signed(100 * test.interval[1])}",
        _p_text(test.p_value),
        _p_text(float(corrected_p)),
        f"{100 * detectable:.2f}" if detectable > 0 else "-",
        f"{answers.n_clips}/{answers.n_recordings}/{answers.n_seeds}",
    )


def _p_text(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _notes(comparisons: Sequence[Comparison], significant: Sequence[str], untested: Sequence[str]) -> Iterable[str]:
    if untested:
        yield f"Not tested, for want of clips, folds or seeds in common: {'; '.join(untested)}."
    if not comparisons:
        return
    if significant:
        yield f"Significant at 5 % after correction: {'; '.join(significant)}."
    else:
        yield "No difference is significant at 5 % after correction; that does not show that there is none."
    yield (
        "Points: difference of test accuracy in percentage points, on the same clips, matched by fold, seed "
        "and path; n: clips/recordings/seeds."
    )
    n_seeds = [comparison.answers.n_seeds for comparison in comparisons]
    if 1 in n_seeds:
        yield (
            "Pairs with one seed: McNemar's exact test over the clips of all folds, interval by Bonett and "
            "Price; clips count as independent, and how another seed would come out stays open."
        )
    if any(n > 1 for n in n_seeds):
        yield (
            f"Pairs with several seeds: {N_RESAMPLES} bootstrap resamples of source recordings, each with "
            "all its clips and seeds."
        )
    yield (
        f"Holm p: corrected for {count_text([len(comparisons)], 'pair')}. Detectable: the smallest true difference, in "
        "points, that runs like these would find significant four times in five."
    )
    n_unmatched = sum(comparison.answers.n_unmatched for comparison in comparisons)
    if n_unmatched:
        answers = "1 answer" if n_unmatched == 1 else f"{n_unmatched} answers"
        yield f"Left out: {answers} to clips that only one model of a pair heard."
