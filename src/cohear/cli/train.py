"""`cohear train`: one run."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cohear.cli import options
from cohear.cli.progress import decode, embed, format_s, progress_bar, say
from cohear.data.wording import counted
from cohear.runtime.interrupts import how_to_go_on
from cohear.runtime.machine import process_rank


@options.takes_settings(*options.TRAINING)
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
    from cohear.runs.cost import estimate_s
    from cohear.runs.execution import execute, plan_run
    from cohear.runs.run import Run

    plan = plan_run(
        data, asked.config, asked.chosen, track=track, out=out, crossval=crossval, resume=resume,
        decode=decode,
    )  # fmt: skip
    run, config, split = Run(plan.folder), plan.config, plan.split
    for warning in plan.warnings:
        say(f"WARNING: {warning}")
    epochs = counted(config.training.epochs, "epoch")
    say(f"{plan.name}, fold {config.fold}, {epochs}, {plan.record.clip_s:g} s clips -> {run.folder}")
    say(f"{len(split.train)} clips to train on, {len(split.validation)} to validate, {len(split.test)} to test")
    if process_rank() == 0 and not run.is_finished:
        embed([plan])
        say(f"training will take about {format_s(estimate_s([plan])[0])} on this machine")
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

    if was_made or not run.report.exists():
        write_report(run, plan)
    if run.is_tested:
        from cohear.cli.show import print_verdict
        from cohear.judging.verdict import verdict_on

        print_verdict(verdict_on(run))
    print(_result_text(run.metrics) + ("" if was_made else " (finished before)"))
    say(f"report: {run.report}")


def _result_text(metrics: Mapping[str, Any]) -> str:
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
    tested = f"{counted(expected['n_clips'], 'clip')} of {counted(len(expected['folds']), 'fold')}"
    return f"{trained}; expect an accuracy of {expected['accuracy']:.2%}{error}, found by runs tested on {tested}"
