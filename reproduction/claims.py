"""What the paper says (sections 3.1, 3.3, 4.2 and 4.4, Figure 1), and what runs say of it.

Three answers: a claim holds, it does not, or it cannot be told. A claim on accuracies is judged when every model that
it speaks of has all five folds under at least one seed; before that it cannot be told, whatever a fold or two may show.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from cohear.metrics.paired_tests import PairedTest, holm
from cohear.reports.comparison import PAPER_TABLE_1
from cohear.reports.experiments import mean
from cohear.reports.pages import count_text, nats_text, signed
from cohear.reports.paired import SIGNIFICANCE
from cohear.runs.paper import FIGURE_FOLD, TABLE_1
from reproduction.grid import BEST, MODELS, N_FOLDS, NONE, Grid
from reproduction.intervals import mean_interval

_SIMILAR = 0.01
"""Largest difference of accuracies that still is similar, in [0, 1]: half the paper's average gain of consistency."""
_USUALLY = 0.75
"""Share of the epochs after the ramp in which a lower curve has to be below."""
_N_PARTS = 6
"""The accuracy over the last of so many parts of the epochs is compared with that over the part before it."""
_FEWEST_RUNS = 3


class Verdict(Enum):
    """What runs say of a claim."""

    HOLDS = "holds"
    DOES_NOT = "does not hold"
    OPEN = "cannot be told"


@dataclass(frozen=True)
class Rule:
    """How a verdict comes about."""

    judge: Callable[[Sequence[PairedTest]], Verdict]
    """Of tests of all differences that a claim speaks of, at least one."""
    text: str


@dataclass(frozen=True)
class Finding:
    """A claim of the paper with what the runs say of it."""

    claim: str
    """A sentence without its full stop."""
    verdict: Verdict
    evidence: str
    """One or more whole sentences."""
    rule: str


def findings(grid: Grid) -> list[Finding]:
    """Judge every claim that Table 1, Figure 1 and the ablations can answer."""
    return [*(_judged(grid, *claim) for claim in _accuracy_claims()), *_curve_findings(grid), _accuracy_stays(grid)]


def order(tests: Sequence[PairedTest]) -> Verdict:
    """Judge differences that shall all be positive."""
    corrected = holm([test.p_value for test in tests])
    if any(test.difference < 0 and p < SIGNIFICANCE for test, p in zip(tests, corrected, strict=True)):
        return Verdict.DOES_NOT
    return Verdict.HOLDS if all(test.interval[0] > 0 for test in tests) else Verdict.OPEN


def similar(tests: Sequence[PairedTest]) -> Verdict:
    """Judge a difference that shall be negligible."""
    ((low, high),) = (test.interval for test in tests)
    if low > -_SIMILAR and high < _SIMILAR:
        return Verdict.HOLDS
    return Verdict.DOES_NOT if low > _SIMILAR or high < -_SIMILAR else Verdict.OPEN


def size(number: float, tests: Sequence[PairedTest]) -> Verdict:
    """Judge a difference that shall be as large as the paper's."""
    ((low, high),) = (test.interval for test in tests)
    if not low <= number <= high:
        return Verdict.DOES_NOT
    return Verdict.OPEN if low <= 0 <= high else Verdict.HOLDS


ORDER = Rule(
    order,
    "Holds if the 95 % interval of each difference lies above zero; does not if one is negative with p below 0.05, "
    "corrected by Holm for their number.",
)
SIMILAR = Rule(similar, "Holds if the 95 % interval lies within one point of zero; does not if all of it lies outside.")


def _size(points: float) -> Rule:
    return Rule(
        lambda tests: size(points / 100, tests),
        f"Holds if the 95 % interval contains {points:.2f} points and not zero; does not if it excludes {points:.2f}.",
    )


_Pair = tuple[Sequence[str], Sequence[str]]


