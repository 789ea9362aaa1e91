"""What follows a finished run or grid: its report, and the numbers on the screen."""

import errno
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cohear.cli.progress import say
from cohear.errors import UserError
from cohear.runtime.files import explain_disk_errors

if TYPE_CHECKING:
    from cohear.reports.method_table import ErrorOver


def result_text(metrics: dict[str, Any]) -> str:
    """Say how good a finished run is, or what to expect of it."""
    from cohear.reports.tables import nats_text

    if metrics["accuracy"] is not None:
        exactly = " (all labels right)" if "f1_micro" in metrics else ""
        text = (
            f"accuracy {metrics['accuracy']:.2%}{exactly} on {metrics['n_clips']} clips of fold {metrics['fold']}, "
            f"Jensen-Shannon divergence {nats_text(metrics['jsd'])} nats"
        )
        several = {"mean average precision": "mean_average_precision", "F1": "f1_micro"}
        more = [f"{what} {metrics[name]:.2%}" for what, name in several.items() if metrics.get(name) is not None]
        return ", ".join([text, *more])
    expected = metrics["expected"]
    n_kept_back = metrics["n_validation_clips"]
    all_clips = f"{metrics['n_train_clips']} clips" if n_kept_back else f"all {metrics['n_train_clips']} clips"
    if expected is None:
        return (
            f"trained on {all_clips}; what to expect is not known: cross-validate with the "
            "same settings, and name its folder by --crossval"
        )
    error = "" if expected["standard_error"] is None else f" ± {expected['standard_error']:.2%}"
    return (
        f"trained on {all_clips}; expect an accuracy of {expected['accuracy']:.2%}{error}, as "
        f"cross-validation found on {expected['n_clips']} clips"
    )


def write_report(folder: Path) -> Path:
    """Write a run's `report.html`; without sounds where these or the weights are gone and no page has them.

    Raises:
        UserError: where a file of the run is damaged, only the page that is there has the sounds, or another process
            is at work there.
    """
    from cohear.experiments.folder_claims import locked
    from cohear.experiments.shown_runs import SoundsGoneError, show_test_clips
    from cohear.reports.run_folders import RunSummary, read_trained_run
    from cohear.reports.run_report import has_sounds, write_run_report
    from cohear.reports.untested_report import write_untested_report

    with locked(folder):
        run = read_trained_run(folder)
        if not isinstance(run, RunSummary):
            return write_untested_report(run)
        try:
            samples = show_test_clips(folder)
        except SoundsGoneError as error:
            reason = str(error).rstrip(".")
            if has_sounds(folder):
                raise UserError(
                    f"the report of '{folder}' is left as it is, since the sounds that it shows cannot be made again "
                    f"({reason}); {error.remedy}"
                ) from error
            say(f"the report of {folder.name} shows no sounds: {reason}")
            samples = ()
        return write_run_report(folder, samples)


def write_report_of_run(folder: Path) -> None:
    """As `write_report`, for a grid's processes."""
    write_report(folder)


def print_comparison(
    paths: Sequence[Path], report: Path, error_over: "ErrorOver" = "folds", *, markdown: bool = False
) -> None:
    """Write the comparison of some runs, then print its tables; standard errors are over folds or over seeds.

    Raises:
        UserError: where runs cannot be read or compared, or the page cannot be written; what can be known before
            anything is printed.
    """
    from cohear.reports.comparison_report import write_comparison
    from cohear.reports.method_table import method_table
    from cohear.reports.paired_table import paired_table
    from cohear.reports.run_folders import read_runs, unfinished_runs
    from cohear.reports.tables import to_markdown, to_text

    _check_page(report)
    for folder in unfinished_runs(paths):
        say(f"left out, since it is not finished: {folder}")
    runs = read_runs(paths)
    render = to_markdown if markdown else partial(to_text, width=shutil.get_terminal_size().columns)
    tables = (method_table(runs, error_over), paired_table(runs))
    text = "\n\n".join(render(table) for table in tables if table is not None)
    write_comparison(runs, report, error_over)  # before anything is printed: who reads that may leave early
    print(text)
    say(f"report: {report}")


def _check_page(path: Path) -> None:
    """Refuse a name or place that a page cannot have."""
    with explain_disk_errors(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "")
        if path.suffix.lower() != ".html":
            raise UserError(f"'{path}' cannot be the page: its name must end in .html, as in '{path}.html'")
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "")
