"""What the paper says of the epochs (section 4.4, Figure 1; section 4.2), and what the measured runs say of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cohear.experiments.paper import FIGURE_FOLD
from cohear.metrics.accuracy import mean_interval
from cohear.reports.grouping import mean
from cohear.reports.method_table import count_text
from cohear.reports.paper_numbers import PAPER_TABLE_1, TRANSFORMS
from cohear.reports.plots import Part
from cohear.reports.run_folders import RunSummary
from cohear.reports.table1_runs import Table1Runs
from cohear.reports.tables import nats_text, signed
from cohear.reports.verdicts import Finding, Verdict, below, no_fall, together

_DISAGREE = "measured; epochs or seeds disagree"
_FEWEST_RUNS = 3
"""Below that, an interval over runs says nothing."""
_PARTS: dict[Part, str] = {"train": "training clips", "test": "test clips"}
_Comparison = tuple[str, str, Part]
"""Methods of the lower and of the upper curve, and on which clips."""
_PARTS_OF_EPOCHS = 6
"""The accuracy of the last of so many parts is compared with that of the part before it."""
_COMPARED = ("standard", "bda", "consistency")
_LACKS = {
    "": "Measured, but not under a seed in common or not after the ramp",
    "unmeasured": "Not measured after each epoch",
    "short": "With a single epoch",
    "absent": f"Not run on fold {FIGURE_FOLD} yet",
}
"""Why a model has no curve, the more the later."""
_BDA_TRAIN: _Comparison = ("bda", "standard", "train")
_CONSISTENCY_LOWEST: tuple[_Comparison, ...] = tuple(
    ("consistency", other, part) for part in _PARTS for other in ("standard", "bda")
)


def curve_findings(runs: Table1Runs) -> list[Finding]:
    """Judge what the paper says of divergence and accuracy over the epochs."""
    return [
        _pattern(
            runs, "On the training clips, the divergence of BDA is below that of standard augmentation", _BDA_TRAIN
        ),
        _pattern(
            runs,
            "The divergence of consistency learning is below that of both, on the training and on the test clips",
            *_CONSISTENCY_LOWEST,
        ),
        _other_transforms(runs),
        _accuracy_stays(runs),
    ]


@dataclass(frozen=True)
class _Curves:
    """Two models' divergence over the epochs, under each seed that measured both."""

    lower: str
    upper: str
    part: Part
    at_the_end: tuple[tuple[float, float], ...]
    """Nats, of the lower and the upper model, for each seed."""
    share: float
    """Of the epochs after the ramp, in which the lower model is below."""
    n_epochs: int
    """After the ramp, all seeds together."""

    @property
    def verdict(self) -> Verdict:
        return below([low < high for low, high in self.at_the_end], self.share)


def _told(curves: Sequence[_Curves]) -> str:
    """Say where the lower models end, below which others they lie how often, and on which clips."""
    groups: dict[tuple[str, Part], list[_Curves]] = {}
    for curve in curves:
        groups.setdefault((curve.lower, curve.part), []).append(curve)
    said = []
    for (lower, part), members in groups.items():
        ends = [[nats_text(mean(values)) for values in zip(*curve.at_the_end, strict=True)] for curve in members]
        others = [
            f"below {curve.upper} ({high}) in {curve.share:.0%}" for curve, (_, high) in zip(members, ends, strict=True)
        ]
        said.append(
            f"{lower} {ends[0][0]} nats on the {_PARTS[part]} after the last epoch, {' and '.join(others)} of the "
            "epochs after the ramp"
        )
    return "; ".join(said)


def _curves(runs: Table1Runs, transform: str, comparison: _Comparison) -> _Curves | None:
    lower, upper = (PAPER_TABLE_1[transform, method].model for method in comparison[:2])
    key = f"{comparison[2]}_jsd"
    ours, theirs = _measured(runs, lower, key), _measured(runs, upper, key)
    at_the_end, is_below = [], []
    for seed in sorted(ours.keys() & theirs.keys()):
        values = {epoch: (low, theirs[seed][epoch]) for epoch, low in ours[seed].items() if epoch in theirs[seed]}
        ramp_epochs = _ramp_epochs(runs, lower)
        is_below += [low < high for epoch, (low, high) in values.items() if epoch >= ramp_epochs]
        at_the_end.append(values[max(values)])
    if not is_below:
        return None
    return _Curves(lower, upper, comparison[2], tuple(at_the_end), mean(is_below), len(is_below))


def _measured(runs: Table1Runs, model: str, key: str) -> dict[int, dict[int, float]]:
    """Values by seed and epoch of the runs on Figure 1's fold that were measured after the last epoch and others."""
    found = {}
    experiment = runs.grid.get(model)
    for run in experiment.runs if experiment else ():
        values = {record["epoch"]: float(record[key]) for record in run.history if record.get(key) is not None}
        if run.fold == FIGURE_FOLD and run.epochs - 1 in values and len(values) > 1:
            found[run.seed] = values
    return found


def _ramp_epochs(runs: Table1Runs, model: str) -> float:
    return float(runs.grid[model].runs[0].config["objective"]["ramp_epochs"])


def _pattern(runs: Table1Runs, claim: str, *comparisons: _Comparison) -> Finding:
    curves = [_curves(runs, "combination", comparison) for comparison in comparisons]
    found = [curve for curve in curves if curve is not None]
    if len(found) < len(curves):
        return Finding(claim, Verdict.OPEN, _not_measured(runs, comparisons))
    return _finding(claim, found, f"{_told(found)}. {_basis(found)}")


