"""`cohear reproduce`: the paper's table, its figure, its ablations, and controls of our own."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cohear.cli import options
from cohear.cli.progress import format_s
from cohear.data.wording import counted
from cohear.errors import UserError
from cohear.runs.config import change
from cohear.runtime.machine import n_processes

if TYPE_CHECKING:
    from cohear.runs.plan import Plan

_ELSEWHERE = {"method": "--models", "views.transform": "--models", "fold": "--folds", "seed": "--seeds"}


@options.takes_settings(*options.CLIPS[1:], "training.on_nonfinite", elsewhere=_ELSEWHERE)
def reproduce(
    asked: options.Asked,
    what: Literal["table1", "figure1", "ablations", "controls"],
    data: Annotated[Path | None, typer.Option(metavar="ESC50")] = None,
    models: Annotated[str | None, typer.Option(metavar="NAME,NAME", show_default="all")] = None,
    folds: options.Numbers = None,
    seeds: options.Numbers = None,
    out: options.Out = Path("runs"),
    jobs: options.Jobs = 1,
    executor: Annotated[str, typer.Option(metavar="NAME")] = "local",
    track: options.Track = None,
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
        jobs: Runs side by side, each with its share of the cores.
        executor: By whom runs are made.
        track: When accuracy and divergence are measured: after every epoch, every N-th, or at the end.
        show_list: Print the runs and their cost, and leave.
        budget: Save and leave after so long, as 90s, 9m or 1.5h; the same command goes on.
        report: Print table1 from the finished runs in --out, and leave.
    """
    deadline_s = None if budget is None else time.time() + budget
    if budget is not None and n_processes() > 1:  # their clocks would part them
        raise UserError("--budget is for one process, and torchrun started several; leave one of them out")

    from cohear.cli.finish import print_tables
    from cohear.cli.grids import decode, run_plans
    from cohear.reports.comparison import comparison_tables
    from cohear.runs.claims import check_parent
    from cohear.runs.grid import EXECUTORS, plan_grid
    from cohear.runs.paper import GRIDS, find_models, split_names
    from cohear.runs.plan import list_clips
    from cohear.runs.run import find_finished

    if report:
        if what != "table1":
            raise UserError(f"--report is the page of table1, not of {what}; for others use `cohear compare`")
        print_tables(comparison_tables(find_finished([out])[0]))
        return
    if data is None:
        raise UserError("--data is missing; give ESC-50: `git clone https://github.com/karolpiczak/ESC-50`")
    among, base = GRIDS[what], asked.config
    names = [] if models is None else split_names(models, among) or [models]
    chosen = find_models(names, among, base)
    _ = EXECUTORS[executor]
    track = track or ("every" if what == "figure1" else None)
    listing = list_clips(data, base, {*asked.chosen, "data.sample_rate"})
    tested = folds or listing.dataset.folds[: 1 if what == "figure1" else None]
    for fold in tested:
        for model in chosen:
            listing.check(change(model.configure(listing.config), {"fold": fold}))
    check_parent(out)
    plans = plan_grid(decode(listing), chosen, tested, seeds, out, track)
    if show_list:
        _print_plans(plans)
    else:
        run_plans(plans, jobs, executor, deadline_s)


def _print_plans(plans: "Sequence[Plan]") -> None:
    """Print each run of a grid with an estimate of its time on this machine, or that it is finished."""
    from cohear.runs.cost import estimate_s
    from cohear.runs.grid import is_done

    store = plans[0].data.store
    print(f"{plans[0].record.dataset}: {len(store.clips)} clips, {len(store.classes)} classes")
    width, missing_s = max(len(plan.name) for plan in plans), 0.0
    for plan in plans:
        cost_s = 0.0 if is_done(plan) else estimate_s(plan)
        missing_s += cost_s
        state = f"about {format_s(cost_s)}" if cost_s else "finished"
        print(f"  {plan.name:<{width}}  fold {plan.config.fold}  seed {plan.config.seed}  {state}")
    print(f"{counted(len(plans), 'run')}, about {format_s(missing_s)} on this machine, one after the other")
