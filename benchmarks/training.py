"""What a training step costs on this machine: `python benchmarks/training.py [--help]`.

Prints a table of the step's parts, the trainer's time over the bare network's, and the rate that the network reaches
beside that of a large matrix product. On a GPU the paper's batch of 120 in bfloat16, on a CPU a tenth of it in
float32: there, time is proportional to the batch, and the preset `paper` takes some ten minutes. Leave the machine
alone meanwhile.
"""

import sys
from pathlib import Path
from typing import Annotated

import torch
import typer

from cohear.benchmarks.training_step import StepBench, StepTimes
from cohear.experiments.presets import change, parse_override, preset
from cohear.runtime.environment import describe_environment
from cohear.runtime.files import write_text


def main(
    preset_name: Annotated[str, typer.Option("--preset", help="paper or small.")] = "paper",
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any setting.")] = None,
    n_rounds: Annotated[int, typer.Option("--rounds", min=1, help="Turns that count.")] = 3,
    n_steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Steps in a row.", show_default="50 on a GPU, 2 on a CPU")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table there, too.")] = None,
) -> None:
    """Time the training step of Combination-CL, or of whatever --set makes of it."""
    on_gpu = torch.cuda.is_available()
    usual = {"training.batch_size": 120, "training.precision": "bf16"} if on_gpu else {"training.batch_size": 12}
    n_steps = n_steps or (50 if on_gpu else 2)
    config = change(preset(preset_name), {**usual, **dict(parse_override(text) for text in settings or [])})
    text = "\n\n".join(
        table(StepBench(config, n_steps=n_steps, keep_versions=keep), n_rounds, title)
        for keep, title in ((False, "every view made live"), (True, "shifted views read from memory"))
    )
    environment = describe_environment()
    where = environment["gpu"] or f"{environment['processor']}, {count_text(environment['n_threads'], 'thread')}"
    training = config.training
    text = (
        f"Preset {preset_name}, {config.method} over {config.views.transform}, batch {training.batch_size}, "
        f"{training.precision}, {where}, torch {environment['packages']['torch']}. Medians of "
        f"{count_text(n_rounds, 'round')} of {count_text(n_steps, 'step')}; parts are timed by themselves and need not "
        f"add up.\n\n{text}\n"
    )
    print(text, end="")
    if out is not None:
        write_text(out, text)


def table(bench: StepBench, n_rounds: int, title: str) -> str:
    """Measure and render one table."""
    times = bench.measure(n_rounds, lambda line: print(f"{title}: {line}", file=sys.stderr))
    rows = [
        ("reading, drawing and transforming views", times.views_s),
        ("front end", times.front_end_s),
        ("network and objective, forward and backward", times.bare_s - times.optimizer_s),
        ("optimizer", times.optimizer_s),
        ("what is left, or less for being measured apart", times.rest_s),
        ("**the trainer's step**", times.whole_s),
        ("the bare network's step", times.bare_s),
    ]
    body = [f"| {name} | {1e3 * s:.2f} | {s / times.whole_s:.1%} |" for name, s in rows]
    return "\n".join(
        [f"**{title.capitalize()}**", "", "| part | ms | of the step |", "|---|---:|---:|", *body, "", *said(times)]
    )


def said(times: StepTimes) -> list[str]:
    """Say what the table does not."""
    share = times.rate / times.matrix_rate
    return [
        f"The trainer takes {times.overhead:.3f} of the bare network's time (median of ratios), "
        f"{times.n_clips / times.whole_s:.3g} clips or {times.n_signals / times.whole_s:.3g} signals per second.",
        f"The network reaches {times.rate / 1e12:.3g} TFLOP/s, {share:.0%} of a large matrix product's "
        f"{times.matrix_rate / 1e12:.3g}; a step is {times.floor.operations / 1e12:.3g} TFLOP and about "
        f"{times.floor.traffic_bytes / 1e9:.3g} GB of traffic.",
    ]


def count_text(n: int, noun: str) -> str:
    """Say how many."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


app = typer.Typer(add_completion=False, rich_markup_mode=None)
app.command()(main)

if __name__ == "__main__":
    app()
