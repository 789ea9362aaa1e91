"""`cohear demo`: the whole method on made-up sounds, without any data."""

from pathlib import Path
from typing import Annotated

import typer

from cohear.cli.progress import say


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where sounds, runs and the report go.")] = Path(
        "cohear-demo"
    ),
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Runs side by side.")] = 2,
) -> None:
    """Write made-up sounds, train all four methods on them, print the table, write a report. No data needed.

    cohear demo
    """
    from cohear.cli.grids import run_requests
    from cohear.cli.preparing import prepare
    from cohear.data.synthetic import write_sounds
    from cohear.experiments.paper import FIGURE_1
    from cohear.experiments.plans import plan_requests
    from cohear.experiments.presets import preset

    sounds = out / "sounds" / "sounds.csv"
    if not sounds.exists():
        write_sounds(sounds.parent)
    say(f"ten classes of made-up sounds, each fold another place: {sounds}")
    base = preset("demo")
    prepared = prepare(sounds, base)
    requests = plan_requests(sounds, base, FIGURE_1, prepared.folds, [0], "every")
    run_requests(requests, prepared, out / "runs", jobs)
    print(
        "\nThis is a demonstration, not evidence: made-up sounds, little training, one seed. Whatever order came out "
        "is printed with its standard error; the paper's claim is about ESC-50."
    )
