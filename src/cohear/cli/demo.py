"""`cohear demo`: the whole method on made-up sounds, without any data."""

from pathlib import Path

from cohear.cli import options
from cohear.cli.progress import say


def demo(
    out: options.Out = Path("cohear-demo"),
    jobs: options.Jobs = 2,
) -> None:
    """Write made-up sounds, train all four methods on them, print the table, write a report. No data needed.

    cohear demo

    Args:
        out: Where sounds, runs and the report go.
        jobs: Runs side by side.
    """
    from cohear.cli.grids import decode, run_plans
    from cohear.data.synthetic import write_sounds
    from cohear.runs.grid import plan_grid
    from cohear.runs.paper import GRIDS
    from cohear.runs.plan import list_clips
    from cohear.runs.presets import PRESETS

    sounds = out / "sounds" / "sounds.csv"
    if not sounds.exists():
        write_sounds(sounds.parent)
    say(f"ten classes of made-up sounds, each fold another place: {sounds}")
    prepared = decode(list_clips(sounds, PRESETS["demo"](), {"data.sample_rate"}))
    run_plans(plan_grid(prepared, GRIDS["figure1"], prepared.folds, [0], out / "runs", "every"), jobs)
    print(
        "\nThis is a demonstration, not evidence: made-up sounds, little training, one seed. Whatever order came out "
        "is printed with its standard error; the paper's claim is about ESC-50."
    )
