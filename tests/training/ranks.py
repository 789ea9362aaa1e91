"""Gradients of single steps, batch norm frozen, by one process or by two: what a global batch gives in either.

Run by itself, or by torchrun, it writes what the first process has to a folder; `compare` runs both and compares.
"""

import copy
import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file, save_file
from torch import Tensor

from cohear import keys
from cohear.models import VGG, LogMel
from cohear.objectives import ClassificationObjective, ConsistencyObjective
from cohear.training import trainer
from cohear.training.batches import Batch, Items, epoch_batches
from cohear.training.inputs import TrainingClips
from cohear.training.mixup import draw_mixture
from cohear.transforms import Choose, ClipFacts, PitchShift, Reverb
from cohear.views import ViewMaker

N_CLIPS, N_CLASSES, RATE, SEED = 11, 3, 8000, 4
THREE_VIEWS = Items(((0, 1, 2),))
METHODS: dict[str, tuple[Items, type[ClassificationObjective], tuple[int, ...]]] = {
    "consistency": (THREE_VIEWS, ConsistencyObjective, (18, 15)),
    "bda": (THREE_VIEWS, ClassificationObjective, (15,)),
    "standard": (Items(((0,), (1,), (2,))), ClassificationObjective, (8, 7)),
    "standard one": (Items(((0,), (1,), (2,)), draws_one=True), ClassificationObjective, (5,)),
    "none": (Items(((0,),)), ClassificationObjective, (5,)),
}
"""Items, objective, and batch sizes: an even and an odd number of items, and last batches of one item or a few."""


def clips() -> TrainingClips:
    """Make noisy tones, one pitch per class."""
    rows = np.arange(N_CLIPS)
    time_s = np.arange(RATE // 2) / RATE
    tones = 0.3 * np.sin(2 * np.pi * (300 * 2 ** (rows % N_CLASSES) + 10 * rows)[:, None] * time_s)
    noise = 0.05 * np.random.default_rng(0).standard_normal(tones.shape)
    waveforms = torch.from_numpy((tones + noise).astype(np.float32))
    names, clip_keys = [f"clip {row}" for row in rows], keys.fold_in(np.uint64(7), rows)
    return TrainingClips(lambda batch: waveforms[batch], rows % N_CLASSES, clip_keys, ClipFacts(rows), names, N_CLASSES)


def view_maker() -> ViewMaker:
    """Make the views of `combination`."""
    reverb = Reverb(n_rooms=4, rt60_s=(0.2, 0.3), sample_rate=RATE)
    return ViewMaker(Choose((PitchShift(sample_rate=RATE), reverb)), LogMel(RATE, n_fft=256, hop_length=100, n_mels=32))


@functools.cache
def _statistics_heard() -> VGG:
    made = VGG(N_CLASSES, 1 / 8, generator=torch.Generator().manual_seed(SEED))
    made.train()
    with torch.no_grad():
        for _ in range(30):
            made(view_maker().front_end(clips().read(np.arange(N_CLIPS))))
    return made


def network() -> VGG:
    """Make a small network whose batch-norm statistics are those of the clips."""
    return copy.deepcopy(_statistics_heard())


def batches() -> Iterator[tuple[str, str, Batch]]:
    """List method, name and batch of every step that is compared."""
    for method, (items, _, sizes) in METHODS.items():
        for size in sizes:
            found = {len(batch.clips): batch for batch in epoch_batches(N_CLIPS, items, size, SEED, 0)}
            for n_items, batch in found.items():
                yield method, f"{method}, {n_items} {'item' if n_items == 1 else 'items'}", batch


def gradients(fabric: Fabric) -> dict[str, Tensor]:
    """Compute the gradients of every step from the same weights, through the trainer's own step."""
    found = {}
    for method, name, batch in batches():
        objective, model = METHODS[method][1](), network()
        optimizer = torch.optim.AdamW(model.parameters())
        module, _ = fabric.setup(trainer._Step(model, objective), optimizer)
        module.eval()
        mixture = draw_mixture(SEED, 0, 0, len(batch.clips), 0.4) if method == "bda" else None
        losses, share = trainer._forward(module, view_maker(), clips(), SEED, 0, batch, 2.0, fabric, mixture)
        fabric.backward(losses.total * share)
        found |= {f"{name}/{of}": weights.grad.clone() for of, weights in model.named_parameters()}  # pyright: ignore
    return found


def environment() -> dict[str, str]:
    """Return the environment of processes on one thread that import these tests, and what this process imports."""
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths).rstrip(os.pathsep)}


def compare(folder: Path) -> dict[str, float]:
    """Run one process, and two of torchrun; return the largest relative difference of a gradient, by step."""
    for number in (1, 2):
        torchrun = [*("-m", "torch.distributed.run"), "--standalone", f"--nproc-per-node={number}"] * (number > 1)
        command = [sys.executable, *torchrun, str(Path(__file__)), str(folder / f"{number}.safetensors")]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            raise RuntimeError(f"{number} processes ended with {done.returncode}: {done.stderr[-2000:]}")
    one, two = (load_file(folder / f"{number}.safetensors") for number in (1, 2))
    assert one.keys() == two.keys()
    found: dict[str, float] = {}
    for name, of_one in one.items():
        step, difference = name.split("/")[0], float((two[name] - of_one).norm() / of_one.norm())
        found[step] = float(np.maximum(difference, found.get(step, 0.0)))  # NaN stays, where `max` may pass over it
    return found


def _main(file: Path) -> None:
    fabric = Fabric(accelerator="cpu", devices=int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    fabric.launch()
    found = gradients(fabric)
    if fabric.is_global_zero:
        save_file({name: gradient.contiguous() for name, gradient in found.items()}, file)
    if fabric.world_size > 1:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
