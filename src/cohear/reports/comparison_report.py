"""The page that compares runs: table of methods, paired tests, curves, and what so many clips can show."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cohear.errors import UserError
from cohear.reports import plots
from cohear.reports.grouping import Experiment
from cohear.reports.method_table import ErrorOver, MethodRow, method_rows, method_table
from cohear.reports.pages import picture, write_page
from cohear.reports.paired_table import paired_table
from cohear.reports.run_folders import RunSummary
from cohear.reports.tables import to_html


def write_comparison(runs: Sequence[RunSummary], out: Path, error_over: ErrorOver = "folds") -> Path:
    """Write the page that compares finished runs.

    Args:
        runs: at least one.
        out: the HTML file to write; its folder exists.
        error_over: what standard errors are over, as in `method_table`.

    Returns:
        The file that was written.

    Raises:
        UserError: if there are no runs, two are the same, predictions cannot be read, or the page cannot be
            written.
    """
    if not runs:
        raise UserError("there is nothing to compare: give at least one finished run.")
    rows = method_rows(runs, error_over)
    paired = paired_table(runs)
    return write_page(
        out,
        "comparison.html",
        title=_title(runs),
        best=_best(rows),
        n_methods=len(rows),
        methods=to_html(method_table(runs, error_over)),
        accuracies=picture(plots.accuracy_by_model(rows), "Accuracy of each model with its standard error"),
        paired=to_html(paired) if paired else None,
        figures=list(_figures([row.experiment for row in rows])),
        runs=[run for row in rows for run in sorted(row.experiment.runs, key=lambda run: (run.fold, run.seed))],
    )


def _best(rows: Sequence[MethodRow]) -> list[MethodRow]:
    """Return the row with the highest accuracy, or all that share it."""
    highest = max(row.experiment.accuracy for row in rows)
    return [row for row in rows if math.isclose(row.experiment.accuracy, highest, rel_tol=1e-12)]


def _title(runs: Sequence[RunSummary]) -> str:
    return " and ".join(sorted({f"{run.dataset}, preset {run.preset}" for run in runs}))


def _figures(experiments: Sequence[Experiment]) -> list[dict[str, Any]]:
    """One pair of plots for each kind of views that was tracked, since only equal views compare."""
    tracked: dict[str, list[Experiment]] = {}
    for experiment in experiments:
        if any(plots.is_tracked(run, "test_jsd") for run in experiment.runs):
            tracked.setdefault(_tracked_views(experiment), []).append(experiment)
    return [
        {
            "views": views,
            "train": picture(plots.figure_1(chosen, "train"), "Divergence of the training clips by epoch"),
            "test": picture(plots.figure_1(chosen, "test"), "Divergence of the test clips by epoch"),
        }
        for views, chosen in tracked.items()
    ]


def _tracked_views(experiment: Experiment) -> str:
    """Training is followed on views of its own transform; without one, of the combination."""
    return "combination" if experiment.transform == "none" else experiment.transform