def _accuracy_claims() -> Iterable[tuple[str, Sequence[_Pair], Rule]]:
    """Name each claim with the differences that it speaks of, in the order of its importance."""
    of_method = {method: [name for name, its in _ALL_READ.items() if its.method == method] for method in _METHODS}
    one = [name for name in MODELS if name not in _ALL_READ]
    for method, points in {"standard": 0.36, "bda": 1.38, "consistency": 1.99}.items():
        claim = f"The average gain of {_METHODS[method]} over the four transforms is {points:.2f} points"
        yield claim, [(of_method[method], [NONE])], _size(points)
        if method == "standard":
            yield f"{claim}{_READ_AS_ONE}", [(one, [NONE])], _size(points)
    for worse, better in pairwise(_METHODS):
        claim = f"On average over the four transforms, {_METHODS[better]} is better than {_METHODS[worse]}"
        yield claim, [(of_method[better], of_method[worse])], ORDER
        if worse == "standard":
            yield f"{claim}{_READ_AS_ONE}", [(of_method[better], one)], ORDER
    points = PAPER_TABLE_1[BEST].improvement_points or 0.0
    yield f"The gain of {BEST}, the paper's largest, is {points:.2f} points", [([BEST], [NONE])], _size(points)
    others = [([BEST], [other]) for other in _ALL_READ if other not in (BEST, NONE)]
    yield f"The gain of {BEST} is the largest of the twelve", others, ORDER
    for names in zip(*of_method.values(), strict=True):
        best, *rest = (*reversed(names), NONE)
        steps = [([better], [worse]) for better, worse in pairwise([best, *rest])]
        yield f"{best} is better than {', that than '.join(rest)}", steps, ORDER
    one_view, ramp, weight, clean = (
        [f"{BEST}, {name}"] for name in ("one transformed view", "no ramp", "weight 7.5", "clean-only cross-entropy")
    )
    yield "Two transformed views are clearly better than one", [([BEST], one_view)], ORDER
    yield "Raising the weight from zero over the first epochs helps", [([BEST], ramp)], ORDER
    yield "A weight of 7.5 gives similar results, within 1 point", [(weight, [BEST])], SIMILAR
    loses = [([BEST], clean), (clean, [NONE])]
    yield "Cross-entropy on the clean view only loses a part of the gain", loses, ORDER


_ALL_READ = {model.name: model for model in TABLE_1 if model.name in PAPER_TABLE_1}
"""The models, of standard augmentation those that hear all signals of a clip in an epoch."""
_READ_AS_ONE = " (read as one signal of each clip in an epoch)"
_METHODS = {"standard": "standard augmentation", "bda": "BDA", "consistency": "consistency learning"}


def _judged(grid: Grid, claim: str, pairs: Sequence[_Pair], rule: Rule) -> Finding:
    compared = [(f"{better[0]} − {worse[0]} ", *grid.compare(better, worse)) for better, worse in pairs]  # noqa: RUF001
    found = [(name if len(pairs) > 1 else "", its) for name, its, _ in compared if its]
    said = "; ".join(name + _points(its.test) for name, its in found)
    if found:
        clips, n_seeds = (its.n_clips for _, its in found), (len(its.seeds) for _, its in found)
        said += f", on {count_text(clips, 'clip')}, {count_text(n_seeds, 'seed')}."
    if len(found) == len(pairs) and all(is_whole for *_, is_whole in compared):
        return Finding(claim, rule.judge([its.test for _, its in found]), said, rule.text)
    names = list(dict.fromkeys(name for better, worse in pairs for name in (*better, *worse)))
    evidence = f"Runs: {grid.n_runs(names)} of the {N_FOLDS * len(names)} that it needs."
    return Finding(claim, Verdict.OPEN, evidence + (f" So far: {said}" if found else ""), rule.text)


def _points(test: PairedTest) -> str:
    low, high = (signed(100 * bound) for bound in test.interval)
    return f"{signed(100 * test.difference)} points ({low} to {high})"


_BELOW = (
    "Holds if each curve lies below the other after the last epoch under every seed, and in three quarters of the "
    "epochs after the ramp; does not if one lies above at the end under every seed, and below in at most a quarter. "
    f"Fold {FIGURE_FOLD} alone; this describes curves and is no test."
)


def below(ends: Sequence[bool], share: float) -> Verdict:
    """Judge a curve that shall lie below another: whether it does at the end under each seed, and how often before."""
    if all(ends) and share >= _USUALLY:
        return Verdict.HOLDS
    return Verdict.DOES_NOT if not any(ends) and share <= 1 - _USUALLY else Verdict.OPEN


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """Judge a claim of several parts: it holds if all do, and does not if one does not."""
    if Verdict.DOES_NOT in verdicts:
        return Verdict.DOES_NOT
    return Verdict.HOLDS if verdicts and set(verdicts) == {Verdict.HOLDS} else Verdict.OPEN


