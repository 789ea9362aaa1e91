"""`cohear check`: what is in a data set, and what is wrong with it."""

import json
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cohear.cli import options
from cohear.cli.progress import counting, progress_bar, say
from cohear.errors import UserError

if TYPE_CHECKING:
    from cohear.data.check.check import Check, Finding


@options.takes_settings("data.background", *options.CLIPS)
def check(
    asked: options.Asked,
    data: options.Data,
    html: Annotated[Path | None, typer.Option(metavar="FILE", callback=options.written(".html"))] = None,
    json_out: options.Json = None,
    groups: Annotated[Path | None, typer.Option(metavar="FILE.csv", callback=options.written(".csv"))] = None,
) -> None:
    """Listen to a data set and say what is in it, what is wrong with it, and whether training can start.

    Errors are what training refuses, warnings what would mislead it, notes what is good to know. With the options
    by which training will choose its data, the answer is that of training. The status is 0 where it can start, else 2.

    cohear check my_sounds/

    cohear check my_sounds/ --html check.html --groups groups.csv && cohear train groups.csv

    Args:
        asked: settings.
        data: Labeled sounds, as `cohear train` takes them.
        html: Write a page with everything that was found.
        json_out: Write the same for programs; - prints it in place of the screen.
        groups: Write a table to train on: path, label and group. A group holds the clips that belong together by
            their group or file, by their names, or because they sound the same.
    """
    from cohear.data.check.check import Finding, can_train
    from cohear.reports.check_report import to_screen
    from cohear.runs.data_check import check_data

    if groups is not None and groups.exists() and data.exists() and groups.samefile(data):
        raise UserError(f"--groups '{groups}' would write over the data; give it another name")
    try:
        with progress_bar("listening") as update:
            found = check_data(data, asked.config, asked.chosen, on_progress=counting(update, "clips"))
    except UserError as error:
        _write(data.name, (Finding("refused", "error", str(error)),), None, html, json_out)
        raise
    _write(found.dataset.name, found.findings, found, html, json_out)
    if groups is not None:
        _write_groups(found, groups)
    if str(json_out) != "-":
        print(to_screen(found, min(80, max(40, shutil.get_terminal_size().columns))))
    if not can_train(found.findings):
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
    from cohear.data.check.kinship import groups_table, sounds_folder
    from cohear.runtime.files import write_text

    own = path.absolute().parent
    folder = sounds_folder(found.dataset, own)
    write_text(path, groups_table(found.dataset, found.kinship, folder))
    n_groups = len(set(found.kinship.groups))
    say(f"groups: {path}, {len(found.kinship.heard)} clips in {n_groups} groups")
    if folder != own:
        say(f"the sounds lie elsewhere, so give that table with --sounds {shlex.quote(str(folder))}")
