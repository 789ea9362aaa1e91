"""`cohear train`: one run; `cohear crossval`: one model on every fold."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cohear.cli import options
from cohear.cli.progress import format_s, progress_bar, say
from cohear.data.wording import counted
from cohear.errors import UserError
from cohear.runs.config import EVERY_CLIP
from cohear.runtime.interrupts import how_to_go_on
from cohear.runtime.machine import process_rank


@options.takes_settings(*options.TRAINING, "fold")
def train(
    asked: options.Asked,
    data: options.Data,
    crossval: Annotated[Path | None, typer.Option(metavar="DIR", show_default="runs")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", show_default="runs/ and what differs")] = None,
    resume: Annotated[bool, typer.Option("--resume")] = False,
    track: options.Track = "every",
) -> None:
    """Train a classifier on labeled sounds and judge it on the fold left out.

    DATA is a folder with one sub-folder per class, a CSV/TSV/JSONL with the columns path and label (also fold, group,
    start, end), recordings with Raven or Audacity labels beside them, or a folder laid out like ESC-50.

    cohear train my_sounds/

    cohear train my_sounds/ --background other --balance sampling --patience 5

    cohear train my_sounds/ --transform "noise(snr_db=0..20)+pitch,reverb" --epochs 60

    cohear train my_sounds/ --fold all --crossval cv/ --out runs/final

    Args:
        asked: settings.
        data: Labeled sounds.
        crossval: With --fold all: where `cohear crossval` left its runs; their accuracy is what to expect.
        out: The run folder.
        resume: Go on with an unfinished run.
        track: When accuracy and divergence of training and test clips are measured: after every epoch, every N-th, or
            at the end.
    """
    config = asked.config
    if config.fold != EVERY_CLIP and crossval is not None:
        raise UserError("--crossval tells what to expect of a run on every clip; give it with --fold all only")

    from cohear.cli.grids import decode
    from cohear.runs.claims import check_folder, check_place
    from cohear.runs.cost import estimate_s
    from cohear.runs.execution import execute
    from cohear.runs.plan import Plan, list_clips
    from cohear.runs.run import Run

    listing = list_clips(data, config, asked.chosen)
    listing.check(listing.config)
    if out is not None and process_rank() == 0 and not Run(out).is_begun:
        check_place(out)
    plan = Plan(listing.config, decode(listing), track or "every", out=out, crossval=crossval)
    plan = replace(plan, out=plan.folder)
    run, config, split = Run(plan.folder), plan.config, plan.split
    if process_rank() == 0:  # the others would find what the first one has begun
        check_folder(run, plan.record, resume=resume)
    for warning in plan.warnings:
        say(f"WARNING: {warning}")
    epochs = counted(config.training.epochs, "epoch")
    say(f"{plan.name}, fold {config.fold}, {epochs}, {plan.record.clip_s:g} s clips -> {run.folder}")
    say(f"{len(split.train)} clips to train on, {len(split.validation)} to validate, {len(split.test)} to test")
    if process_rank() == 0 and not run.is_finished:
        say(f"training will take about {format_s(estimate_s(plan))} on this machine")
    how = "go on with the same command and --resume" + ("" if out else f" --out {shlex.quote(str(run.folder))}")
    with how_to_go_on(how), progress_bar("training") as update:
        run, was_made = execute(
            plan,
            resume=resume,
            on_step=lambda done, total: update(
                done / total, f"epoch {min(config.training.epochs, 1 + done * config.training.epochs // total)}"
            ),
        )
    if process_rank() > 0:
        return

    from cohear.api import write_report  # late: the pages know all rooms, and weights need none of them
    from cohear.cli.finish import result_text

    if was_made or not run.report.exists():
        write_report(run, plan)
    if not was_made and not run.weights_path.exists():
        say(f"its weights, {run.weights_path.name}, are gone; remove metrics.json beside them to make them again")
    print(result_text(run.metrics) + ("" if was_made else " (finished before)"))
    say(f"report: {run.report}")


@options.takes_settings(*options.TRAINING, elsewhere={"fold": "`cohear train --fold` for one fold"})
def crossval(
    asked: options.Asked,
    data: options.Data,
    out: options.Out = Path("runs"),
    jobs: options.Jobs = 1,
    track: options.Track = "every",
) -> None:
    """Train once per fold and average: mean accuracy with its standard error.

    Finished runs are kept, an unfinished one goes on.

    cohear crossval my_sounds/ --method bda --jobs 2

    Args:
        asked: settings.
        data: Labeled sounds, as `cohear train` takes them.
        out: The folder of the run folders.
        jobs: Runs side by side, each with its share of the cores.
        track: When accuracy and divergence are measured: after every epoch, every N-th, or at the end.
    """
    from cohear.cli.grids import decode, run_plans
    from cohear.runs.claims import check_parent
    from cohear.runs.grid import plan_grid
    from cohear.runs.paper import PaperModel, model_name
    from cohear.runs.plan import list_clips

    listing = list_clips(data, asked.config, asked.chosen)
    config = listing.config
    listing.check(config)
    check_parent(out)
    prepared = decode(listing)
    model = PaperModel(model_name(config), config.method, config.views.transform)
    run_plans(plan_grid(prepared, [model], prepared.folds, [config.seed], out, track), jobs)
