"""How much memory a real training step takes at its peak, in a process that does little else."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from cohear import keys
from cohear.benchmarks.memory import extra_peak_mb
from cohear.experiments.build import build_network, build_plan, build_view_maker
from cohear.experiments.config import Config
from cohear.experiments.presets import change, parse_override, preset
from cohear.runtime.devices import make_fabric
from cohear.training.batches import items_per_batch
from cohear.training.plan import TrainingClips, Watch
from cohear.training.trainer import train
from cohear.transforms import ClipFacts


def measured_bytes(name: str, *texts: str) -> int:
    """Return the peak of two steps beyond what the process had before; libraries were warmed up by a tiny step.

    Args:
        name: of a preset.
        texts: settings, as `training.batch_size=12`.
    """
    torch.set_num_threads(1)
    config = change(preset(name), dict(parse_override(text) for text in (*texts, "views.n_rooms=4")))
    tiny = change(config, {"network.width": 1 / 16, "training.batch_size": 3, "data.clip_s": 0.5})
    _take_steps(tiny)

    def work() -> list[np.ndarray]:
        _take_steps(config)
        return []

    return round(1e6 * extra_peak_mb(work))


def _take_steps(config: Config) -> None:
    plan = build_plan(change(config, {"training.epochs": 1}))
    n_clips = 2 * items_per_batch(plan.items, plan.batch_size)
    n_samples = round((config.data.clip_s or 5.0) * config.data.sample_rate)
    rows = np.arange(n_clips)

    def read(chosen: np.ndarray) -> torch.Tensor:
        return torch.randn(len(chosen), n_samples, generator=torch.Generator().manual_seed(0))

    ids = [f"clip {row}" for row in rows]
    clips = TrainingClips(read, rows % 10, keys.fold_in(np.uint64(7), rows), ClipFacts(rows), ids)
    with tempfile.TemporaryDirectory() as folder:
        fabric, network = make_fabric(config.training.precision), build_network(config, 10)
        view_maker = build_view_maker(config, config.views.transform)
        train(network, view_maker, clips, plan, Path(folder), fabric, Watch(lambda *_: {}), identity="a run")


if __name__ == "__main__":
    print(measured_bytes(*sys.argv[1:]))
