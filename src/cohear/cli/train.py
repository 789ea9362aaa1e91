"""`cohear train`: one run."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cohear.cli import options
from cohear.cli.preparing import prepare, refuse_early, refuse_too_large
from cohear.cli.progress import count_text, format_s, progress_bar, say
from cohear.errors import UserError
from cohear.runtime.interrupts import how_to_go_on
from cohear.runtime.processes import process_rank

if TYPE_CHECKING:
    from cohear.experiments.build import PreparedData
    from cohear.experiments.config import Config
    from cohear.experiments.runs import RunRequest


def train(
    data: Annotated[
        Path | None, typer.Argument(metavar="DATA", show_default=False, help="Labeled sounds, see above.")
    ] = None,
    method: options.Method = "consistency",
    transform: options.Transform = None,
    fold: Annotated[
        str | None,
        typer.Option(
            metavar="N|all",
            help="The fold that is tested, the others are trained on; all trains on every clip and tests on none.",
            show_default="the first",
        ),
    ] = None,
    validation: options.Validation = None,
    balance: options.Balance = "none",
    patience: options.Patience = None,
    on_nonfinite: options.OnNonfinite = "stop",
    background: options.Background = None,
    init: options.Init = None,
    crossval: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="With --fold all: where `cohear crossval` left its runs; their accuracy is what to expect.",
            show_default="runs",
        ),
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
    sounds: options.Sounds = None,
    esc10: options.Esc10 = False,
    skip_bad: options.SkipBad = False,
    drop_small: options.DropSmall = 0,
    list_settings: options.ListSettings = False,
) -> None:
    """Train a classifier on labeled sounds and judge it on the fold left out.

    DATA is a folder with one sub-folder per class, a CSV/TSV/JSONL with the columns path and label (also fold, group,
    start, end), recordings with Raven or Audacity labels beside them, or a folder laid out like ESC-50.

    cohear train my_sounds/

    cohear train my_sounds/ --background other --balance sampling --patience 5

    cohear train my_sounds/ --fold all --crossval cv/ --out runs/final

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
        sounds=sounds,
        esc10=esc10,
        skip_bad=skip_bad,
        drop_small=drop_small,
        seed=seed,
        validation=validation,
        balance=balance,
        patience=patience,
        on_nonfinite=on_nonfinite,
        background=background,
        init=init,
        fold=fold,
    )
    if list_settings or data is None:
        options.print_settings(config)
        return

    _check_every_clip(config, crossval)

    from cohear.cli.finish import result_text, write_report
    from cohear.experiments.build import read_folds
    from cohear.experiments.folder_claims import check_folder
    from cohear.experiments.identity import readable_name
    from cohear.experiments.initial_run import initial_run_warning
    from cohear.experiments.memory import check_memory
    from cohear.experiments.presets import change
    from cohear.experiments.run_folder import is_finished, read_metrics
    from cohear.experiments.runs import RunRequest, execute
    from cohear.experiments.settling import settle
    from cohear.experiments.trained_network import weights_path

    config, said = settle(data, config, set_names)
    dataset = read_folds(data, config)
    if fold is None and "fold" not in set_names:
        config = change(config, {"fold": dataset.folds[0]})
    request = RunRequest(data, config, track=track, crossval=crossval or Path("runs"))
    refuse_early(dataset, [config])
    if out is None or not is_finished(out):
        refuse_too_large(dataset, [request], Path("runs") if out is None else None)
    for line in said:
        say(line)
    if out and process_rank() == 0:  # the others would find what the first one has begun
        check_folder(out, config, track, resume=resume)
    prepared = prepare(data, config)
    record = request.describe(prepared)
    folder = out or Path("runs") / readable_name(config, record.model, record.identity)
    split = prepared.split(config)
    for warning in (*split.warnings, initial_run_warning(config, record.data_fingerprint)):
        if warning is not None:
            say(f"WARNING: {warning}")
    epochs = count_text(range(config.training.epochs), "epoch")
    say(f"{record.model}, fold {config.fold}, {epochs}, {prepared.clip_s:g} s clips -> {folder}")
    say(f"{len(split.train)} clips to train on, {len(split.validation)} to validate, {len(split.test)} to test")
    if not is_finished(folder):
        check_memory([(config, len(split.train))], prepared.clip_s, len(record.classes))
    if process_rank() == 0 and not is_finished(folder):
        say(f"training will take about {format_s(_estimate_s(request, prepared))} on this machine")
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
    if not ran and not (weights := weights_path(folder)).exists():
        say(f"its weights, {weights.name}, are gone; remove metrics.json beside them to make them again")
    print(result_text(read_metrics(folder)) + ("" if ran else " (finished before)"))
    say(f"report: {folder / 'report.html'}")


def _check_every_clip(config: "Config", crossval: Path | None) -> None:
    """Refuse options that have no meaning with the fold, before anything is read."""
    if config.fold != "all" and crossval is not None:
        raise UserError("--crossval tells what to expect of a run on every clip; give it with --fold all only")
    if config.fold == "all" and config.training.patience is not None and not config.data.validation_share:
        raise UserError(
            "--patience stops by validation clips, and --fold all keeps none back; give --validation 0.15 too, or "
            "train without --patience"
        )


def _estimate_s(request: "RunRequest", prepared: "PreparedData") -> float:
    """Estimate the seconds of a run from a few signals that are timed now."""
    from collections import Counter

    from cohear.experiments.cost import estimate_s

    store = prepared.store
    return estimate_s([request], Counter(store.folds.tolist()), prepared.clip_s, len(store.classes))[0]
