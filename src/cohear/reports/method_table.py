"""The paper's Table 1 from our own runs, the paper's numbers beside ours."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from cohear.metrics.accuracy import standard_error
from cohear.reports.grouping import Experiment, closest, group_runs, mean
from cohear.reports.paper_numbers import PAPER_TABLE_1
from cohear.reports.run_folders import RunSummary
from cohear.reports.tables import WARNING, Table, nats_text, signed

ErrorOver = Literal["folds", "seeds"]

_N_WARNINGS_SHOWN = 8


@dataclass(frozen=True, eq=False)
class MethodRow:
    """One experiment's line of the table; accuracies in [0, 1]."""

    experiment: Experiment
    standard_error: float | None
    """None where there is only one fold, or seed."""
    improvement: float | None
    """Over the experiment without augmentation, on the folds that both have; None where there are none."""


def method_rows(runs: Sequence[RunSummary], error_over: ErrorOver = "folds") -> list[MethodRow]:
    """Compute the lines of the table, in the paper's order."""
    experiments = group_runs(runs)
    baselines = [experiment for experiment in experiments if experiment.method == "none"]
    rows = []
    for experiment in experiments:
        baseline = None if experiment in baselines else closest(experiment, baselines)
        improvement = _improvement(experiment, baseline) if baseline else None
        repeated = experiment.accuracy_by_fold if error_over == "folds" else experiment.accuracy_by_seed
        rows.append(MethodRow(experiment, standard_error(list(repeated.values())), improvement))
    return rows


def method_table(runs: Sequence[RunSummary], error_over: ErrorOver = "folds") -> Table:
    """Build the table of methods as the paper prints it.

    Args:
        runs: finished runs, at least one.
        error_over: what the standard error is over: `folds`, each averaged over its seeds; or `seeds`, each
        averaged
            over all folds (then seeds that lack a fold do not count).

    Raises:
        ValueError: if there are no runs.
        UserError: if two runs are the same, or predictions cannot be read.
    """
    if not runs:
        raise ValueError("a table needs at least one run.")
    rows = method_rows(runs, error_over)
    with_paper = any(_is_esc50(run) for run in runs)
    header = ("Model", "Accuracy", "Improvement", "JSD, nats", "Runs", *(["Paper"] if with_paper else []))
    cells = tuple(_cells(row, with_paper) for row in rows)
    return Table("Accuracy by method", header, cells, tuple(_notes(rows, runs, error_over, with_paper)))


def _improvement(experiment: Experiment, baseline: Experiment) -> float | None:
    ours, theirs = experiment.accuracy_by_fold, baseline.accuracy_by_fold
    shared = [fold for fold in ours if fold in theirs]
    return mean(ours[fold] - theirs[fold] for fold in shared) if shared else None


def _cells(row: MethodRow, with_paper: bool) -> tuple[str, ...]:
    experiment = row.experiment
    cells = (
        experiment.label,
        _accuracy_text(100 * experiment.accuracy, None if row.standard_error is None else 100 * row.standard_error),
        "-" if row.improvement is None else f"{signed(100 * row.improvement)} points",
        nats_text(experiment.jsd),
        str(len(experiment.runs)),
    )
    if not with_paper:
        return cells
    paper = PAPER_TABLE_1[experiment.transform, experiment.method]
    if not experiment.is_in_the_paper or experiment.is_changed or not _is_esc50(experiment.runs[0]):
        return (*cells, "-")
    text = _accuracy_text(paper.accuracy_percent, paper.standard_error_percent)
    return (*cells, text if paper.improvement_points is None else f"{text} {paper.improvement_points:+.2f}%")


def _accuracy_text(percent: float, error_percent: float | None) -> str:
    return f"{percent:.2f}%" if error_percent is None else f"{percent:.2f}%±{error_percent:.2f}"


def _is_esc50(run: RunSummary) -> bool:
    return run.dataset == "ESC-50"


