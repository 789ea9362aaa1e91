"""What follows a finished run or grid: its report, and the numbers on the screen."""

from collections.abc import Sequence
from pathlib import Path

from cohear.cli.progress import say
from cohear.errors import UserError


def write_report(folder: Path) -> Path:
    """Write a run's `report.html`; without its sounds where those are gone."""
    from cohear.experiments.runs import sample_clips
    from cohear.reports.run_report import write_run_report

    try:
        samples = sample_clips(folder)
    except UserError as error:
        say(f"the report of {folder.name} shows no sounds: {error}")
        samples = ()
    return write_run_report(folder, samples)


def write_report_of_run(folder: Path) -> None:
    """As `write_report`, for a grid's processes."""
    write_report(folder)


def print_comparison(paths: Sequence[Path], report: Path) -> None:
    """Print the tables of some runs and write their comparison."""
    from cohear.reports.comparison_report import write_comparison
    from cohear.reports.method_table import method_table
    from cohear.reports.paired_table import paired_table
    from cohear.reports.run_folders import read_runs
    from cohear.reports.tables import to_text

    runs = read_runs(paths)
    print(to_text(method_table(runs)))
    paired = paired_table(runs)
    if paired is not None:
        print()
        print(to_text(paired))
    write_comparison(runs, report)
    say(f"report: {report}")
