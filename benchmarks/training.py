"""What a training step costs on this machine: `python -m benchmarks.training [--help]`, from the project's root.

The trainer's own loop on made-up clips beside the bare network, which is what any PyTorch user writes: forward,
cross-entropy and divergence, backward, a fused AdamW, on log-mels that are ready. Everything is timed in turns, one
process, the same shapes. Log-mels that are kept lie there already. On a GPU the paper's batch of 120 in bfloat16, on
a CPU a tenth of it in float32: there, time is proportional to the batch, and the preset `paper` takes some ten
minutes. Leave the machine alone meanwhile.
"""

import argparse
import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.page import markdown_table
from cohear import keys
from cohear.data.kept_log_mels import KeptLogMels
from cohear.kept_views import variants
from cohear.models import NetworkWithHead
from cohear.runs.build import build_network, build_schedule, build_view_maker, is_compiled
from cohear.runs.config import Config, change, parse_override
from cohear.runs.presets import configure
from cohear.runtime.devices import describe_environment, faster_precision, make_fabric, wait_for
from cohear.runtime.machine import keep_freed_memory
from cohear.tensors import on_device
from cohear.training.batches import Batch
from cohear.training.inputs import TrainingClips, Watch
from cohear.training.trainer import train
from cohear.transforms import ClipFacts
from cohear.views import ViewMaker

_N_CLASSES = 50


@dataclass(frozen=True)
class StepTimes:
    """Medians over rounds, seconds per step."""

    trainer_s: float
    """Views, front end, network, objective, optimizer."""
    bare_s: float
    """Network, objective and optimizer on log-mels that are ready."""
    views_s: float
    """Reading, drawing, transforming and the front end, or reading what is kept."""
    overhead: float
    """Median over rounds of the trainer's time over the bare network's."""
    operations: float
    """Multiplications and additions of the network in a step, forward and backward."""


def measure(
    config: Config, n_rounds: int, n_steps: int, say: Callable[[str], None] = print, clip_s: float = 5.0
) -> StepTimes:
    """Time all parts in turns, after one turn that is not counted.

    Args:
        config: of a method whose items have the same views, such as `consistency`.
        n_rounds: turns, >= 1.
        n_steps: in a row of one measurement, >= 1.
        say: is told of each measurement.
        clip_s: seconds of a clip.
    """
    keep_freed_memory()  # as a training does
    fabric = make_fabric(config.training.precision)
    device, half = fabric.device, config.training.precision == "bf16"
    plan = dataclasses.replace(build_schedule(config), n_epochs=1)
    n_views = plan.items.n_views
    n_clips = config.training.batch_size // n_views
    views, rows = np.arange(n_views)[:, None].repeat(n_clips, 1), np.arange(n_clips)
    clip_keys = keys.fold_in(keys.key(0, "made-up clips"), rows)
    view_maker = build_view_maker(config, config.views.transform).to(device)
    noise = 0.1 * torch.randn(n_clips, round(clip_s * config.data.sample_rate))  # what a clip holds changes no time
    waveforms = noise.to(device)

    def read(numbers: np.ndarray) -> torch.Tensor:
        return waveforms[on_device(numbers % n_clips, device)]

    visits = np.arange(n_clips * (1 + n_steps))  # by the trainer, whose first step does not count
    facts, ids = ClipFacts(visits % n_clips), [f"clip {visit}" for visit in visits]
    kept = _filled(view_maker, waveforms) if config.views.kept else None
    clips = TrainingClips(read, visits % _N_CLASSES, clip_keys[visits % n_clips], facts, ids, _N_CLASSES, kept)

    def make_views(epoch: int) -> torch.Tensor:
        return clips.make_views(view_maker, Batch(rows, views), 0, epoch)

    def network() -> NetworkWithHead:
        made = build_network(config, _N_CLASSES)
        if is_compiled(config, device):
            made.compile_features()
        return made

    def timed(work: Callable[[int], object]) -> float:
        wait_for(device)
        started = time.perf_counter()
        for step in range(n_steps):
            work(step)
        wait_for(device)
        return (time.perf_counter() - started) / n_steps

    def trainer_s() -> float:
        ends: list[float] = []

        def on_step(done: int, total: int) -> None:
            if done in (1, total):
                wait_for(device)
                ends.append(time.perf_counter())

        watch = Watch(measure=lambda _network, _epoch, _should_stop: {}, on_step=on_step)
        with tempfile.TemporaryDirectory() as folder:
            train(network(), view_maker, clips, plan, Path(folder), fabric, watch, identity="bench")
        return (ends[-1] - ends[0]) / n_steps

    log_mels, labels = make_views(0), torch.arange(n_clips, device=device) % _N_CLASSES

    def bare_s() -> float:
        bare = network().to(device).train()
        optimizer = torch.optim.AdamW(bare.parameters(), lr=5e-4, fused=True)

        def step(_step: int) -> None:
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                logits = bare(log_mels)
            plan.objective(logits, labels, 1.0).total.backward()
            optimizer.step()
            optimizer.zero_grad()

        step(0)
        return timed(step)

    parts = {
        "trainer": trainer_s,
        "bare network": bare_s,
        "views": lambda: timed(make_views),
    }
    taken: dict[str, list[float]] = {name: [] for name in parts}
    for turn in range(1 + n_rounds):
        for name, part in parts.items():
            seconds = part()
            say(f"{f'round {turn} of {n_rounds}' if turn else 'warming up'}: {name} {1e3 * seconds:.2f} ms per step")
            taken[name] += [seconds] if turn else []
    times = {name: median(seconds) for name, seconds in taken.items()}
    with FlopCounterMode(display=False) as counter:
        build_network(config, _N_CLASSES).to(device)(log_mels).sum().backward()
    return StepTimes(
        times["trainer"],
        times["bare network"],
        times["views"],
        median(a / b for a, b in zip(taken["trainer"], taken["bare network"], strict=True)),
        counter.get_total_flops(),
    )


