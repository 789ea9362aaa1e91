"""`cohear compare` and `cohear report`: what came of runs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cohear.cli.progress import say
from cohear.errors import UserError

Runs = Annotated[
    list[Path],
    typer.Argument(metavar="RUN...", show_default=False, help="Run folders, or folders that hold them."),
]


def compare(
    runs: Runs,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the comparison's page goes.")] = Path(
        "comparison.html"
    ),
    error_over: Annotated[
        Literal["folds", "seeds"],
        typer.Option(help="Standard errors over folds (of means over seeds) or over seeds (of means over folds)."),
    ] = "folds",
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown.")] = False,
) -> None:
    """Compare runs: a table with standard errors, paired tests, and a page.

    cohear compare runs/
    """
    from cohear.cli.finish import print_comparison

    print_comparison(runs, out, error_over, markdown=markdown)


def report(runs: Runs) -> None:
    """Write what is rendered from each run anew: report.html and predictions.csv in its folder.

    Give it where training was started, so that it finds the sounds.

    cohear report runs/my-run
    """
    from cohear.cli.finish import write_report
    from cohear.experiments.predictions import write_table
    from cohear.reports.run_folders import RunSummary, read_trained_runs

    failures: list[UserError] = []
    for run in read_trained_runs(runs):
        try:
            if isinstance(run, RunSummary):
                write_table(run.folder, run.predictions)
            say(f"report: {write_report(run.folder)}")
        except UserError as error:
            failures.append(error)
    if failures:
        more = f" (and {len(failures) - 1} more could not be written)" if len(failures) > 1 else ""
        raise UserError(f"{failures[0]}{more}") from failures[0]
