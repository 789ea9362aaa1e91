"""What commands that train share: decode with a bar; run a grid, then compare what came of it."""

from collections.abc import Sequence

from cohear.cli.progress import counting, progress_bar, say
from cohear.data.datasets import imbalance_line
from cohear.data.wording import counted
from cohear.errors import UserError
from cohear.runs.plan import Listing, Plan, Prepared
from cohear.runs.run import Run, find_readable
from cohear.runtime.interrupts import how_to_go_on


def decode(listing: Listing) -> Prepared:
    """Decode a data set with a progress bar, and say what was chosen and what became of its files."""
    for line in listing.said:
        say(line)
    with how_to_go_on("give the same command to begin again"), progress_bar("decoding") as update:
        prepared = listing.decode(counting(update, "files"))
    if prepared.store.replaces_damaged:
        say("the sounds decoded earlier were damaged or incomplete on the disk, so they were decoded again")
    for line in prepared.notes:
        say(line)
    if listing.config.training.balance == "none" and (line := imbalance_line(prepared.store.label_sets)):
        say(line)
    return prepared


def run_plans(plans: Sequence[Plan], n_jobs: int, executor: str = "local", deadline_s: float | None = None) -> None:
    """Run a grid with a progress bar, then print and write the comparison of what is finished.

    Args:
        plans: what to run, at least one.
        n_jobs: runs side by side.
        executor: by whom.
        deadline_s: when to save and leave, on the clock of `time.time`; None: when all are finished.

    Raises:
        Interrupted: after a signal; everything is saved.
        UserError: where runs failed, cannot be compared, or do not fit in memory.
    """
    from cohear.api import write_report
    from cohear.cli.finish import print_comparison
    from cohear.runs.cost import check_memory
    from cohear.runs.grid import check_places, is_done, run_grid

    check_places(plans)
    missing, out = [plan for plan in plans if not is_done(plan)], plans[0].parent
    check_memory(missing, n_jobs=n_jobs)
    for warning in dict.fromkeys(warning for plan in plans for warning in plan.warnings):
        say(f"WARNING: {warning}")
    told = {plan.folder for plan in plans if plan not in missing}
    before = f", of which {len(told)} were finished before" if told else ""
    say(f"{counted(len(plans), 'run')} of {counted(plans[0].config.training.epochs, 'epoch')} -> {out}/{before}")
    with how_to_go_on("go on with the same command"), progress_bar("runs") as update:

        def on_progress(share: float, n_done: int) -> None:
            for plan in plans if n_done > len(told) else []:
                if plan.folder not in told and is_done(plan):
                    told.add(plan.folder)
                    config, accuracy = plan.config, Run(plan.folder).metrics["accuracy"]
                    say(
                        f"{plan.name}, fold {config.fold}, seed {config.seed}: accuracy {accuracy:.2%} "
                        f"({len(told)} of {len(plans)} done)"
                    )
            update(share, f"{n_done} of {len(plans)} done")

        how = {"executor": executor, "n_jobs": n_jobs, "after_run": write_report, "deadline_s": deadline_s}
        runs = run_grid(plans, on_progress=on_progress, **how)
    for run in runs:
        if not run.report.exists():  # it was killed between its numbers and their page
            write_report(run, next(plan for plan in plans if plan.folder == run.folder))
    if len(runs) < len(plans):
        say(f"the time is used up: {len(runs)} of {len(plans)} runs are finished; go on with the same command")
    if runs:
        beside = _readable_beside(runs, plans[0])
        if beside:
            say(f"compared with {counted(len(beside), 'other finished run')} on the same clips in {out}/")
        print_comparison([*runs, *beside], out / "comparison.html")


def _readable_beside(runs: Sequence[Run], plan: Plan) -> list[Run]:
    """Find what else there is to compare with: finished runs on the same clips that can be read."""
    beside = {}
    for found in find_readable(plan.parent, plan.record.data_fingerprint):
        try:
            if found.is_finished and found.is_tested and len(found.predictions.paths):
                beside.setdefault(found.record.identity, found)
        except UserError as error:
            say(f"left out of the comparison: {str(error).rstrip('.')}")
    return [run for identity, run in beside.items() if identity not in {run.record.identity for run in runs}]