def _notes(
    rows: Sequence[MethodRow], runs: Sequence[RunSummary], error_over: ErrorOver, with_paper: bool
) -> Iterable[str]:
    folds = count_text((len(row.experiment.folds) for row in rows), "fold")
    seeds = count_text((len(row.experiment.seeds) for row in rows), "seed")
    if error_over == "folds":
        yield f"Accuracy: mean ± standard error over {folds}, each fold averaged over {seeds}."
    else:
        yield f"Accuracy: mean ± standard error over {seeds}, each seed averaged over {folds}."
    if all(row.standard_error is None for row in rows):
        yield f"With one {error_over[:-1]} there is no standard error."
    yield (
        "Improvement: percentage points over No Augmentation, on the folds that both have. "
        "JSD: between the clean test clip and two views of it, the same views for every model."
    )
    yield from commonest_label_sentences(runs)
    yield resolution_sentence(runs)
    yield from _missing_folds(rows)
    if with_paper:
        presets = " and ".join(sorted({f"preset {run.preset}, {count_text([run.epochs], 'epoch')}" for run in runs}))
        yield (
            "Paper: Table 1 of Iqbal et al. 2021 (ESC-50, 5 folds, 72 epochs), which does not say over what "
            f"its standard error is; these runs: {presets}."
        )
    yield from warning_sentences(runs)


def count_text(counts: Iterable[int], noun: str) -> str:
    """Say how many, or from how many to how many.

    Example:
        >>> count_text([1], "seed"), count_text([5, 2, 5], "fold")
        ('1 seed', '2 to 5 folds')
    """
    counts = list(counts)
    low, high = min(counts), max(counts)
    number = str(low) if low == high else f"{low} to {high}"
    return f"{number} {noun}" if high == 1 else f"{number} {noun}s"


def commonest_label_sentences(runs: Sequence[RunSummary]) -> list[str]:
    """Say for each data set what a classifier is worth that always answers the label with the most test clips."""
    runs_of: dict[str, dict[int, RunSummary]] = {}
    for run in runs:
        runs_of.setdefault(run.dataset, {}).setdefault(run.fold, run)
    sentences = []
    for dataset, by_fold in runs_of.items():
        counts: Counter[str] = Counter()
        for run in by_fold.values():
            counts.update(run.predictions.label_texts)
        where = f" of {dataset}" if len(runs_of) > 1 else ""
        percent = 100 * max(counts.values()) / counts.total()
        what = "set of labels" if any(run.predictions.is_multi_label for run in by_fold.values()) else "label"
        sentences.append(f"Always answering the commonest {what}{where} gives {percent:.2f}%.")
    return sentences


def resolution_sentence(runs: Sequence[RunSummary]) -> str:
    """Say what one clip is worth: the finest step in which these accuracies can move at all."""
    sizes = [run.n_clips for run in runs]
    small, large = min(sizes), max(sizes)
    total = sum({run.fold: run.n_clips for run in runs}.values())
    folds = len({run.fold for run in runs})
    clips, points = str(large), f"{100 / large:.2f}"
    if small < large:
        clips, points = f"{small} to {large}", f"{points} to {100 / small:.2f}"
    one = f"One clip of a fold's {clips} is {points} points"
    pooled = f", and {100 / total:.2f} points of all {total} clips of {folds} folds" if folds > 1 else ""
    return f"{one}{pooled}: a difference of a few clips may be chance."


def warning_sentences(runs: Sequence[RunSummary]) -> list[str]:
    """Collect the warnings of runs, each once."""
    warnings = list(dict.fromkeys(warning for run in runs for warning in run.warnings))
    shown, n_more = warnings[:_N_WARNINGS_SHOWN], len(warnings) - _N_WARNINGS_SHOWN
    more = [f"{WARNING}{n_more} more, in the reports of the runs."] if n_more > 0 else []
    return [WARNING + warning for warning in shown] + more


def _missing_folds(rows: Sequence[MethodRow]) -> Iterable[str]:
    every = {fold for row in rows for fold in row.experiment.folds}
    for row in rows:
        n_lacking = len(every) - len(row.experiment.folds)
        if n_lacking:
            folds = row.experiment.folds
            has = f"{'fold' if len(folds) == 1 else 'folds'} {', '.join(map(str, folds))}"
            yield (
                f"{row.experiment.label} has only {has} of the {len(every)} folds of this table: "
                "its mean does not compare with means over others."
            )
