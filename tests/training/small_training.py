"""A training of eight noisy tones in four steps an epoch, which tests spoil, stop and go on with."""

import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from cohear import keys
from cohear.models import VGG, LogMel
from cohear.objectives import ClassificationObjective, ConsistencyObjective
from cohear.training.batches import Items, epoch_batches
from cohear.training.inputs import Schedule, TrainingClips, Watch
from cohear.training.trainer import train
from cohear.transforms import ClipFacts, SpecAugment
from cohear.views import ViewMaker

N_CLIPS, N_CLASSES, RATE, SEED = 8, 2, 8000, 3
ITEMS, BATCH_SIZE, N_STEPS = Items(((0, 1),)), 4, 4
DAMAGED = 5
"""The clip that `damaged` is about."""
ALTERNATING = np.arange(N_CLIPS) % N_CLASSES


def make_clips(targets: np.ndarray, damaged: float | None) -> TrainingClips:
    """Make noisy tones, high where a clip is of class 1 or has the first of several labels."""
    rows, time_s = np.arange(N_CLIPS), np.arange(RATE // 2) / RATE
    high = targets if targets.ndim == 1 else targets[:, 0]
    tones = 0.3 * np.sin(2 * np.pi * (300 + 1500 * high[:, None]) * time_s)
    noise = 0.02 * np.random.default_rng(0).standard_normal(tones.shape)
    waveforms = torch.from_numpy((tones + noise).astype(np.float32))
    if damaged is not None:
        waveforms[DAMAGED, 1000] = damaged
    clip_keys = keys.fold_in(np.uint64(7), rows)
    return TrainingClips(
        lambda batch: waveforms[batch], targets, clip_keys, ClipFacts(rows), [f"clip {row}" for row in rows], N_CLASSES
    )


def run(
    folder: Path,
    *,
    targets: np.ndarray = ALTERNATING,
    objective: ClassificationObjective = ConsistencyObjective(),  # noqa: B008 -- frozen
    measure: Callable[[torch.nn.Module, int], dict[str, float]] = lambda _network, _epoch: {},
    n_epochs: int = 3,
    batch_size: int = BATCH_SIZE,
    learning_rate: float = 1e-3,
    consistency_weight: Callable[[int], float] = lambda _epoch: 1.0,
    patience: int | None = None,
    mixup: float = 0.0,
    averaging_epochs: float = 0.0,
    drops: bool = False,
    damaged: float | None = None,
    left_out: int | None = None,
    scale: float = 1.0,
    spoil_at: int | None = None,
    stop_at: int | None = None,
    fabric: Fabric | None = None,
) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    """Train a tiny network, and return its history without times and its weights.

    Args:
        folder: of the run.
        targets: of the plan, as what follows.
        objective: of the plan.
        measure: what an epoch measures.
        n_epochs: of the plan.
        batch_size: of the plan.
        learning_rate: of the plan.
        consistency_weight: of the plan.
        patience: of the plan.
        mixup: of the plan.
        averaging_epochs: of the plan.
        drops: as `Schedule.drops_nonfinite`.
        damaged: a value that stands in one clip, among its samples.
        left_out: a clip without whose step each epoch is made, as training should where it drops that step.
        scale: of the weights of the first convolution.
        spoil_at: the step after which batch-norm statistics are infinite.
        stop_at: the step after which somebody asks the process to stop.
        fabric: launched; None: of one process.
    """
    folder.mkdir(exist_ok=True)
    network = VGG(N_CLASSES, 1 / 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        next(network.parameters()).mul_(scale)
    plan = Schedule(
        items=ITEMS,
        objective=objective,
        n_epochs=n_epochs,
        batch_size=batch_size,
        seed=SEED,
        learning_rate=lambda _epoch: learning_rate,
        consistency_weight=consistency_weight,
        weight_decay=0.01,
        patience=patience,
        mixup=mixup,
        averaging_epochs=averaging_epochs,
        drops_nonfinite=drops,
    )
    watch = Watch(lambda network, epoch, _should_stop: measure(network, epoch))

    def on_step(done: int, _total: int) -> None:
        watch.stop.signal_number = signal.SIGINT if done == stop_at else None
        if done == spoil_at:
            next(buffer for buffer in network.buffers() if buffer.is_floating_point()).fill_(torch.inf)

    watch.on_step = on_step
    view_maker = ViewMaker(SpecAugment(), LogMel(RATE, n_fft=256, hop_length=200, n_mels=16))
    if fabric is None:
        fabric = Fabric(accelerator="cpu", devices=1)
        fabric.launch()
    with pytest.MonkeyPatch.context() as patch:
        if left_out is not None:
            patch.setattr("cohear.training.trainer.epoch_batches", lambda *arguments: without(left_out, *arguments))
        clips = make_clips(targets, damaged)
        history = train(network, view_maker, clips, plan, folder, fabric, watch, identity="a run")
    return [{k: v for k, v in record.items() if not k.endswith("_s")} for record in history], network.state_dict()


def without(clip: int, *arguments):
    return [batch for batch in epoch_batches(*arguments) if clip not in batch.clips]


def is_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, b[name]) for name, tensor in a.items())
