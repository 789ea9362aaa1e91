"""What follows a finished run or grid: its report, and the numbers on the screen."""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cohear.cli.progress import say
from cohear.errors import UserError

if TYPE_CHECKING:
    from cohear.reports.method_table import ErrorOver


def write_report(folder: Path) -> Path:
    """Write a run's `report.html`; without its sounds where those are gone."""
    from cohear.experiments.runs import show_test_clips
    from cohear.reports.run_report import write_run_report

    try:
        samples = show_test_clips(folder)
    except UserError as error:
        say(f"the report of {folder.name} shows no sounds: {error}")
        samples = ()
    return write_run_report(folder, samples)


def write_report_of_run(folder: Path) -> None:
    """As `write_report`, for a grid's processes."""
    write_report(folder)


def print_comparison(
    paths: Sequence[Path], report: Path, error_over: "ErrorOver" = "folds", *, markdown: bool = False
) -> None:
    """Print the tables of some runs and write their comparison; standard errors are over folds or over seeds."""
    from cohear.reports.comparison_report import write_comparison
    from cohear.reports.method_table import method_table
    from cohear.reports.paired_table import paired_table
    from cohear.reports.run_folders import read_runs, unfinished_runs
    from cohear.reports.tables import to_markdown, to_text

    for folder in unfinished_runs(paths):
        say(f"left out, since it is not finished: {folder}")
    runs = read_runs(paths)
    render = to_markdown if markdown else partial(to_text, width=shutil.get_terminal_size().columns)
    print(render(method_table(runs, error_over)))
    paired = paired_table(runs)
    if paired is not None:
        print()
        print(render(paired))
    write_comparison(runs, report, error_over)
    say(f"report: {report}")
