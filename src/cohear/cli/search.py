"""`cohear search`: where in recordings something sounds like a clip."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cohear.cli.progress import progress_bar, say
from cohear.errors import UserError


def search(
    listener: Annotated[Path, typer.Argument(metavar="RUN_OR_ENCODER")],
    recordings: Annotated[list[str], typer.Argument(metavar="FILE_OR_FOLDER...")],
    like: Annotated[list[Path] | None, typer.Option(metavar="CLIP")] = None,
    n: Annotated[int, typer.Option("--n", min=1, metavar="N")] = 20,
    hop_s: Annotated[float | None, typer.Option(metavar="SECONDS", show_default="half a window")] = None,
) -> None:
    """Print the windows of recordings that sound most like a clip, as CSV: path,start_s,end_s,similarity.

    No labels and no training are needed: a pretrained encoder is enough. What it makes of recordings is kept, so the
    next search in them takes seconds.

    cohear search yamnet.onnx night/ --like frog.wav

    cohear search runs/mine night/ --like frog1.wav --like frog2.wav --n 100 > similar.csv

    Args:
        listener: A finished run, a .cohear file, or an encoder, FILE.onnx.
        recordings: Sounds, folders of them, or patterns such as 'site*/*.wav'.
        like: A sound of what is looked for; several count as one of them.
        n: Windows.
        hop_s: Begin a window this often.
    """
    if not like:
        raise UserError("--like is missing; give a sound of what is looked for, as --like frog.wav")
    from cohear.inference.recordings import find_recordings, require_here
    from cohear.inference.search import find_similar, open_listener
    from cohear.inference.tables import csv_line

    opened, found, errors = open_listener(listener), find_recordings(recordings), list[UserError]()

    require_here(found, "search")

    def fail(error: UserError) -> None:
        errors.append(error)
        say(f"left out: {error}")

    with progress_bar("listening") as update:
        similar = find_similar(opened, like, found, n, hop_s, update, fail)
    sys.stdout.write(csv_line(("path", "start_s", "end_s", "similarity")))
    for one in similar:
        times = f"{one.start_s:.3f}", f"{one.end_s:.3f}"
        sys.stdout.write(csv_line((one.path, *times, f"{one.similarity:.4f}")))
    if errors:
        raise UserError(f"{len(errors)} of {len(found)} files could not be heard, as said above")
