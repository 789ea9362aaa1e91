"""What commands share before and after the work: runs are found, places checked, numbers shown."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cohear.cli.progress import say
from cohear.errors import UserError
from cohear.runs.run import Run, find_finished

if TYPE_CHECKING:
    from cohear.reports.comparison import ErrorOver
    from cohear.reports.tables import Table


def result_text(metrics: Mapping[str, Any]) -> str:
    """Say how good a finished run is, or what to expect of it."""
    if metrics["accuracy"] is not None:
        several = {"mean average precision": "mean_average_precision", "F1": "f1_micro"}
        more = [f", {what} {metrics[name]:.2%}" for what, name in several.items() if metrics.get(name) is not None]
        return (
            f"accuracy {metrics['accuracy']:.2%} on {metrics['n_clips']} clips of fold {metrics['fold']}, "
            f"Jensen-Shannon divergence {metrics['jsd']:.4f} nats{''.join(more)}"
        )
    expected, trained = metrics["expected"], f"trained on {metrics['n_train_clips']} clips"
    if expected is None:
        return f"{trained}; cross-validate the same settings, and name its folder by --crossval, to know what to expect"
    error = "" if expected["standard_error"] is None else f" ± {expected['standard_error']:.2%}"
    return f"{trained}; expect an accuracy of {expected['accuracy']:.2%}{error}, as cross-validation found"


def finished_runs(paths: Sequence[Path], *, tested: bool = True) -> list[Run]:
    """Find finished runs, as `find_finished`, and say which are left out."""
    finished, unfinished = find_finished(paths, tested=tested)
    for run in unfinished:
        say(f"left out, since it is not finished: {run.folder}")
    return finished


def print_tables(tables: "Iterable[Table]", *, markdown: bool = False) -> None:
    """Print tables, for the terminal or as Markdown."""
    from cohear.reports.tables import to_markdown, to_text

    render = to_markdown if markdown else partial(to_text, width=shutil.get_terminal_size().columns)
    print("\n\n".join(map(render, tables)))


def print_comparison(
    runs: Sequence[Run], page: Path, error_over: "ErrorOver" = "folds", *, markdown: bool = False
) -> None:
    """Write the comparison of some finished runs, then print its tables; standard errors are over folds or over seeds.

    Raises:
        UserError: where runs cannot be read or compared, or the page cannot be written; what can be known before
            anything is printed.
    """
    from cohear.reports.comparison import write_comparison

    check_file(page, ".html")
    tables = write_comparison(runs, page, error_over)  # before anything is printed: who reads that may leave early
    print_tables(tables, markdown=markdown)
    say(f"report: {page}")


def check_file(path: Path | None, suffix: str) -> None:
    """Refuse before the work what could not be written after it; None and `-` are no files.

    Raises:
        UserError: for another suffix, a folder of that name, or a folder that is not there or cannot be written.
    """
    from cohear.runtime.files import check_writable

    if path is None or str(path) == "-":
        return
    if path.suffix.lower() != suffix:
        raise UserError(f"'{path}' cannot be written: its name must end in {suffix}, as in '{path}{suffix}'")
    if path.is_dir() or not path.parent.is_dir():
        wrong = "a folder stands there" if path.is_dir() else "its folder does not exist"
        raise UserError(f"'{path}' cannot be written: {wrong}; choose another name")
    check_writable(path.parent)
