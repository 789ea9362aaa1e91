"""`cohear crossval` and `cohear reproduce`: many runs."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cohear.cli import options
from cohear.cli.progress import count_text, format_s, progress_bar, say
from cohear.errors import UserError
from cohear.runtime.interrupts import how_to_go_on

if TYPE_CHECKING:
    from cohear.data.datasets import Dataset
    from cohear.experiments.build import PreparedData
    from cohear.experiments.runs import RunRequest

Out = Annotated[Path, typer.Option(metavar="DIR", help="The folder of the run folders.")]


def crossval(
    data: options.Data = None,
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
    list_settings: options.ListSettings = False,
) -> None:
    """Train once per fold and average: mean accuracy with its standard error.

    Finished runs are kept, an unfinished one goes on.

    cohear crossval my_sounds/ --method bda --jobs 2
    """
    from cohear.cli.train import prepare, refuse_early
    from cohear.experiments.build import read_folds
    from cohear.experiments.grid import plan_requests
    from cohear.experiments.paper import PaperModel, model_name
    from cohear.experiments.presets import change
    from cohear.experiments.run_folder import check_parent

    options.require_data(data, list_settings)
    options.set_names(settings, {"preset": "--preset", "fold": "`cohear train --fold` for one fold"})
    track = options.check_track(track)
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
    model = PaperModel(model_name(config), config.method, config.views.transform)
    dataset = read_folds(data, config)
    refuse_early(dataset, [change(config, {"fold": dataset.folds[0]})])
    check_parent(out)
    prepared = prepare(data, config)
    requests = plan_requests(data, config, [model], prepared.folds, [config.seed], track)
    run_requests(requests, prepared, out, jobs)


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
    skip_bad: options.SkipBad = False,
    drop_small: options.DropSmall = 0,
    show_list: Annotated[bool, typer.Option("--list", help="Print the runs and their cost, and leave.")] = False,
) -> None:
    """Measure the paper's Table 1, Figure 1 or ablations; finished runs are kept, so it can be stopped and go on.

    cohear reproduce table1 --data ESC-50/ --list

    cohear reproduce figure1 --data ESC-50/ --esc10 --preset small --jobs 2
    """
    from cohear.cli.train import prepare, refuse_early
    from cohear.experiments.build import read_folds
    from cohear.experiments.grid import plan_requests
    from cohear.experiments.paper import ABLATIONS, FIGURE_1, TABLE_1, find_models
    from cohear.experiments.run_folder import check_parent

    if data is None:
        raise UserError(
            "--data is missing; give the folder of ESC-50, from `git clone https://github.com/karolpiczak/ESC-50`"
        )
    among = {"table1": TABLE_1, "figure1": FIGURE_1, "ablations": ABLATIONS}[what]
    chosen = among if models is None else find_models(_words(models, "--models"), among)
    options.set_names(
        settings,
        {
            "preset": "--preset",
            "method": "--models",
            "views.transform": "--models",
            "fold": "--folds",
            "seed": "--seeds",
        },
    )
    seed_numbers = _numbers(seeds, "--seeds")
    track = options.check_track(track) or ("every" if what == "figure1" else None)
    base = options.resolve(
        method="none",
        transform=None,
        preset=preset,
        settings=settings,
        esc10=esc10,
        skip_bad=skip_bad,
        drop_small=drop_small,
        seed=0,
    )
    dataset = read_folds(data, base)
    there = dataset.folds
    tested = _numbers(folds, "--folds") if folds is not None else there[:1] if what == "figure1" else there
    if missing := set(tested) - set(there):
        raise UserError(f"fold {min(missing)} is not one of the folds {', '.join(map(str, there))}")
    requests = plan_requests(data, base, chosen, tested, seed_numbers, track)
    if show_list:
        print_plan(dataset, requests, out)
    else:
        refuse_early(dataset, [request.config for request in requests])
        check_parent(out)
        run_requests(requests, prepare(data, base), out, jobs)


def run_requests(requests: Sequence["RunRequest"], prepared: "PreparedData", out: Path, jobs: int) -> None:
    """Run a grid with a progress bar, then print and write its comparison."""
    from cohear.cli.finish import print_comparison, write_report_of_run
    from cohear.experiments.grid import place, run_grid

    runs = place(requests, prepared, out)
    folds = dict.fromkeys(request.config.fold for request in requests)
    for warning in dict.fromkeys(warning for fold in folds for warning in prepared.split(fold).warnings):
        say(f"WARNING: {warning}")
    epochs = count_text(range(requests[0].config.training.epochs), "epoch")
    say(f"{count_text(runs, 'run')} of {epochs} -> {out}/")
    with how_to_go_on("go on with the same command"), progress_bar("runs") as update:
        folders = run_grid(
            runs,
            jobs,
            lambda share, n_done: update(share, f"{n_done} of {len(runs)} done"),
            write_report_of_run,
        )
    beside = readable_beside(folders, prepared, out)
    if beside:
        say(f"compared with {count_text(beside, 'other finished run')} on the same clips in {out}/")
    print_comparison([*folders, *beside], out / "comparison.html")


def readable_beside(folders: Sequence[Path], prepared: "PreparedData", out: Path) -> list[Path]:
    """Find what else there is to compare with: finished runs on the same clips that can be read."""
    from cohear.experiments.run_folder import finished_runs, read_record
    from cohear.reports.run_folders import read_run

    own = {read_record(folder).identity for folder in folders}
    beside = []
    for identity, folder in finished_runs(out, prepared.dataset.name, prepared.store.fingerprint).items():
        if identity in own:
            continue
        try:
            _ = read_run(folder).predictions
            beside.append(folder)
        except UserError as error:
            say(f"left out of the comparison: {str(error).rstrip('.')}")
    return beside


def print_plan(dataset: "Dataset", requests: Sequence["RunRequest"], out: Path) -> None:
    """Print each run of a grid with an estimate of its time on this machine, and whether it is finished."""
    from cohear.experiments.build import usual_clip_s
    from cohear.experiments.cost import estimate_s
    from cohear.experiments.run_folder import finished_configs

    data = requests[0].config.data
    n_clips_of_fold = Counter(clip.fold for clip in dataset.clips if clip.fold is not None)
    costs_s = estimate_s(requests, n_clips_of_fold, data.clip_s or usual_clip_s(dataset), len(dataset.classes))
    finished = finished_configs(out, dataset.name)
    clips, classes = count_text(dataset.clips, "clip"), count_text(dataset.classes, "class", "classes")
    print(f"{dataset.name}: {clips}, {classes}, preset {requests[0].config.preset}")
    missing_s = 0.0
    for request, cost_s in zip(requests, costs_s, strict=True):
        is_done = request.config in finished
        missing_s += 0.0 if is_done else cost_s
        state = "finished" if is_done else f"about {format_s(cost_s)}"
        print(f"  {request.model:<36} fold {request.config.fold}  seed {request.config.seed}  {state}")
    factors = (
        count_text({request.model for request in requests}, "model"),
        count_text({request.config.fold for request in requests}, "fold"),
        count_text({request.config.seed for request in requests}, "seed"),
    )
    print(
        f"{' x '.join(factors)}: {count_text(requests, 'run')}, about {format_s(missing_s)} on this machine, "
        "one after the other"
    )


def _words(text: str, option: str) -> list[str]:
    """Split a list at its commas, each entry once."""
    words = list(dict.fromkeys(word for word in (part.strip() for part in text.split(",")) if word))
    if not words:
        raise UserError(f"{option} is given an empty list; name at least one, or leave {option} out")
    return words


def _numbers(text: str, option: str) -> list[int]:
    try:
        return [int(word) for word in _words(text, option)]
    except ValueError as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{option} {text} is not a list of numbers; write it as {option} 1,2,3") from error