def _filled(view_maker: ViewMaker, waveforms: torch.Tensor) -> KeptLogMels:
    """Return kept log-mels of which none is missing, in a file without a name."""
    clean = view_maker.front_end.to_kept(view_maker.front_end(waveforms))
    with tempfile.NamedTemporaryFile() as file:
        kept = KeptLogMels(Path(file.name), len(variants(view_maker)), clean.shape[1:])
    rows = np.arange(len(clean))
    for variant in range(kept.n_variants):
        kept.write(rows, np.full(len(rows), variant), clean)
    return kept


def render(times: StepTimes) -> str:
    """Return a table of the parts, and what it does not say."""
    rows = {
        "views, front end included": times.views_s,
        "the bare network's step": times.bare_s,
        "the trainer's step": times.trainer_s,
    }
    table = [[name, f"{1e3 * s:.2f}", f"{s / times.trainer_s:.1%}"] for name, s in rows.items()]
    return (
        f"{markdown_table(['part', 'ms', 'of the step'], table)}\n\n"
        f"The trainer takes {times.overhead:.3f} of the bare network's time (median of ratios). A step is "
        f"{times.operations / 1e12:.3g} TFLOP, the bare network reaches "
        f"{times.operations / times.bare_s / 1e12:.3g} TFLOP/s.\n"
    )


def main() -> None:
    """Time the training step of Combination-CL, or of whatever --set makes of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=main.__doc__)
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--set", dest="settings", metavar="NAME=VALUE", action="append", default=[], help="any setting")
    parser.add_argument("--rounds", type=int, default=3, help="turns that count")
    parser.add_argument("--steps", type=int, help="in a row; 50 on a GPU, 2 on a CPU")
    options = parser.parse_args()
    on_gpu = torch.cuda.is_available()
    n_steps = options.steps or (50 if on_gpu else 2)
    usual = {"training.batch_size": 120, "training.precision": "bf16"} if on_gpu else {"training.batch_size": 12}
    config = configure(usual, options.preset, settings=dict(map(parse_override, options.settings)))
    if config.training.precision == "auto":
        config = change(config, {"training.precision": faster_precision()[0]})
    text = render(measure(config, options.rounds, n_steps, lambda line: print(line, file=sys.stderr)))
    told, training = describe_environment(), config.training
    print(
        f"Preset {options.preset}, {config.method} over {config.views.transform}, batch {training.batch_size}, "
        f"{training.precision}, {told['gpu'] or told['processor']}, {told['n_threads']} threads, torch "
        f"{told['packages']['torch']}. Medians of {options.rounds} rounds of {n_steps} steps; parts are timed by "
        f"themselves and need not add up.\n\n{text}",
        end="",
    )


if __name__ == "__main__":
    main()
