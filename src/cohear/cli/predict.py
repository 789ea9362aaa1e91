"""`cohear predict`: what a trained classifier hears."""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cohear.cli.progress import progress_bar, say
from cohear.errors import UserError


def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", show_default=False, help="A finished run folder.")],
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE_OR_FOLDER...", show_default=False, help="Sounds, or folders of them."),
    ],
    top: Annotated[int, typer.Option(min=1, metavar="K", help="Labels per window.")] = 1,
) -> None:
    """Print what is heard, window by window, as CSV: path,start_s,end_s,label,probability.

    A file that cannot be read is named and left out; the status is then 2.

    cohear predict runs/my-run street.wav > street.csv
    """
    from cohear.inference.classifier import load

    classifier = load(run)
    sounds = list(_sounds(files))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    failures: list[UserError] = []
    with progress_bar("listening") as update:
        for index, path in enumerate(sounds):
            try:
                table = classifier.predict(path, top)
            except UserError as error:
                failures.append(error)
                if len(sounds) > 1:
                    say(f"left out: {error}")
                continue
            if index == len(failures):  # the first that can be read
                writer.writerow(["path", "start_s", "end_s", "label", "probability"])
            for row in table:
                writer.writerow([path, f"{row.start_s:.3f}", f"{row.end_s:.3f}", row.label, f"{row.probability:.4f}"])
            update((index + 1) / len(sounds), path.name)
    print(end="", flush=True)
    if len(failures) == len(sounds) == 1:
        raise failures[0]
    if len(failures) == len(sounds):
        raise UserError(f"not one of {len(sounds)} files could be read; see the reasons above")
    if failures:
        raise UserError(f"{len(failures)} of {len(sounds)} files could not be read; the others are in the table")


def _sounds(paths: list[Path]) -> Iterator[Path]:
    from cohear.data.audio_files import is_audio
    from cohear.data.tables import has_table_name

    for path in paths:
        if has_table_name(path):
            raise UserError(f"'{path}' is a table, and predict listens to sounds; give the files or folders it lists")
        if not path.is_dir():
            yield path
            continue
        found = sorted(entry for entry in path.rglob("*") if entry.is_file() and is_audio(entry))
        if not found:
            raise UserError(f"'{path}' holds no sound files")
        yield from found
