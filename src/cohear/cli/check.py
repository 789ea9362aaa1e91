"""`cohear check`: what is in a data set, and what is wrong with it."""

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cohear.cli import options
from cohear.cli.progress import count_text, progress_bar, say
from cohear.errors import UserError

if TYPE_CHECKING:
    from cohear.data.check.check import Check
    from cohear.data.check.finding import Finding


def check(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", show_default=False, help="Labeled sounds, as `cohear train` takes them."),
    ],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with everything that was found.")
    ] = None,
    json_out: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the same for programs; - prints it in place of the screen."),
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Write a table to train on: path, label and group. A group holds the clips that belong together by "
            "their group or file, by their names, or because they sound the same.",
        ),
    ] = None,
    background: options.Background = None,
    preset: options.Preset = None,
    settings: options.Settings = None,
    sounds: options.Sounds = None,
    esc10: options.Esc10 = False,
    skip_bad: options.SkipBad = False,
    drop_small: options.DropSmall = 0,
) -> None:
    """Listen to a data set and say what is in it, what is wrong with it, and whether training can start.

    Errors are what training refuses, warnings what would mislead it, notes what is good to know. With the options
    by which training will choose its data, the answer is that of training. The status is 0 where it can start, else 2.

    cohear check my_sounds/

    cohear check my_sounds/ --html check.html --groups groups.csv && cohear train groups.csv
    """
    from cohear.data.check.finding import Finding
    from cohear.experiments.data_check import check_data

    if groups is not None and groups.suffix.lower() != ".csv":
        raise UserError(f"--groups '{groups}' is no table that training would read; give it a name that ends in .csv")
    for option, path in (("--html", html), ("--json", json_out), ("--groups", groups)):
        if path is not None and path.exists() and data.exists() and path.samefile(data):
            raise UserError(f"{option} '{path}' would write over the data; give it another name")
    set_names = options.set_names(settings, {"preset": "--preset"})
    config = options.resolve(
        method="consistency",
        transform=None,
        preset=preset,
        settings=settings,
        sounds=sounds,
        esc10=esc10,
        skip_bad=skip_bad,
        drop_small=drop_small,
        seed=0,
        background=background,
    )
    try:
        with progress_bar("listening") as update:
            found = check_data(
                data,
                config,
                set_names,
                on_progress=lambda done, total: update(done / max(total, 1), f"{done} of {total} clips"),
            )
    except UserError as error:
        _write(data.name, (Finding("refused", "error", str(error)),), None, html, json_out)
        raise
    _write(found.dataset.name, found.findings, found, html, json_out)
    if groups is not None:
        _write_groups(found, groups)
    if str(json_out) != "-":
        _print_screen(found)
    if not found.can_train:
        raise UserError(f"training cannot start on '{data}'; mend what is marked as an error and check again")


def _write(
    name: str, findings: "tuple[Finding, ...]", found: "Check | None", html: Path | None, json_out: Path | None
) -> None:
    """Write the page and the JSON, where they are wanted."""
    from cohear.reports.check_report import check_json, write_check_page
    from cohear.runtime.files import write_text

    if html is not None:
        say(f"page: {write_check_page(html, name, findings, found)}")
    if json_out is not None:
        text = json.dumps(check_json(name, findings, found), indent=2, allow_nan=False)
        if str(json_out) == "-":
            print(text)
        else:
            write_text(json_out, f"{text}\n")
            say(f"JSON: {json_out}")


def _write_groups(found: "Check", path: Path) -> None:
    """Write the table of groups and say how many there are."""
    from cohear.data.check.groups_table import groups_table, sounds_folder
    from cohear.runtime.files import write_text

    own = path.absolute().parent
    folder = sounds_folder(found.dataset, found.kinship, own)
    write_text(path, groups_table(found.dataset, found.kinship, folder))
    n_groups = len(set(found.kinship.groups))
    say(f"groups: {path}, {count_text(found.kinship.heard, 'clip')} in {count_text(range(n_groups), 'group')}")
    if folder != own:
        say(f"the sounds lie elsewhere, so give that table with --sounds {shlex.quote(str(folder))}")


def _print_screen(found: "Check") -> None:
    """Print what was found: on a terminal what its window holds, elsewhere all of it."""
    from cohear.reports.check_text import to_screen

    size = shutil.get_terminal_size()
    print(to_screen(found, min(80, max(40, size.columns)), size.lines if sys.stdout.isatty() else None))