def _curve_findings(grid: Grid) -> Iterable[Finding]:
    """Judge what the paper says of divergences over the epochs."""
    bda = [("bda", "standard", "train")]
    lowest = [("consistency", other, part) for part in ("train", "test") for other in ("standard", "bda")]
    *others, combination = list(dict.fromkeys(model.transform for model in TABLE_1))[1:]
    for claim, transforms, compared in (
        ("On the training clips, the divergence of BDA is below that of standard augmentation", [combination], bda),
        (
            "The divergence of consistency learning is below that of both, on training and test clips",
            [combination],
            lowest,
        ),
        ("The divergences of the other transforms show the same pattern", others, [*bda, *lowest]),
    ):
        verdicts, said = [], []
        for transform in transforms:
            curves = [_curve(grid, transform, *its) for its in compared]
            told = [its for its in curves if its]
            if len(told) == len(curves):
                verdicts += [verdict for verdict, _ in told]
                said += [text for _, text in told]
            else:
                said.append(f"not all models of {transform} were measured after each epoch")
        evidence = f"Nats at the end, and share of the epochs after the ramp: {'; '.join(said)}."
        yield Finding(claim, together(verdicts), evidence, _BELOW)


def _curve(grid: Grid, transform: str, low: str, high: str, part: str) -> tuple[Verdict, str] | None:
    """Compare the divergence of two methods over the epochs, under each seed that measured both."""
    name_of = {model.method: name for name, model in _ALL_READ.items() if model.transform == transform}
    ours, theirs = (_measured(grid, name_of[method], f"{part}_jsd") for method in (low, high))
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds:
        return None
    ramp_epochs = grid.table[name_of[low]].runs[0].config.objective.ramp_epochs
    pairs = [
        {epoch: (ours[seed][epoch], theirs[seed][epoch]) for epoch in sorted(ours[seed].keys() & theirs[seed].keys())}
        for seed in seeds
    ]
    seen = [a < b for its in pairs for epoch, (a, b) in its.items() if epoch > ramp_epochs]
    ends = [its[max(its)] for its in pairs]
    at_end, share = [nats_text(mean(its)) for its in zip(*ends, strict=True)], mean(seen) if seen else 0.5
    text = f"{name_of[low]} {at_end[0]} below {name_of[high]} {at_end[1]} on {part} clips in {share:.0%}"
    return below([a < b for a, b in ends], share), f"{text} ({count_text([len(seeds)], 'seed')})"


def _measured(grid: Grid, name: str, key: str) -> dict[int, dict[int, float]]:
    """Values by seed and epoch of runs on Figure 1's fold that were measured after the last epoch and others."""
    found = {}
    for run in grid.table[name].runs if name in grid.table else ():
        values = {record["epoch"]: float(record[key]) for record in run.history if record.get(key) is not None}
        if run.fold == FIGURE_FOLD and run.config.training.epochs in values and len(values) > 1:
            found[run.config.seed] = values
    return found


def _accuracy_stays(grid: Grid) -> Finding:
    """Compare late epochs with each other: the last against the best of many would find a fall in any noise."""
    claim = "The accuracy does not fall when training goes on"
    rule = (
        "Mean test accuracy over the last sixth of the epochs minus that over the sixth before it: holds if the 95 % "
        "interval (Student's, over runs) allows no fall of one clip of a fold; does not if it lies below zero. A weak "
        "test: it takes the runs as independent, and late learning rates are small."
    )
    changes = []
    for run in grid.runs:
        n = run.config.training.epochs // _N_PARTS
        accuracies = {record["epoch"]: record.get("test_accuracy") for record in run.history}
        late = [
            accuracies.get(epoch)
            for epoch in range(run.config.training.epochs - 2 * n + 1, run.config.training.epochs + 1)
        ]
        values = [value for value in late if value is not None]
        if n and len(values) == 2 * n:
            changes.append(mean(values[n:]) - mean(values[:n]))
    interval = mean_interval(changes)
    if interval is None or len(changes) < _FEWEST_RUNS:
        need = f"It needs {_FEWEST_RUNS} runs of at least {_N_PARTS} epochs that were measured after each one"
        return Finding(claim, Verdict.OPEN, f"{need}; {len(changes)} are there.", rule)
    margin = 1 / min(run.n_clips for run in grid.runs)
    low, high = (signed(100 * bound) for bound in interval)
    evidence = (
        f"{signed(100 * mean(changes))} points ({low} to {high}), over {len(changes)} runs; one clip of a fold is "
        f"{100 * margin:.2f} points."
    )
    holds = interval[0] > -margin
    verdict = Verdict.HOLDS if holds else Verdict.DOES_NOT if interval[1] < 0 else Verdict.OPEN
    return Finding(claim, verdict, evidence, rule)