def _finding(claim: str, curves: Sequence[_Curves], evidence: str) -> Finding:
    verdict = together([curve.verdict for curve in curves])
    return Finding(claim, verdict, evidence, _DISAGREE if verdict is Verdict.OPEN else "")


def _other_transforms(runs: Table1Runs) -> Finding:
    claim = "The divergences of the other transforms show the same pattern"
    comparisons = (_BDA_TRAIN, *_CONSISTENCY_LOWEST)
    found, said = [], []
    missing: dict[str, list[str]] = {}
    for transform in TRANSFORMS[1:-1]:
        curves = [curve for c in comparisons if (curve := _curves(runs, transform, c)) is not None]
        name = PAPER_TABLE_1[transform, "standard"].model
        if len(curves) < len(comparisons):
            models = [PAPER_TABLE_1[transform, method].model for method in _COMPARED]
            reason = max((_lack(runs, model) for model in models), key=list(_LACKS).index)
            missing.setdefault(reason, []).append(name)
            continue
        found += curves
        n_holding = sum(curve.verdict is Verdict.HOLDS for curve in curves)
        against = [curve for curve in curves if curve.verdict is not Verdict.HOLDS]
        exceptions = f"; not these: {_told(against)}" if against else ""
        said.append(
            f"{name}: {n_holding} of {len(curves)} differences {'holds' if n_holding == 1 else 'hold'}{exceptions}"
        )
    lacking = _lacking(missing)
    if not found:
        return Finding(claim, Verdict.OPEN, f"It needs the three models of one other transform.{lacking}")
    finding = _finding(claim, found, f"{'. '.join(said)}. {_basis(found)}{lacking}")
    if finding.verdict is not Verdict.HOLDS or not lacking:
        return finding
    return replace(finding, remark=f"seen for {len(said)} of 3 other transforms")


def _not_measured(runs: Table1Runs, comparisons: Iterable[_Comparison]) -> str:
    methods = {method for lower, upper, _ in comparisons for method in (lower, upper)}
    models = [row.model for (t, method), row in PAPER_TABLE_1.items() if t == "combination" and method in methods]
    missing: dict[str, list[str]] = {}
    for model in models:
        missing.setdefault(_lack(runs, model), []).append(model)
    if len(missing) > 1:
        missing.pop("", None)
    need = f"It needs runs of {', '.join(models)} on fold {FIGURE_FOLD} that were measured after each epoch."
    return need + _lacking(missing)


def _lack(runs: Table1Runs, model: str) -> str:
    """Say why a model has no curve, as in `_LACKS`."""
    there = [run for run in runs.grid[model].runs if run.fold == FIGURE_FOLD] if model in runs.grid else []
    if not there:
        return "absent"
    if _measured(runs, model, "test_jsd"):
        return ""
    return "short" if all(run.epochs == 1 for run in there) else "unmeasured"


def _lacking(missing: dict[str, list[str]]) -> str:
    parts = [f" {words}: {', '.join(missing[lack])}." for lack, words in _LACKS.items() if lack in missing]
    return "".join(parts)


def _basis(curves: Sequence[_Curves]) -> str:
    seeds = count_text([len(curve.at_the_end) for curve in curves], "seed")
    return f"This stands on fold {FIGURE_FOLD} and {seeds}."


def _accuracy_stays(runs: Table1Runs) -> Finding:
    """Compare the mean accuracy of the last sixth of the epochs with that of the sixth before it.

    The last epoch against the best would be biased, since the best is chosen among many; two neighboring means are not.
    """
    claim = "The accuracy does not fall when training goes on"
    changes = [change for run in runs.grid_runs if (change := _late_change(run)) is not None]
    interval = mean_interval(changes)
    if interval is None or len(changes) < _FEWEST_RUNS:
        few = count_text([len(changes)], "run") if changes else "no run"
        need = f"It needs {_FEWEST_RUNS} runs of at least {_PARTS_OF_EPOCHS} epochs that were measured after each one"
        return Finding(claim, Verdict.OPEN, f"{need}; so far: {few}{_too_short(runs)}.")
    margin = 1 / min(run.n_clips for run in runs.grid_runs)
    low, high = (signed(100 * bound) for bound in interval)
    evidence = (
        "The mean test accuracy of the last sixth of the epochs minus that of the sixth before it is "
        f"{signed(100 * mean(changes))} points ({low} to {high}, over {len(changes)} runs); one clip of a fold is "
        f"{100 * margin:.2f} points."
    )
    verdict = no_fall(interval, margin)
    remark = "the interval contains zero and a fall of one clip" if verdict is Verdict.OPEN else ""
    return Finding(claim, verdict, evidence, remark)


def _too_short(runs: Table1Runs) -> str:
    n_short = sum(run.epochs < _PARTS_OF_EPOCHS for run in runs.grid_runs)
    return f" ({count_text([n_short], 'run')} with fewer epochs)" if n_short else ""


def _late_change(run: RunSummary) -> float | None:
    """Mean accuracy of the last sixth of a run's epochs minus that of the sixth before; None where not measured."""
    n = run.epochs // _PARTS_OF_EPOCHS
    accuracies = {record["epoch"]: record.get("test_accuracy") for record in run.history}
    late = [accuracies.get(epoch) for epoch in range(run.epochs - 2 * n, run.epochs)]
    values = [value for value in late if value is not None]
    if n == 0 or len(values) < 2 * n:
        return None
    return mean(values[n:]) - mean(values[:n])
