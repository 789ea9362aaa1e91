"""`cohear bench`: this machine's speed and accuracy, beside the libraries that are installed."""

from pathlib import Path
from typing import Annotated

import typer

from cohear.cli.progress import say
from cohear.errors import UserError


def bench(
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the page there, too.", show_default=False)
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few clips and rounds: whether it works, not how fast.")
    ] = False,
) -> None:
    """Measure every transform beside other libraries.

    Time, memory and, for pitch shifts, accuracy. Libraries that are not installed are listed as such. Takes minutes;
    leave the machine alone meanwhile.

    cohear bench --quick
    """
    from cohear.benchmarks import bench, page
    from cohear.benchmarks.results import FULL, QUICK
    from cohear.runtime.files import write_text

    if out is not None and (out.is_dir() or not out.parent.is_dir()):  # now, and not after minutes
        raise UserError(f"--out {out} cannot be written; give a file in a folder that exists")
    results = bench.run(QUICK if quick else FULL, say)
    text = page.render(results)
    print(text, end="")
    if out is not None:
        write_text(out, text)
        say(f"written: {out}")
    if None in results.versions.values():
        say(f"some peers are not installed; {page.HOW_TO_GET_PEERS}")
