"""What came of several runs: the table of methods beside the paper's numbers, paired tests, and the page of both.

The paper is Iqbal, Helwani, Krishnaswamy and Wang, "Enhancing Audio Augmentation Methods with Consistency Learning"
(ICASSP 2021, arXiv 2102.05151): ESC-50, five folds, 72 epochs. It does not say over what its standard error is.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cohear.errors import UserError
from cohear.metrics.accuracy import standard_error
from cohear.reports import plots
from cohear.reports.experiments import Experiment, cell_of, closest, group_runs, mean, preset_text
from cohear.reports.pages import picture, write_page
from cohear.reports.paired import compare_pairs, paired_table
from cohear.reports.tables import WARNING, Table, count_text, nats_text, signed, to_html
from cohear.runs.run import Run

ErrorOver = Literal["folds", "seeds"]

_N_WARNINGS_SHOWN = 8


@dataclass(frozen=True)
class PaperResult:
    """One row of the paper's Table 1, in percent."""

    accuracy_percent: float
    standard_error_percent: float
    improvement_points: float | None = None
    """Over no augmentation, as printed there; None for that row itself."""


PAPER_TABLE_1: dict[str, PaperResult] = {
    "No Augmentation": PaperResult(83.59, 0.15),
    "Pitch-Shift": PaperResult(84.35, 0.25, 0.76),
    "Pitch-Shift-BDA": PaperResult(84.60, 0.31, 1.01),
    "Pitch-Shift-CL": PaperResult(85.48, 0.22, 1.89),
    "Reverb": PaperResult(83.76, 0.19, 0.17),
    "Reverb-BDA": PaperResult(85.12, 0.07, 1.53),
    "Reverb-CL": PaperResult(85.58, 0.22, 1.99),
    "TF-Masking": PaperResult(83.69, 0.20, 0.10),
    "TF-Masking-BDA": PaperResult(84.32, 0.29, 0.73),
    "TF-Masking-CL": PaperResult(85.03, 0.12, 1.44),
    "Combination": PaperResult(83.99, 0.26, 0.40),
    "Combination-BDA": PaperResult(85.83, 0.22, 2.25),
    "Combination-CL": PaperResult(86.22, 0.12, 2.63),
}
"""By the names of `cohear.runs.paper.TABLE_1`."""


@dataclass(frozen=True, eq=False)
class MethodRow:
    """One experiment's line of the table; accuracies in [0, 1]."""

    experiment: Experiment
    standard_error: float | None
    """None where there is only one fold, or seed."""
    improvement: float | None
    """Over the experiment without augmentation, on the folds that both have; None where there are none."""


def method_rows(experiments: Sequence[Experiment], error_over: ErrorOver = "folds") -> list[MethodRow]:
    """Compute the lines of the table of methods, in their order."""
    baselines = [experiment for experiment in experiments if experiment.method == "none"]
    rows = []
    for experiment in experiments:
        baseline = None if experiment in baselines else closest(experiment, baselines)
        ours, theirs = experiment.accuracy_by_fold, baseline.accuracy_by_fold if baseline else {}
        gains = [ours[fold] - theirs[fold] for fold in ours if fold in theirs]
        repeated = ours if error_over == "folds" else experiment.accuracy_by_seed
        rows.append(MethodRow(experiment, standard_error(list(repeated.values())), mean(gains) if gains else None))
    return rows


def comparison_tables(runs: Sequence[Run], error_over: ErrorOver = "folds") -> list[Table]:
    """Return the table of methods and, where there are pairs, that of paired tests.

    Args:
        runs: finished runs, at least one.
        error_over: what standard errors are over: `folds`, each averaged over its seeds; or `seeds`, each averaged over
            all folds (then seeds that lack a fold do not count).

    Raises:
        UserError: if there are no runs, two are the same, or predictions cannot be read.
    """
    if not runs:
        raise UserError("there is nothing to compare: give at least one finished run")
    experiments = group_runs(runs)
    pairs = paired_table(compare_pairs(experiments))
    return [_method_table(runs, method_rows(experiments, error_over), error_over), *([pairs] if pairs else [])]


def write_comparison(runs: Sequence[Run], out: Path, error_over: ErrorOver = "folds") -> list[Table]:
    """Write the page that compares finished runs.

    Args:
        runs: at least one.
        out: the HTML file to write; its folder exists.
        error_over: as for `comparison_tables`.

    Returns:
        The tables of the page.

    Raises:
        UserError: as `comparison_tables`, or if the page cannot be written.
    """
    tables = comparison_tables(runs, error_over)
    rows = method_rows(group_runs(runs), error_over)
    highest = max(row.experiment.accuracy for row in rows)
    write_page(
        out,
        "comparison.html",
        title=" and ".join(sorted({f"{run.record.dataset}, preset {run.config.preset}" for run in runs})),
        best=[row for row in rows if math.isclose(row.experiment.accuracy, highest, rel_tol=1e-12)],
        n_methods=len(rows),
        methods=to_html(tables[0]),
        accuracies=picture(
            plots.accuracy_by_model([(row.experiment, row.standard_error) for row in rows]),
            "Accuracy of each model with its standard error",
        ),
        paired=[to_html(table) for table in tables[1:]],
        figures=list(_figures([row.experiment for row in rows])),
        runs=[run for row in rows for run in sorted(row.experiment.runs, key=cell_of)],
    )
    return tables


