"""`cohear reproduce`: the paper's table, its figure, its ablations, and controls of our own."""

import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cohear.cli import options
from cohear.cli.budget import parse_budget_s
from cohear.cli.progress import count_text, format_s, say
from cohear.errors import UserError
from cohear.runtime.files import explain_disk_errors

if TYPE_CHECKING:
    from cohear.data.datasets import Dataset
    from cohear.experiments.runs import RunRequest


def reproduce(
    what: Annotated[
        Literal["table1", "figure1", "ablations", "controls"],
        typer.Argument(show_default=False, help="What to measure."),
    ],
    data: Annotated[
        Path | None,
        typer.Option(metavar="ESC50", help="ESC-50: git clone https://github.com/karolpiczak/ESC-50"),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(metavar="NAME,NAME", help="Some of the models, by the names in --list.", show_default="all"),
    ] = None,
    folds: Annotated[
        str | None,
        typer.Option(metavar="1,2,...", help="Tested folds.", show_default="all; figure1: the first"),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="0,1,...", help="Seeds.", show_default="0; controls of the precision: 0,1,2"),
    ] = None,
    preset: options.Preset = None,
    settings: options.Settings = None,
    out: options.Out = Path("runs"),
    jobs: options.Jobs = 1,
    track: options.Track = None,
    esc10: options.Esc10 = False,
    skip_bad: options.SkipBad = False,
    drop_small: options.DropSmall = 0,
    show_list: Annotated[bool, typer.Option("--list", help="Print the runs and their cost, and leave.")] = False,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Save and leave after so long, as 90s, 9m or 1.5h; the same command goes on.",
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        bool,
        typer.Option("--report", help="Print table1 from the finished runs in --out, write its page, and leave."),
    ] = False,
) -> None:
    """Measure the paper's Table 1, Figure 1 or ablations, or controls of our own.

    Finished runs are kept and begun ones go on, so it can be stopped at any time: no augmentation and the combination
    come first, then the others fold by fold, and a part of the table compares fairly. Controls: Combination-CL in
    float32 and in bf16, no augmentation with as many signals as the others.

    cohear reproduce table1 --data ESC-50/ --list

    cohear reproduce table1 --data ESC-50/ --budget 9m

    cohear reproduce figure1 --data ESC-50/ --esc10 --preset small --jobs 2
    """
    deadline_s = None if budget is None else time.time() + parse_budget_s(budget)

    from cohear.cli.grids import run_requests
    from cohear.cli.train import prepare, refuse_early
    from cohear.experiments.build import read_folds
    from cohear.experiments.paper import ABLATIONS, CONTROLS, FIGURE_1, TABLE_1, find_models
    from cohear.experiments.plans import plan_requests
    from cohear.experiments.run_folder import check_parent

    if report:
        _check_report(what, show_list, budget)
        print_report(out)
        return
    if data is None:
        raise UserError(
            "--data is missing; give the folder of ESC-50, from `git clone https://github.com/karolpiczak/ESC-50`"
        )
    among = {"table1": TABLE_1, "figure1": FIGURE_1, "ablations": ABLATIONS, "controls": CONTROLS}[what]
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
    seed_numbers = None if seeds is None else _numbers(seeds, "--seeds")
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
        run_requests(requests, prepare(data, base), out, jobs, deadline_s)


def print_plan(dataset: "Dataset", requests: Sequence["RunRequest"], out: Path) -> None:
    """Print each run of a grid with an estimate of its time on this machine, and whether it is finished."""
    from cohear.experiments.build import usual_clip_s
    from cohear.experiments.cost import estimate_s
    from cohear.experiments.runs_below import find_runs

    data = requests[0].config.data
    n_clips_of_fold = Counter(clip.fold for clip in dataset.clips if clip.fold is not None)
    costs_s = estimate_s(requests, n_clips_of_fold, data.clip_s or usual_clip_s(dataset), len(dataset.classes))
    finished = [found.record.config for found in find_runs(out, dataset.name) if found.is_finished]
    clips, classes = count_text(dataset.clips, "clip"), count_text(dataset.classes, "class", "classes")
    print(f"{dataset.name}: {clips}, {classes}, preset {requests[0].config.preset}")
    missing_s = 0.0
    for request, cost_s in zip(requests, costs_s, strict=True):
        is_done = request.config in finished
        missing_s += 0.0 if is_done else cost_s
        state = "finished" if is_done else f"about {format_s(cost_s)}"
        print(f"  {request.model:<38} fold {request.config.fold}  seed {request.config.seed}  {state}")
    print(
        f"{_factors_text(requests)}{count_text(requests, 'run')}, about {format_s(missing_s)} on this machine, "
        "one after the other"
    )


def print_report(out: Path) -> None:
    """Print Table 1 from the finished runs below a folder, none of them included, and write its page.

    Raises:
        UserError: where the folder is a file, or a run cannot be read.
    """
    from cohear.reports.run_folders import read_runs
    from cohear.reports.table1_report import table1_text, write_table1_report

    is_empty = not out.exists() or (out.is_dir() and not any(out.rglob("metrics.json")))
    runs = [] if is_empty else read_runs([out])
    print(table1_text(runs, shutil.get_terminal_size().columns))
    with explain_disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    say(f"report: {write_table1_report(runs, out)}")


def _check_report(what: str, show_list: bool, budget: str | None) -> None:
    if what != "table1":
        raise UserError(f"--report is the page of table1, not of {what}; for others use `cohear compare`")
    if show_list or budget is not None:
        option = "--list" if show_list else "--budget"
        raise UserError(f"--report runs nothing, so that {option} has no effect beside it; leave one of them out")


def _factors_text(requests: Sequence["RunRequest"]) -> str:
    """Say how many models, folds and seeds there are, where all of them are combined."""
    models, folds, seeds = (
        {request.model for request in requests},
        {request.config.fold for request in requests},
        {request.config.seed for request in requests},
    )
    if len(models) * len(folds) * len(seeds) != len(requests):
        return ""
    return f"{count_text(models, 'model')} x {count_text(folds, 'fold')} x {count_text(seeds, 'seed')}: "


def _words(text: str, option: str) -> list[str]:
    """Split a list at its commas."""
    words = [word for word in (part.strip() for part in text.split(",")) if word]
    if not words:
        raise UserError(f"{option} is given an empty list; name at least one, or leave {option} out")
    return words


def _numbers(text: str, option: str) -> list[int]:
    try:
        return list(dict.fromkeys(int(word) for word in _words(text, option)))
    except ValueError as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{option} {text} is not a list of numbers; write it as {option} 1,2,3") from error
