"""`cohear crossval` and `cohear reproduce`: many runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cohear.cli import options
from cohear.cli.progress import format_s, progress_bar, say
from cohear.errors import UserError

if TYPE_CHECKING:
    from cohear.experiments.build import PreparedData
    from cohear.experiments.config import Config
    from cohear.experiments.runs import RunRequest

Out = Annotated[Path, typer.Option(metavar="DIR", help="The folder of the run folders.")]


def crossval(
    data: options.Data,
    method: options.Method = "consistency",
    transform: options.Transform = None,
    preset: options.Preset = None,
    settings: options.Settings = None,
    seed: options.Seed = 0,
    out: Out = Path("runs"),
    jobs: options.Jobs = 1,
    track: options.Track = "every",
    esc10: options.Esc10 = False,
    skip_bad: options.SkipBad = False,
    drop_small: options.DropSmall = 0,
) -> None:
    """Train once per fold and average: mean accuracy with its standard error.

    Finished runs are kept, an unfinished one goes on.

    cohear crossval my_sounds/ --method bda --jobs 2
    """
    from cohear.cli.train import prepare
    from cohear.experiments.paper import PaperModel, model_name

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
    prepared = prepare(data, config)
    model = PaperModel(model_name(config), config.method, config.views.transform)
    run_models(data, config, [model], prepared.folds, [seed], prepared, out, jobs, options.check_track(track))


def reproduce(
    what: Annotated[
        Literal["table1", "figure1", "ablations"], typer.Argument(show_default=False, help="What to measure.")
    ],
    data: Annotated[
        Path | None,
        typer.Option(metavar="ESC50", help="ESC-50: git clone https://github.com/karolpiczak/ESC-50"),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(metavar="NAME,NAME", help="Some of the models, by the paper's names.", show_default="all"),
    ] = None,
    folds: Annotated[
        str | None,
        typer.Option(metavar="1,2,...", help="Tested folds.", show_default="all; figure1: the first"),
    ] = None,
    seeds: Annotated[str, typer.Option(metavar="0,1,...", help="Seeds.")] = "0",
    preset: options.Preset = None,
    settings: options.Settings = None,
    out: Out = Path("runs"),
    jobs: options.Jobs = 1,
    track: options.Track = None,
    esc10: options.Esc10 = False,
    show_list: Annotated[bool, typer.Option("--list", help="Print the runs and their cost, and leave.")] = False,
) -> None:
    """Measure the paper's Table 1, Figure 1 or ablations; finished runs are kept, so it can be stopped and go on.

    cohear reproduce table1 --data ESC-50/ --list

    cohear reproduce figure1 --data ESC-50/ --esc10 --preset small --jobs 2
    """
    from cohear.cli.train import prepare
    from cohear.data.datasets import read_dataset
    from cohear.data.folds import with_folds
    from cohear.experiments.paper import ABLATIONS, FIGURE_1, TABLE_1, find_models

    if data is None:
        raise UserError(
            "--data is missing; give the folder of ESC-50, from `git clone https://github.com/karolpiczak/ESC-50`"
        )
    among = {"table1": TABLE_1, "figure1": FIGURE_1, "ablations": ABLATIONS}[what]
    chosen = find_models(_words(models), among) if models else among
    base = options.resolve(
        method="none",
        transform=None,
        preset=preset,
        settings=settings,
        esc10=esc10,
        skip_bad=False,
        drop_small=0,
        seed=0,
    )
    track = options.check_track(track) or ("every" if what == "figure1" else None)
    dataset = with_folds(read_dataset(data, esc10=esc10), base.data.n_folds, seed=0)
    there = sorted({clip.fold for clip in dataset.clips if clip.fold is not None})
    tested = _numbers(folds, "--folds") if folds else there[:1] if what == "figure1" else there
    if missing := set(tested) - set(there):
        raise UserError(f"fold {min(missing)} is not one of the folds {', '.join(map(str, there))}")
    if show_list:
        from cohear.experiments.grid import plan_requests

        print_plan(data, plan_requests(data, base, chosen, tested, _numbers(seeds, "--seeds"), track), out)
        return
    prepared = prepare(data, base)
    run_models(data, base, chosen, tested, _numbers(seeds, "--seeds"), prepared, out, jobs, track)


def run_models(
    data_path: Path,
    base: "Config",
    models: Sequence,
    folds: Sequence[int],
    seeds: Sequence[int],
    prepared: "PreparedData",
    out: Path,
    jobs: int,
    track: str | None,
) -> list[Path]:
    """Run a grid with a progress bar, then print and write its comparison; returns the run folders."""
    from cohear.cli.finish import print_comparison, write_report_of_run
    from cohear.experiments.grid import place, plan_requests, run_grid

    runs = place(plan_requests(data_path, base, models, folds, seeds, track), prepared, out)
    for warning in {w for fold in folds for w in prepared.split(fold).warnings}:
        say(f"WARNING: {warning}")
    say(f"{len(runs)} runs of {base.training.epochs} epochs -> {out}/")
    with progress_bar("runs") as update:
        folders = run_grid(
            runs,
            jobs,
            lambda share, n_done: update(share, f"{n_done} of {len(runs)} done"),
            write_report_of_run,
        )
    print_comparison(folders, out / "comparison.html")
    return folders


def print_plan(data_path: Path, requests: Sequence["RunRequest"], out: Path) -> None:
    """Print each run of a grid with an estimate of its time on this machine, and whether it is finished."""
    from collections import Counter

    from cohear.data.datasets import read_dataset
    from cohear.data.folds import with_folds
    from cohear.experiments.build import usual_clip_s
    from cohear.experiments.cost import estimate_s
    from cohear.experiments.run_folder import finished_configs

    config = requests[0].config
    dataset = with_folds(read_dataset(data_path, esc10=config.data.esc10), config.data.n_folds, seed=0)
    n_clips_of_fold = Counter(clip.fold for clip in dataset.clips if clip.fold is not None)
    clip_s = config.data.clip_s or usual_clip_s(dataset)
    costs_s = estimate_s(requests, dict(n_clips_of_fold), clip_s, len(dataset.classes))
    finished = finished_configs(out, dataset.name)
    print(f"{dataset.name}: {len(dataset.clips)} clips, {len(dataset.classes)} classes, preset {config.preset}")
    missing_s = 0.0
    for request, cost_s in zip(requests, costs_s, strict=True):
        is_done = request.config in finished
        missing_s += 0.0 if is_done else cost_s
        state = "finished" if is_done else f"about {format_s(cost_s)}"
        print(f"  {request.model:<36} fold {request.config.fold}  seed {request.config.seed}  {state}")
    print(f"{len(requests)} runs, about {format_s(missing_s)} on this machine, one after the other")


def _words(text: str) -> list[str]:
    return [word for word in (part.strip() for part in text.split(",")) if word]


def _numbers(text: str, option: str) -> list[int]:
    try:
        return [int(word) for word in _words(text)]
    except ValueError as error:
        raise UserError(f"{option} {text} is not a list of numbers; write it as {option} 1,2,3") from error