def _figures(experiments: Sequence[Experiment]) -> Iterable[dict[str, Any]]:
    """One pair of plots for each kind of views that was tracked, since only equal views compare."""
    tracked: dict[str, list[Experiment]] = {}
    for experiment in experiments:
        if any(plots.is_tracked(run, "test_jsd") for run in experiment.runs):
            views = "combination" if experiment.transform == "none" else experiment.transform
            tracked.setdefault(views, []).append(experiment)
    for views, chosen in tracked.items():
        yield {
            "views": views,
            "train": picture(plots.figure_1(chosen, "train"), "Divergence of the training clips by epoch"),
            "test": picture(plots.figure_1(chosen, "test"), "Divergence of the test clips by epoch"),
        }


def _method_table(runs: Sequence[Run], rows: Sequence[MethodRow], error_over: ErrorOver) -> Table:
    with_paper = any(_is_esc50(run) for run in runs)
    header = ("Model", "Accuracy", "Improvement", "JSD, nats", "Runs", *(["Paper"] if with_paper else []))
    cells = [(*_cells(row), *([_paper_cell(row.experiment)] if with_paper else [])) for row in rows]
    return Table("Accuracy by method", header, tuple(cells), tuple(_notes(rows, runs, error_over, with_paper)))


def _cells(row: MethodRow) -> tuple[str, ...]:
    experiment = row.experiment
    return (
        experiment.label,
        _accuracy_text(100 * experiment.accuracy, None if row.standard_error is None else 100 * row.standard_error),
        "-" if row.improvement is None else f"{signed(100 * row.improvement)} points",
        nats_text(experiment.jsd),
        str(len(experiment.runs)),
    )


def _paper_cell(experiment: Experiment) -> str:
    paper = PAPER_TABLE_1.get(experiment.runs[0].record.model)
    if paper is None or experiment.is_changed or not _is_esc50(experiment.runs[0]):
        return "-"
    text = _accuracy_text(paper.accuracy_percent, paper.standard_error_percent)
    return text if paper.improvement_points is None else f"{text} {paper.improvement_points:+.2f}%"


def _accuracy_text(percent: float, error_percent: float | None) -> str:
    return f"{percent:.2f}%" if error_percent is None else f"{percent:.2f}%±{error_percent:.2f}"


def _is_esc50(run: Run) -> bool:
    return run.record.dataset == "ESC-50"


def _notes(rows: Sequence[MethodRow], runs: Sequence[Run], error_over: ErrorOver, with_paper: bool) -> Iterable[str]:
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
    yield commonest_label_sentence(runs)
    yield from missing_folds([row.experiment for row in rows])
    if with_paper:
        presets = " and ".join(sorted({preset_text(run) for run in runs}))
        yield (
            "Paper: Table 1 of Iqbal et al. 2021 (ESC-50, 5 folds, 72 epochs), which does not say over what "
            f"its standard error is; these runs: {presets}."
        )
    yield from warning_sentences(warning for run in runs for warning in run.metrics["warnings"])


def missing_folds(experiments: Sequence[Experiment]) -> Iterable[str]:
    """Say which experiments lack folds that others have."""
    every = {fold for experiment in experiments for fold in experiment.folds}
    for experiment in experiments:
        folds = experiment.folds
        if len(folds) < len(every):
            has = f"{'fold' if len(folds) == 1 else 'folds'} {', '.join(map(str, folds))}"
            yield (
                f"{experiment.label} has only {has} of the {len(every)} folds of this table: its mean does not compare "
                "with means over others."
            )


def commonest_label_sentence(runs: Sequence[Run]) -> str:
    """Say what a classifier is worth that always answers the label with the most test clips."""
    tested = {(run.record.data_fingerprint, run.fold): run.predictions for run in runs}
    counts = Counter(label for answers in tested.values() for label in answers.label_texts)
    what = runs[0].predictions.task.words.target
    return f"Always answering the commonest {what} gives {max(counts.values()) / counts.total():.2%}."


def warning_sentences(warnings: Iterable[str]) -> list[str]:
    """Return warnings as notes, each once, the first few of many."""
    found = list(dict.fromkeys(warnings))
    n_more = len(found) - _N_WARNINGS_SHOWN
    more = [f"{WARNING}{n_more} more, in the reports of the runs."] if n_more > 0 else []
    return [WARNING + warning for warning in found[:_N_WARNINGS_SHOWN]] + more
