"""What the paper says of accuracies (sections 3.1, 3.3, 4.2 and 4.4), and what the runs say of it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from cohear.experiments.paper import TABLE_1
from cohear.metrics.paired_tests import PairedTest
from cohear.reports.method_table import count_text
from cohear.reports.paper_numbers import METHODS, PAPER_TABLE_1, TRANSFORMS
from cohear.reports.table1_runs import CHANGED, MODELS, N_FOLDS, Difference, Table1Runs
from cohear.reports.tables import signed
from cohear.reports.verdicts import SIMILAR, Finding, Verdict, direction, likeness, size, steps

NONE, BEST = "No Augmentation", "Combination-CL"

_AVERAGES = {"standard": 0.0036, "bda": 0.0138, "consistency": 0.0199}
"""Gains over no augmentation, averaged over the transforms, in [0, 1] (section 4.4)."""
_LARGEST = 0.0263
_METHOD_NAMES = {"standard": "standard augmentation", "bda": "BDA", "consistency": "consistency learning"}
_ABLATION = "Combination-CL, "
_STEP_WORDS = {
    Verdict.HOLDS: ("holds", "hold"),
    Verdict.DOES_NOT: ("is reversed", "are reversed"),
    Verdict.OPEN: ("is undecided", "are undecided"),
}
"""Of one step and of several."""
_ALL_FOLDS = "all five folds are there; more seeds may narrow the interval"
_ZERO_INSIDE = "the interval contains zero"


def accuracy_findings(runs: Table1Runs) -> list[Finding]:
    """Judge what the paper says of accuracies, in the order of its importance."""
    return [
        *(_average_gain(runs, method) for method in METHODS[1:]),
        *(_average_step(runs, better, worse) for better, worse in (("bda", "standard"), ("consistency", "bda"))),
        _largest_size(runs),
        _largest_of_all(runs),
        *(_order(runs, transform) for transform in TRANSFORMS[1:]),
        _better(
            runs, "Two transformed views are clearly better than one", [BEST], [_ABLATION + "one transformed view"]
        ),
        _better(runs, "Raising the weight from zero over the first epochs helps", [BEST], [_ABLATION + "no ramp"]),
        _similar_weight(runs),
        _clean_only(runs),
    ]


def _models_of(method: str) -> list[str]:
    return [model.name for model in TABLE_1 if model.method == method]


def _average_gain(runs: Table1Runs, method: str) -> Finding:
    paper = _AVERAGES[method]
    claim = f"The average gain of {_METHOD_NAMES[method]} over the four transforms is {100 * paper:.2f} points"
    return _sized(runs, claim, _models_of(method), paper)


def _average_step(runs: Table1Runs, better: str, worse: str) -> Finding:
    claim = f"On average over the four transforms, {_METHOD_NAMES[better]} is better than {_METHOD_NAMES[worse]}"
    return _better(runs, claim, _models_of(better), _models_of(worse))


def _largest_size(runs: Table1Runs) -> Finding:
    claim = f"The gain of {BEST}, the paper's largest, is {100 * _LARGEST:.2f} points"
    return _sized(runs, claim, [BEST], _LARGEST)


def _largest_of_all(runs: Table1Runs) -> Finding:
    others = [name for name in MODELS if name not in (BEST, NONE)]
    return _all_better(runs, f"The gain of {BEST} is the largest of the twelve", [(BEST, other) for other in others])


def _order(runs: Table1Runs, transform: str) -> Finding:
    best, *others = [NONE if m == "none" else PAPER_TABLE_1[transform, m].model for m in reversed(METHODS)]
    claim = f"{best} is better than {', that than '.join(others)}"
    return _all_better(runs, claim, list(pairwise([best, *others])))


def _better(runs: Table1Runs, claim: str, better: Sequence[str], worse: Sequence[str]) -> Finding:
    return _judged(runs, claim, better, worse, lambda test: direction(test.interval), _ZERO_INSIDE)


def _similar_weight(runs: Table1Runs) -> Finding:
    claim = f"A weight of 7.5 gives similar results, within {100 * SIMILAR:.0f} point"
    undecided = f"the interval reaches both within {100 * SIMILAR:.0f} point of zero and beyond it"
    return _judged(runs, claim, [_ABLATION + "weight 7.5"], [BEST], lambda test: likeness(test.interval), undecided)


def _clean_only(runs: Table1Runs) -> Finding:
    claim = "Cross-entropy on the clean view only loses a part of the gain"
    clean_only = _ABLATION + "clean-only cross-entropy"
    return _all_better(runs, claim, [(BEST, clean_only), (clean_only, NONE)])


def _judged(
    runs: Table1Runs,
    claim: str,
    better: Sequence[str],
    worse: Sequence[str],
    judge: Callable[[PairedTest], Verdict],
    undecided: str,
) -> Finding:
    """Judge a claim that speaks of one difference; `undecided` says why all five folds may leave it open."""
    difference = runs.difference(better, worse)
    measured = f"{_points(difference.test)} on {_basis([difference])}" if difference.test else ""
    if difference.test is None or not difference.is_whole:
        return _unfinished(runs, claim, (*better, *worse), measured)
    verdict = judge(difference.test)
    if verdict is Verdict.OPEN:
        return Finding(claim, verdict, f"{measured}. Undecided: {undecided}.", _ALL_FOLDS)
    return Finding(claim, verdict, f"{measured}.")


def _sized(runs: Table1Runs, claim: str, better: Sequence[str], paper: float) -> Finding:
    """Judge a claim that a gain over no augmentation has the paper's size."""
    undecided = f"the interval contains the paper's {100 * paper:.2f} points and zero as well"
    finding = _judged(runs, claim, better, [NONE], lambda test: size(test.interval, paper), undecided)
    test = runs.difference(better, [NONE]).test
    if finding.verdict is not Verdict.DOES_NOT or test is None:
        return finding
    return replace(finding, remark="ours is larger" if test.difference > paper else "ours is smaller")


