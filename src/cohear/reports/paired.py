"""Does each step of the method help? Paired tests between models on the clips that both answered.

One comparison serves every table: of the answers that runs keep, of what runs were judged on later, clean or corrupted,
and of averages over several models. Its unit of evidence is the source recording, never the clip.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from cohear.judging.verdict import SIGNIFICANCE
from cohear.metrics.paired_tests import PairedTest, detectable_difference, holm, paired_test
from cohear.reports.experiments import Experiment, cell_of, closest, n_different
from cohear.reports.pages import Table, count_text, signed

_STEPS = (("consistency", "bda"), ("bda", "standard"), ("standard", "none"), ("consistency", "none"))


class Answer(NamedTuple):
    """What a run said of a clip."""

    right: tuple[bool, ...]
    """Whether each version of the clip was answered rightly: as it is, or in every way corrupted."""
    recording: str
    """The source recording of the clip."""


Answers = Mapping[tuple[int, int, str], Answer]
"""By fold, seed and path."""


@dataclass(frozen=True)
class Comparison:
    """What a test found, and on what it stands."""

    test: PairedTest
    n_clips: int
    n_recordings: int
    folds: tuple[int, ...]
    seeds: tuple[int, ...]


def answers_of(experiment: Experiment) -> Answers:
    """Return the answers to the test clips that the runs of an experiment keep."""
    return {
        (*cell_of(run), path): Answer((right,), group or path)
        for run in experiment.runs
        for path, group, right in zip(
            run.predictions.paths, run.predictions.groups, run.predictions.correct.tolist(), strict=True
        )
    }


def compare(better: Sequence[Answers], worse: Sequence[Answers]) -> Comparison | None:
    """Test the mean of some models against that of others, on the same clips, folds and seeds, recording by recording.

    A clip that was answered by runs of several seeds, or of several folds since it is none of their data, or in many
    corrupted versions, is no more evidence for that: what counts are recordings, each with all answers to its clips.

    Returns:
        None where they share no clips.
    """
    models = (*better, *worse)
    shared = sorted(set.intersection(*(set(its) for its in models)))
    if not shared:
        return None
    mean_better, mean_worse = (
        np.mean([[its[pair].right for pair in shared] for its in side], axis=0) for side in (better, worse)
    )
    differences = mean_better - mean_worse  # [pair, version]
    recordings = [models[0][pair].recording for pair in shared for _ in range(differences.shape[1])]
    return Comparison(
        test=paired_test(differences.ravel(), recordings, unit=1 / math.lcm(len(better), len(worse))),
        n_clips=len({path for _, _, path in shared}),
        n_recordings=len(set(recordings)),
        folds=tuple(sorted({fold for fold, _, _ in shared})),
        seeds=tuple(sorted({seed for _, seed, _ in shared})),
    )


@dataclass(frozen=True, eq=False)
class Pair:
    """Experiment A against experiment B."""

    a: Experiment
    b: Experiment
    comparison: Comparison | None
    """None where nothing can be compared."""

    @property
    def name(self) -> str:
        """A minus B."""
        return f"{self.a.label} − {self.b.label}"  # noqa: RUF001


def compare_pairs(
    experiments: Sequence[Experiment], answers: Callable[[Experiment], Answers] = answers_of
) -> list[Pair]:
    """Test each step of the method for each transform, then each ablation against the next simpler one.

    Args:
        experiments: in the order of the table.
        answers: of an experiment.

    Raises:
        UserError: where answers cannot be read.
    """
    once = cache(answers)
    return [Pair(a, b, compare([once(a)], [once(b)])) for a, b in _pairs(experiments)]


def paired_table(pairs: Sequence[Pair], title: str = "Paired tests") -> Table | None:
    """Build the table of tests; None where there are no pairs."""
    tested = _tested(pairs)
    rows = tuple(_cells(pair.name, comparison, p, len(tested)) for pair, comparison, p in tested)
    significant = [pair.name for pair, _, p in tested if p < SIGNIFICANCE]
    header = ("Pair", "Points", "95% interval", "p", "Holm p", "Detectable", "n")
    return Table(title, header, rows, tuple(_notes(pairs, significant))) if pairs else None


def name_of_best(best: Experiment, experiments: Sequence[Experiment], pairs: Sequence[Pair]) -> str:
    """Name the experiment with the best number, and say so where tests did not find it better than every other.

    Args:
        best: the experiment.
        experiments: it and the others; where there are none, the name is empty.
        pairs: what was tested.
    """
    if len(experiments) == 1:
        return ""
    worse = {
        pair.b if comparison.test.difference > 0 else pair.a
        for pair, comparison, p in _tested(pairs)
        if p < SIGNIFICANCE and best is (pair.a if comparison.test.difference > 0 else pair.b)
    }
    return best.label if len(worse) == len(experiments) - 1 else f"{best.label}, whose lead may be chance"


def _tested(pairs: Sequence[Pair]) -> list[tuple[Pair, Comparison, float]]:
    """Return the pairs that were tested, each with its p-value corrected for their number."""
    tested = [(pair, pair.comparison) for pair in pairs if pair.comparison]
    corrected = holm([comparison.test.p_value for _, comparison in tested])
    return [(*both, float(p)) for both, p in zip(tested, corrected, strict=True)]


def _pairs(experiments: Sequence[Experiment]) -> Iterable[tuple[Experiment, Experiment]]:
    """Pair each step of the method, BDA with either reading of standard augmentation; then ablations.

    An ablation that changes two things is compared with the one that changes the first of them alone. So the difference
    is of one thing: two views instead of three, and then another divergence.
    """
    named = [experiment for experiment in experiments if not experiment.is_variant]
    for transform in dict.fromkeys(its.transform for its in named if its.method != "none"):
        for method_a, method_b in _STEPS:
            kind_b = method_b, "none" if method_b == "none" else transform
            readings = [[b for b in named if _is_one_read(b) == is_one] for is_one in (False, True)]
            for a in named:
                for among in readings:
                    if (a.method, a.transform) == (method_a, transform) and (b := _partner(a, kind_b, among)):
                        yield a, b
    if len(named) == 2 and not any(_is_step(*pair) for pair in (named, named[::-1])):
        b, a = named  # no step of the method, and all that there is to compare
        if a.settings["dataset"] == b.settings["dataset"]:
            yield a, b
    for a in experiments:
        if a.is_variant and (base := _partner(a, (a.method, a.transform), named)):
            alike = [b for b in experiments if (b.method, b.transform) == (a.method, a.transform)]
            yield a, _next_simpler(a, base, alike)


def _is_step(a: Experiment, b: Experiment) -> bool:
    """Whether the first is tested against the second as a step of the method."""
    return (a.method, b.method) in _STEPS and (b.method == "none" or a.transform == b.transform)


def _is_one_read(experiment: Experiment) -> bool:
    return experiment.settings.get("views.standard_reads") == "one"


def _next_simpler(a: Experiment, base: Experiment, alike: Sequence[Experiment]) -> Experiment:
    simpler = [b for b in alike if n_different(b, base) < n_different(a, base)]
    return min(simpler, key=lambda b: (n_different(a, b), n_different(b, base)), default=base)


def _partner(a: Experiment, kind: tuple[str, str], named: Sequence[Experiment]) -> Experiment | None:
    return closest(a, [b for b in named if (b.method, b.transform) == kind])


def _cells(name: str, comparison: Comparison, corrected_p: float, n_comparisons: int) -> tuple[str, ...]:
    test = comparison.test
    detectable = detectable_difference(test.standard_error, n_comparisons, SIGNIFICANCE)
    return (
        name,
        signed(100 * test.difference),
        ", ".join(signed(100 * bound) for bound in test.interval),
        _p_text(test.p_value),
        _p_text(corrected_p),
        f"{100 * detectable:.2f}",
        f"{comparison.n_clips}/{comparison.n_recordings}/{len(comparison.seeds)}",
    )


def _p_text(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _notes(pairs: Sequence[Pair], significant: Sequence[str]) -> Iterable[str]:
    if untested := [f"{pair.a.label} and {pair.b.label}" for pair in pairs if pair.comparison is None]:
        yield f"Not tested, for want of clips, folds or seeds in common: {'; '.join(untested)}."
    found = [pair.comparison for pair in pairs if pair.comparison]
    if not found:
        return
    if significant:
        yield f"Significant at 5 % after correction: {'; '.join(significant)}."
    else:
        yield "No difference is significant at 5 % after correction; that does not show that there is none."
    yield (
        "Points: difference of test accuracy in percentage points, on the same clips, matched by fold, seed and path; "
        "positive: the first is better; n: clips/recordings/seeds."
    )
    one_seed = " How another seed would come out stays open." if any(len(its.seeds) == 1 for its in found) else ""
    yield (
        "Interval and p: of source recordings, each with all its clips and seeds, since clips of one recording are no "
        f"independent evidence.{one_seed} Holm p: corrected for {count_text([len(found)], 'pair')}. "
        "Detectable: the smallest true difference, in points, that runs like these would find significant four times "
        "in five."
    )
