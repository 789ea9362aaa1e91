"""`cohear train`: one run."""

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cohear.cli import options
from cohear.cli.progress import count_text, progress_bar, say
from cohear.errors import UserError
from cohear.runtime.interrupts import how_to_go_on
from cohear.runtime.processes import process_rank

if TYPE_CHECKING:
    from cohear.data.datasets import Dataset
    from cohear.experiments.build import PreparedData
    from cohear.experiments.config import Config


def train(
    data: Annotated[
        Path | None, typer.Argument(metavar="DATA", show_default=False, help="Labeled sounds, see above.")
    ] = None,
    method: options.Method = "consistency",
    transform: options.Transform = None,
    fold: Annotated[
        int | None,
        typer.Option(min=0, help="The fold that is tested; the others are trained on.", show_default="the first"),
    ] = None,
    preset: options.Preset = None,
    settings: options.Settings = None,
    seed: options.Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The run folder.", show_default="runs/ and a name that says what differs"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
    track: options.Track = "every",
    esc10: options.Esc10 = False,
    skip_bad: options.SkipBad = False,
    drop_small: options.DropSmall = 0,
    list_settings: options.ListSettings = False,
) -> None:
    """Train a classifier on labeled sounds and judge it on the fold left out.

    DATA is a folder with one sub-folder per class, a CSV/TSV/JSONL with the columns path and label (also fold, group,
    start, end), recordings with Raven or Audacity labels beside them, or a folder laid out like ESC-50.

    cohear train my_sounds/

    cohear train ESC-50/ --esc10 --method bda --fold 2 --out runs/bda-2
    """
    options.require_data(data, list_settings)
    set_names = options.set_names(settings, {"preset": "--preset"})
    track = options.check_track(track) or "every"
    config = options.resolve(
        method=method,
        transform=transform,
        preset=preset,
        settings=settings,
        esc10=esc10,
        skip_bad=skip_bad,
        drop_small=drop_small,
        seed=seed,
    )
    if list_settings or data is None:
        options.print_settings(config)
        return

    from cohear.cli.finish import write_report
    from cohear.experiments.build import read_folds
    from cohear.experiments.identity import readable_name
    from cohear.experiments.presets import change
    from cohear.experiments.run_folder import check_folder, read_metrics
    from cohear.experiments.runs import RunRequest, execute
    from cohear.reports.tables import nats_text

    dataset = read_folds(data, config)
    if fold is not None or "fold" not in set_names:
        config = change(config, {"fold": dataset.folds[0] if fold is None else fold})
    refuse_early(dataset, [config])
    if out and process_rank() == 0:  # the others would find what the first one has begun
        check_folder(out, config, track, resume=resume)
    prepared = prepare(data, config)
    request = RunRequest(data, config, track=track)
    record = request.describe(prepared)
    folder = out or Path("runs") / readable_name(config, record.model, record.identity)
    for warning in prepared.split(config.fold).warnings:
        say(f"WARNING: {warning}")
    epochs = count_text(range(config.training.epochs), "epoch")
    say(f"{record.model}, fold {config.fold}, {epochs}, {prepared.clip_s:g} s clips -> {folder}")
    how = "go on with the same command and --resume" + ("" if out else f" --out {shlex.quote(str(folder))}")
    with how_to_go_on(how), progress_bar("training") as update:
        ran = execute(
            request,
            prepared,
            folder,
            resume=resume,
            on_step=lambda done, total: update(
                done / total, f"epoch {min(config.training.epochs, 1 + done * config.training.epochs // total)}"
            ),
        )
    if process_rank() > 0:
        return
    if ran or not (folder / "report.html").exists():
        write_report(folder)
    metrics = read_metrics(folder)
    print(
        f"accuracy {metrics['accuracy']:.2%} on {metrics['n_clips']} clips of fold {config.fold}, "
        f"Jensen-Shannon divergence {nats_text(metrics['jsd'])} nats" + ("" if ran else " (finished before)")
    )
    say(f"report: {folder / 'report.html'}")


def refuse_early(dataset: "Dataset", configs: "Iterable[Config]") -> None:
    """Refuse folds that are not there, and what settings do not allow together, before anything is decoded.

    Raises:
        UserError: naming what can be chosen.
    """
    from cohear.experiments.build import known_clip_s
    from cohear.experiments.runs import check_settings

    for config in configs:
        if config.fold not in dataset.folds:
            there = ", ".join(map(str, dataset.folds))
            raise UserError(f"fold {config.fold} cannot be tested: the folds are {there}.")
        check_settings(config, known_clip_s(dataset, config))


def prepare(data: Path, config: "Config") -> "PreparedData":
    """Read and decode a data set with a progress bar, and say what became of its files."""
    from cohear.experiments.build import prepare_data

    with how_to_go_on("give the same command to begin again"), progress_bar("decoding") as update:
        prepared = prepare_data(
            data,
            config,
            on_progress=lambda done, total: update(done / max(total, 1), f"{done} of {total} files"),
        )
    if prepared.store.replaces_damaged:
        say("the sounds decoded earlier were damaged or incomplete on the disk, so they were decoded again")
    for line in (*prepared.dataset.notes, *prepared.store.report.lines):
        say(line)
    return prepared