def _all_better(runs: Table1Runs, claim: str, pairs: Sequence[tuple[str, str]]) -> Finding:
    """Judge a claim that speaks of several differences, all of them positive."""
    differences = [runs.difference([better], [worse]) for better, worse in pairs]
    measured = [
        (f"{better} − {worse} {_points(difference.test)}", difference)  # noqa: RUF001
        for (better, worse), difference in zip(pairs, differences, strict=True)
        if difference.test
    ]
    said = "; ".join(text for text, _ in measured)
    said += f"; on {_basis([difference for _, difference in measured])}" if measured else ""
    if not all(difference.is_whole for difference in differences):
        return _unfinished(runs, claim, [name for pair in pairs for name in pair], said)
    verdict, each = steps([difference.test for difference in differences if difference.test])
    counts = ", ".join(f"{each.count(k)} {words[each.count(k) > 1]}" for k, words in _STEP_WORDS.items() if k in each)
    remark = _ALL_FOLDS if verdict is Verdict.OPEN else ""
    return Finding(claim, verdict, f"Of {len(each)} differences, {counts}: {said}.", remark)


def _unfinished(runs: Table1Runs, claim: str, names: Sequence[str], so_far: str) -> Finding:
    needed = tuple(dict.fromkeys(names))
    n_runs = runs.n_runs(needed)
    evidence = f"{n_runs} of the {N_FOLDS * len(needed)} runs that it needs {'is' if n_runs == 1 else 'are'} there."
    evidence += f" So far: {so_far}." if so_far else ""
    if any(name in CHANGED and runs.n_runs([name]) < N_FOLDS for name in needed):
        evidence += " " + how_to_make(runs, "ablations")
    return Finding(claim, Verdict.OPEN, evidence)


def how_to_make(runs: Table1Runs, what: str) -> str:
    """Say which command makes ablations or controls, and what it does beside runs of another version."""
    command = f"`cohear reproduce {what}` with the same options and the same --out makes the missing {what}"
    return f"{command}." if runs.is_current else f"{command}, and anew what they are compared with."


def _points(test: PairedTest) -> str:
    low, high = (signed(100 * bound) for bound in test.interval)
    return f"{signed(100 * test.difference)} points ({low} to {high})"


def _basis(differences: Sequence[Difference]) -> str:
    """Say what differences stand on: clips, folds and seeds."""
    clips = count_text([d.n_clips for d in differences], "clip")
    alike = {d.folds for d in differences}
    if len(alike) == 1 and len(differences[0].folds) == 1:
        folds = f"fold {differences[0].folds[0]}"
    else:
        folds = count_text([len(d.folds) for d in differences], "fold")
    return f"{clips} of {folds}, {count_text([len(d.seeds) for d in differences], 'seed')}"
