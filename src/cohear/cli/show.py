"""`cohear compare`, `cohear evaluate` and `cohear report`: what came of runs, and how far it can be trusted."""

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cohear.cli import options
from cohear.cli.progress import counting, progress_bar, say
from cohear.errors import UserError

if TYPE_CHECKING:
    from cohear.judging.judged_clips import JudgedFold
    from cohear.judging.verdict import Verdict
    from cohear.reports.comparison import ErrorOver
    from cohear.reports.pages import Table
    from cohear.runs.run import Run

Runs = Annotated[list[Path], typer.Argument(metavar="RUN...")]


def compare(
    runs: Runs,
    out: options.Page = Path("comparison.html"),
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
    print_comparison(_finished(runs), out, error_over, markdown=markdown)


def report(runs: Runs) -> None:
    """Write what is rendered from each run anew: report.html and predictions.csv in its folder.

    Give it where training was started, so that it finds the sounds.

    cohear report runs/my-run

    Args:
        runs: Run folders, or folders that hold them.
    """
    from cohear.api import write_report
    from cohear.runs.finding import find_finished
    from cohear.runs.predictions import write_table

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


def _fold(text: str) -> "JudgedFold":
    if text.isascii() and text.isdigit():
        return int(text)
    if text in ("own", "all"):
        return text
    raise typer.BadParameter(f"{text} is not known; use own, all, or the number of a fold")


def evaluate(
    runs_and_data: Annotated[list[Path], typer.Argument(metavar="RUN... DATA")],
    fold: Annotated[Any, typer.Option(metavar="N|own|all", parser=_fold)] = None,
    corruptions: Annotated[bool, typer.Option("--corruptions")] = False,
    out: options.Page = Path("evaluation.html"),
    json_file: options.Json = None,
    sounds: Annotated[str | None, typer.Option(metavar="DIR")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad")] = False,
) -> None:
    """Judge finished runs: accuracy, calibration, consistency, robustness.

    Of one run: accuracy with its interval, by label, whether probabilities mean what they say (before and after the
    temperature that was fitted to validation clips), thresholds, and how alike it answers a clip in another pitch, in
    another room, or with parts hidden. Of several: one table, with standard errors over folds and paired tests.

    DATA may be what the run was trained on, of which its own test fold is judged, or other sounds with the same labels.

    cohear evaluate runs/mine my_sounds/ --corruptions

    cohear evaluate runs/mine other_pond/ --out other_pond.html --json other_pond.json

    cohear evaluate runs/bda runs/consistency my_sounds/ --corruptions

    Args:
        runs_and_data: Run folders, or folders that hold them; last, labeled sounds as `cohear train` takes them.
        fold: Judge on fold N of DATA, on the run's own test fold, or on all clips, also those it was trained on; else
            on its own where DATA is what it was trained on, or every clip that it was not trained on.
        corruptions: Judge on damaged clips too: eleven corruptions in five severities, a minute a fold.
        out: Where the page goes.
        json_file: Where all numbers go, as JSON.
        sounds: Where the sounds of a table lie.
        skip_bad: Leave out files that cannot be used.
    """
    if len(runs_and_data) < 2:
        raise UserError("DATA is missing; give runs and then the sounds to judge them on, as runs/mine my_sounds/")
    *runs, data = runs_and_data

    from cohear.judging.judged_clips import choose_clips
    from cohear.judging.judged_runs import judge_runs
    from cohear.reports.evaluation_json import evaluation_values
    from cohear.reports.evaluation_report import accuracy_sentence, write_evaluation
    from cohear.reports.robustness_report import write_robustness
    from cohear.runtime.files import write_json

    with progress_bar("decoding") as update:
        how = {"sounds": sounds, "skip_bad": skip_bad, "on_progress": counting(update, "files")}
        chosen = [(run, choose_clips(run, data, fold, **how)) for run in _finished(runs, tested=len(runs) > 1)]
    lines = [note for _, clips in chosen for note in clips.notes]
    lines += [f"judging on {clips.description}" for _, clips in chosen]
    lines += [f"WARNING: {warning}" for _, clips in chosen for warning in clips.warnings]
    for line in dict.fromkeys(lines):
        say(line)
    with progress_bar("judging") as update:
        judged = judge_runs(chosen, corruptions=corruptions, on_progress=update)
    place, found, tables = write_evaluation(judged[0], out) if len(judged) == 1 else write_robustness(judged, out)
    if json_file:
        write_json(json_file, evaluation_values(judged))
    print_verdict(found)
    if len(judged) == 1:
        print_wrapped(accuracy_sentence(judged[0]))
        print()
    print_tables(tables)
    say(f"report: {place}")


def print_comparison(
    runs: "Sequence[Run]", page: Path, error_over: "ErrorOver" = "folds", *, markdown: bool = False
) -> None:
    """Write the comparison of some finished runs, then print its tables.

    Raises:
        UserError: where runs cannot be read or compared, or the page cannot be written.
    """
    from cohear.reports.comparison import write_comparison

    place, found, tables = write_comparison(runs, page, error_over)  # before printing: a reader may leave early
    print_verdict(found)
    print_tables(tables, markdown=markdown)
    say(f"report: {place}")


def print_verdict(verdict: "Verdict") -> None:
    """Print how good answers are, and what to do next."""
    print_wrapped(verdict.result)
    print_wrapped(f"Next: {verdict.next_step}")
    print()


def print_wrapped(sentence: str) -> None:
    """Print a sentence in lines as long as the terminal is wide."""
    print(textwrap.fill(sentence, shutil.get_terminal_size().columns, break_on_hyphens=False))


def print_tables(tables: "Iterable[Table]", *, markdown: bool = False) -> None:
    """Print tables, for the terminal or as Markdown."""
    from cohear.reports.pages import to_markdown, to_text

    width = shutil.get_terminal_size().columns
    print("\n\n".join(to_markdown(table) if markdown else to_text(table, width) for table in tables))


def _finished(paths: Sequence[Path], *, tested: bool = True) -> "list[Run]":
    """Find finished runs, as `find_finished`, and say which are left out."""
    from cohear.runs.finding import find_finished

    finished, unfinished = find_finished(paths, tested=tested)
    for run in unfinished:
        say(f"left out, since it is not finished: {run.folder}")
    return finished
