"""`cohear compare` and `cohear report`: what came of runs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cohear.cli.progress import say
from cohear.errors import UserError

Runs = Annotated[list[Path], typer.Argument(metavar="RUN...")]


def compare(
    runs: Runs,
    out: Annotated[Path, typer.Option(metavar="FILE")] = Path("comparison.html"),
    error_over: Literal["folds", "seeds"] = "folds",
    markdown: Annotated[bool, typer.Option("--markdown")] = False,
) -> None:
    """Compare runs: a table with standard errors, paired tests, and a page.

    cohear compare runs/

    Args:
        runs: Run folders, or folders that hold them.
        out: Where the comparison's page goes.
        error_over: Standard errors over folds (of means over seeds) or over seeds (of means over folds).
        markdown: Print the tables as Markdown.
    """
    from cohear.cli.finish import finished_runs, print_comparison

    print_comparison(finished_runs(runs), out, error_over, markdown=markdown)


def report(runs: Runs) -> None:
    """Write what is rendered from each run anew: report.html and predictions.csv in its folder.

    Give it where training was started, so that it finds the sounds.

    cohear report runs/my-run

    Args:
        runs: Run folders, or folders that hold them.
    """
    from cohear.api import write_report
    from cohear.runs.predictions import write_table
    from cohear.runs.run import find_finished

    failure = None
    for run in find_finished(runs, tested=False)[0]:
        try:
            if run.is_tested:
                write_table(run.folder, run.predictions)
            write_report(run)
            say(f"report: {run.report}")
        except UserError as error:
            failure = failure or error  # the others are still written
    if failure:
        raise failure
