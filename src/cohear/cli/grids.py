"""What `cohear crossval`, `reproduce` and `demo` share: many runs, then their comparison."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cohear.cli.progress import count_text, progress_bar, say
from cohear.errors import UserError
from cohear.runtime.interrupts import how_to_go_on

if TYPE_CHECKING:
    from cohear.experiments.build import PreparedData
    from cohear.experiments.plans import GridRun
    from cohear.experiments.runs import RunRequest


def run_requests(
    requests: Sequence["RunRequest"],
    prepared: "PreparedData",
    out: Path,
    jobs: int,
    deadline_s: float | None = None,
) -> None:
    """Run a grid with a progress bar, then print and write the comparison of what is finished.

    Args:
        requests: what to run, at least one.
        prepared: the data of all.
        out: the folder of the run folders.
        jobs: runs side by side.
        deadline_s: when to save and leave, on the clock of `time.time`; None: when all are finished.

    Raises:
        Interrupted: after a signal; everything is saved.
        UserError: where runs failed, cannot be compared, or do not fit in memory.
    """
    from cohear.cli.finish import print_comparison, write_report_of_run
    from cohear.experiments.grid import run_grid
    from cohear.experiments.memory import check_memory
    from cohear.experiments.plans import check_places, place

    runs = place(requests, prepared, out)
    check_places(runs)
    splits = {request.config.fold: prepared.split(request.config) for request in requests}
    missing = [run.request.config for run in runs if not run.is_done]
    if sized := [(config, len(splits[config.fold].train)) for config in missing]:
        check_memory(sized, prepared.clip_s, len(prepared.store.classes), n_jobs=jobs)
    for warning in dict.fromkeys(warning for split in splits.values() for warning in split.warnings):
        say(f"WARNING: {warning}")
    told = {run.folder for run in runs if run.is_done}
    say(f"{count_text(runs, 'run')} of {_epochs_text(requests)} -> {out}/")
    if told:
        left = "there is nothing to do" if len(told) == len(runs) else f"{len(runs) - len(told)} are left"
        say(f"{len(told)} of {len(runs)} were finished before: {left}")
    with how_to_go_on("go on with the same command"), progress_bar("runs") as update:

        def on_progress(share: float, n_done: int) -> None:
            if n_done > len(told):
                _tell_finished(runs, told)
            update(share, f"{n_done} of {len(runs)} done")

        folders = run_grid(runs, jobs, on_progress, write_report_of_run, deadline_s)
    for folder in folders:
        if not (folder / "report.html").exists():  # it was killed between its numbers and their page
            write_report_of_run(folder)
    if len(folders) < len(runs):
        say(
            f"the time is used up: {len(folders)} of {count_text(runs, 'run')} are finished, what was begun is saved; "
            "go on with the same command"
        )
    if not folders:
        return
    beside = readable_beside(folders, prepared, out)
    if beside:
        say(f"compared with {count_text(beside, 'other finished run')} on the same clips in {out}/")
    print_comparison([*folders, *beside], out / "comparison.html")


def _tell_finished(runs: Sequence["GridRun"], told: set[Path]) -> None:
    """Print a line for each run that was finished since, and add its folder to those that were told of."""
    from cohear.experiments.run_folder import read_metrics

    for run in runs:
        if run.folder not in told and run.is_done:
            told.add(run.folder)
            config, accuracy = run.request.config, read_metrics(run.folder)["accuracy"]
            say(
                f"{run.request.name}, fold {config.fold}, seed {config.seed}: accuracy {accuracy:.2%} "
                f"({len(told)} of {len(runs)} done)"
            )


def _epochs_text(requests: Sequence["RunRequest"]) -> str:
    numbers = sorted({request.config.training.epochs for request in requests})
    most = count_text(range(numbers[-1]), "epoch")
    return most if len(numbers) == 1 else f"{numbers[0]} to {most}"


def readable_beside(folders: Sequence[Path], prepared: "PreparedData", out: Path) -> list[Path]:
    """Find what else there is to compare with: finished runs on the same clips that can be read."""
    from cohear.experiments.run_folder import read_record
    from cohear.experiments.runs_below import find_runs
    from cohear.reports.run_folders import read_run

    seen = {read_record(folder).identity for folder in folders}
    beside = []
    for found in find_runs(out, prepared.dataset.name, prepared.store.fingerprint):
        if found.record.identity in seen or not found.is_finished:
            continue
        try:
            _ = read_run(found.folder).predictions
        except UserError as error:
            say(f"left out of the comparison: {str(error).rstrip('.')}")
            continue
        seen.add(found.record.identity)
        beside.append(found.folder)
    return beside
