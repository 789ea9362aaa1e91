"""`cohear reproduce`: the paper's table, its figure, its ablations, and controls of our own."""

import shutil
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from cohear.cli import options
from cohear.cli.budget import parse_budget_s
from cohear.cli.progress import say
from cohear.errors import UserError
from cohear.runtime.files import check_writable
from cohear.runtime.processes import n_processes


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
    sounds: options.Sounds = None,
    esc10: options.Esc10 = False,
    skip_bad: options.SkipBad = False,
    drop_small: options.DropSmall = 0,
    on_nonfinite: options.OnNonfinite = "stop",
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
    if budget is not None and n_processes() > 1:  # their clocks would part them
        raise UserError("--budget is for one process, and torchrun started several; leave one of them out")

    from cohear.cli.grids import run_requests
    from cohear.cli.listing import print_plan
    from cohear.cli.preparing import prepare, refuse_early, refuse_too_large
    from cohear.experiments.build import read_folds
    from cohear.experiments.folder_claims import check_parent
    from cohear.experiments.paper import ABLATIONS, CONTROLS, FIGURE_1, TABLE_1, find_models
    from cohear.experiments.plans import plan_requests

    if report:
        if what != "table1":
            raise UserError(f"--report is the page of table1, not of {what}; for others use `cohear compare`")
        choices = {"--models": models, "--folds": folds, "--seeds": seeds, "--preset": preset, "--set": settings}
        ways = {
            "--jobs": jobs != 1,
            "--on-nonfinite": on_nonfinite != "stop",
            "--track": track,
            "--list": show_list,
            "--budget": budget,
        }
        data_options = {"--sounds": sounds, "--esc10": esc10, "--skip-bad": skip_bad, "--drop-small": drop_small}
        _check_report({**choices, **ways, **data_options})
        print_report(out)
        return
    if data is None:
        raise UserError(
            "--data is missing; give the folder of ESC-50, from `git clone https://github.com/karolpiczak/ESC-50`"
        )
    among = {"table1": TABLE_1, "figure1": FIGURE_1, "ablations": ABLATIONS, "controls": CONTROLS}[what]
    names = [] if models is None else _words(models, "--models")
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
        sounds=sounds,
        esc10=esc10,
        skip_bad=skip_bad,
        drop_small=drop_small,
        on_nonfinite=on_nonfinite,
        seed=0,
    )
    chosen = find_models(names, among, base)
    dataset = read_folds(data, base)
    there = dataset.folds
    tested = _numbers(folds, "--folds") if folds is not None else there[:1] if what == "figure1" else there
    if missing := set(tested) - set(there):
        raise UserError(f"fold {min(missing)} is not one of the folds {', '.join(map(str, there))}")
    requests = plan_requests(data, base, chosen, tested, seed_numbers, track)
    if show_list:
        if budget is not None:
            say("the listing is of all runs whatever --budget is, since it runs nothing")
        print_plan(dataset, requests, out, jobs)
    else:
        refuse_early(dataset, [request.config for request in requests])
        refuse_too_large(dataset, requests, out, jobs)
        check_parent(out)
        run_requests(requests, prepare(data, base), out, jobs, deadline_s)


def print_report(out: Path) -> None:
    """Write the page of Table 1 from the finished runs below a folder, none of them included, and print the table.

    Raises:
        UserError: where the folder is a file, or a run cannot be read.
    """
    from cohear.reports.run_folders import read_runs
    from cohear.reports.table1_report import table1_text, write_table1_report

    check_writable(out)
    is_empty = not out.exists() or (out.is_dir() and not any(out.rglob("metrics.json")))
    runs = [] if is_empty else read_runs([out])
    if not runs:
        say(f"no finished run lies below '{out}'")
    text = table1_text(runs, shutil.get_terminal_size().columns)
    page = write_table1_report(runs, out)  # before anything is printed: who reads that may leave early
    print(text)
    say(f"report: {page}")


def _check_report(given: dict[str, object]) -> None:
    """Refuse options that were given and would have no effect beside --report; --data may stand there."""
    names = [name for name, value in given.items() if value not in (None, False, 0)]
    if names:
        *others, last = names
        which, them = (f"{', '.join(others)} and {last} have", "them") if others else (f"{last} has", "it")
        raise UserError(f"--report runs nothing, so that {which} no effect beside it; leave {them} out")


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
