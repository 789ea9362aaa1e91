"""`cohear crossval`, `demo` and `reproduce`: many runs, and the comparison of what came of them."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cohear.cli import options
from cohear.cli.progress import decode, embed, format_s, progress_bar, say
from cohear.data.wording import counted
from cohear.errors import UserError
from cohear.runs.config import change
from cohear.runtime.interrupts import how_to_go_on
from cohear.runtime.machine import n_processes

if TYPE_CHECKING:
    from cohear.runs.executors import Executor as RunsGrid
    from cohear.runs.plan import Plan
    from cohear.runs.run import Run


@options.takes_settings(*options.TRAINING, elsewhere={"fold": "`cohear train --fold` for one fold"})
def crossval(
    asked: options.Asked,
    data: options.Data,
    out: options.Out = Path("runs"),
    jobs: options.Jobs = None,
    executor: options.Executor = "local",
    slurm: options.Slurm = None,
    track: options.Track = "every",
) -> None:
    """Train once per fold and average: mean accuracy with its standard error.

    Finished runs are kept, an unfinished one goes on.

    cohear crossval my_sounds/ --method bda --jobs 2

    Args:
        asked: settings.
        data: Labeled sounds, as `cohear train` takes them.
        out: The folder of the run folders.
        jobs: Runs side by side, each with its share of the cores; usually one for each core, and one on a GPU.
        executor: By whom runs are made: local, ray (a cluster that RAY_ADDRESS names), or slurm.
        slurm: Of the jobs of --executor slurm, as partition=gpu or timeout_min=240.
        track: When accuracy and divergence are measured: after every epoch, every N-th, or at the end.
    """
    from cohear.runs.grid import plan_grid
    from cohear.runs.identity import check_parent, model_name
    from cohear.runs.paper import GridModel
    from cohear.runs.plan import list_clips

    by = options.find_executor(executor, slurm)
    listing = list_clips(data, asked.config, asked.chosen)
    config = listing.config
    listing.check(config)
    check_parent(out)
    prepared = decode(listing)
    model = GridModel(model_name(config), config.method, config.views.transform)
    _run_plans(plan_grid(prepared, [model], prepared.folds, [config.seed], out, track), jobs, by)


def demo(
    out: options.Out = Path("cohear-demo"),
    jobs: options.Jobs = None,
) -> None:
    """Write made-up sounds, train all four methods on them, print the table, write a report. No data needed.

    cohear demo

    Args:
        out: Where sounds, runs and the report go.
        jobs: Runs side by side; usually one for each core, and one on a GPU.
    """
    from cohear.data.synthetic import write_sounds
    from cohear.runs.grid import plan_grid
    from cohear.runs.paper import GRIDS
    from cohear.runs.plan import list_clips
    from cohear.runs.presets import PRESETS

    sounds = out / "sounds" / "sounds.csv"
    if not sounds.exists():
        write_sounds(sounds.parent)
    say(f"ten classes of made-up sounds, each fold another place: {sounds}")
    prepared = decode(list_clips(sounds, PRESETS["demo"](), {"data.sample_rate"}))
    _run_plans(plan_grid(prepared, GRIDS["figure1"], prepared.folds, [0], out / "runs", "every"), jobs)
    print("\nThis is a demonstration, not evidence: made-up sounds, little training, one seed.")


_ELSEWHERE = {"method": "--models", "views.transform": "--models", "fold": "--folds", "seed": "--seeds"}


@options.takes_settings(*options.CLIPS, "training.on_nonfinite", elsewhere=_ELSEWHERE)
def reproduce(
    asked: options.Asked,
    what: Literal["table1", "figure1", "ablations", "controls"],
    data: Annotated[Path | None, typer.Option(metavar="ESC50")] = None,
    models: Annotated[str | None, typer.Option(metavar="NAME,NAME", show_default="all")] = None,
    folds: options.Numbers = None,
    seeds: options.Numbers = None,
    out: options.Out = Path("runs"),
    jobs: options.Jobs = None,
    executor: options.Executor = "local",
    slurm: options.Slurm = None,
    track: options.TrackOrNone = None,
    show_list: Annotated[bool, typer.Option("--list")] = False,
    budget: Annotated[float | None, typer.Option(metavar="TIME", parser=options.parse_budget_s)] = None,
    report: Annotated[bool, typer.Option("--report")] = False,
) -> None:
    """Measure the paper's Table 1, Figure 1 or ablations, or controls of our own.

    Finished runs are kept and begun ones go on, so it can be stopped at any time: no augmentation and the combination
    come first, then the others fold by fold, and a part of the table compares fairly. Controls: Combination-CL in
    float32 and in bf16, no augmentation with as many signals as the others.

    cohear reproduce table1 --data ESC-50/ --list

    cohear reproduce table1 --data ESC-50/ --budget 9m

    cohear reproduce figure1 --data ESC-50/ --esc10 --preset small --jobs 2

    Args:
        asked: settings.
        what: What to measure.
        data: ESC-50: git clone https://github.com/karolpiczak/ESC-50
        models: Some of the models, by the names in --list.
        folds: Tested folds; else all, and of figure1 the first.
        seeds: Seeds; else 0, and 0,1,2 for controls of the precision.
        out: The folder of the run folders.
        jobs: Runs side by side, each with its share of the cores; usually one for each core, and one on a GPU.
        executor: By whom runs are made: local, ray (a cluster that RAY_ADDRESS names), or slurm.
        slurm: Of the jobs of --executor slurm, as partition=gpu or timeout_min=240.
        track: When accuracy and divergence are measured: after every epoch, every N-th, or at the end.
        show_list: Print the runs and their cost, and leave.
        budget: Save and leave after so long, as 90s, 9m or 1.5h; the same command goes on.
        report: Print table1 from the finished runs in --out, and leave.
    """
    deadline_s = None if budget is None else time.time() + budget
    from cohear.cli.show import print_tables
    from cohear.reports.comparison import comparison_tables
    from cohear.runs.finding import find_finished
    from cohear.runs.grid import plan_grid
    from cohear.runs.identity import check_parent
    from cohear.runs.paper import GRIDS, find_models, split_names
    from cohear.runs.plan import list_clips

    if report:
        if what != "table1":
            raise UserError(f"--report is the page of table1, not of {what}; for others use `cohear compare`")
        print_tables(comparison_tables(find_finished([out])[0]))
        return
    if data is None:
        raise UserError("--data is missing; give ESC-50: `git clone https://github.com/karolpiczak/ESC-50`")
    among = GRIDS[what]
    names = [] if models is None else split_names(models, among) or [models]
    by = options.find_executor(executor, slurm)
    track = track or ("every" if what == "figure1" else None)
    of_preset = {"data.sample_rate"} if asked.config.encoder.file is None else set[str]()  # whatever the files' is
    listing = list_clips(data, asked.config, {*asked.chosen, *of_preset})
    chosen = find_models(names, among, listing.config)
    tested = folds or listing.dataset.folds[: 1 if what == "figure1" else None]
    wanted = [change(listing.config, {"fold": fold}) for fold in tested]
    for config in (*wanted, *(model.configure(listing.config) for model in chosen)):
        listing.check(config)
    check_parent(out)
    plans = plan_grid(decode(listing), chosen, tested, seeds, out, track)
    if show_list:
        _print_plans(plans)
    else:
        _run_plans(plans, jobs, by, deadline_s)


def _print_plans(plans: "Sequence[Plan]") -> None:
    """Print each run of a grid with an estimate of its time on this machine, or that it is finished."""
    from cohear.runs.cost import estimate_s
    from cohear.runs.grid import is_done

    store = plans[0].data.store
    print(f"{plans[0].record.dataset}: {len(store.clips)} clips, {len(store.classes)} classes")
    width, missing_s = max(len(plan.name) for plan in plans), 0.0
    missing = [plan for plan in plans if not is_done(plan)]
    costs = dict(zip((plan.folder for plan in missing), estimate_s(missing), strict=True))
    for plan in plans:
        cost_s = costs.get(plan.folder, 0.0)
        missing_s += cost_s
        state = f"about {format_s(cost_s)}" if plan.folder in costs else "finished"
        print(f"  {plan.name:<{width}}  fold {plan.config.fold}  seed {plan.config.seed}  {state}")
    print(f"{counted(len(plans), 'run')}, about {format_s(missing_s)} on this machine, one after the other")


def _run_plans(
    plans: "Sequence[Plan]", n_jobs: int | None, executor: "str | RunsGrid" = "local", deadline_s: float | None = None
) -> None:
    """Run a grid with a progress bar, then print and write the comparison of what is finished.

    Args:
        plans: what to run, at least one.
        n_jobs: runs side by side; None: as many as are usual.
        executor: by whom.
        deadline_s: when to save and leave, on the clock of `time.time`; None: when all are finished.

    Raises:
        Interrupted: after a signal; everything is saved.
        UserError: where runs failed, cannot be compared, or do not fit in memory.
    """
    from cohear.api import write_report
    from cohear.cli.show import print_comparison
    from cohear.runs.cost import check_memory, usual_jobs
    from cohear.runs.grid import check_places, is_done, run_grid
    from cohear.runs.run import Run

    if n_processes() > 1:  # they would not agree on which run comes next
        raise UserError("torchrun makes one run in several processes, by `cohear train`; for many runs use --jobs")
    check_places(plans)
    missing, out = [plan for plan in plans if not is_done(plan)], plans[0].parent
    if executor == "local":
        n_jobs = n_jobs or (usual_jobs(plans) if missing else 1)
        check_memory(missing, n_jobs=n_jobs)
    for warning in dict.fromkeys(warning for plan in plans for warning in plan.warnings):
        say(f"WARNING: {warning}")
    n_before = len(plans) - len(missing)
    before = f", of which {n_before} were finished before" if n_before else ""
    beside = f", {n_jobs} side by side" if (n_jobs or 1) > 1 else ""
    beside += "" if executor == "local" else f", by {executor if isinstance(executor, str) else 'slurm'}"
    say(
        f"{counted(len(plans), 'run')} of {counted(plans[0].config.training.epochs, 'epoch')}{beside} -> {out}/{before}"
    )
    embed(missing, deadline_s)
    with how_to_go_on("go on with the same command"), progress_bar("runs") as update:

        def on_progress(share: float, n_done: int) -> None:
            if n_done > len(plans) - len(missing):
                for plan in filter(is_done, tuple(missing)):
                    missing.remove(plan)
                    config, accuracy = plan.config, Run(plan.folder).metrics["accuracy"]
                    done = f"{len(plans) - len(missing)} of {len(plans)} done"
                    say(f"{plan.name}, fold {config.fold}, seed {config.seed}: accuracy {accuracy:.2%} ({done})")
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


def _readable_beside(runs: "Sequence[Run]", plan: "Plan") -> "list[Run]":
    """Find what else there is to compare with: finished runs on the same clips that can be read."""
    from cohear.runs.finding import find_readable

    beside = {}
    for found in find_readable(plan.parent, plan.record.data_fingerprint):
        try:
            if found.is_finished and found.is_tested and len(found.predictions.paths):
                beside.setdefault(found.record.identity, found)
        except UserError as error:
            say(f"left out of the comparison: {str(error).rstrip('.')}")
    return [run for identity, run in beside.items() if identity not in {run.record.identity for run in runs}]
