"""Scripted validation losses: when training stops, what it leaves, and that nothing of it depends on interruptions."""

import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from cohear import keys
from cohear.models import VGG, LogMel
from cohear.objectives import BERNOULLI, ClassificationObjective, ConsistencyObjective
from cohear.runtime.interrupts import Interrupted
from cohear.training.checkpoint_files import checkpoint_paths
from cohear.training.early_stopping import is_settled, kept_epoch
from cohear.training.plan import TrainingClips, TrainingPlan, Watch
from cohear.training.trainer import train
from cohear.transforms import ClipFacts
from cohear.views import ViewMaker

N_CLIPS, N_CLASSES, RATE = 8, 2, 8000
LOSSES = (0.9, 0.5, 0.7, 0.5, 0.6, 0.1)
"""Best in epoch 1, again reached in 3; with patience 3, over after 4."""
ALTERNATING, PLAIN = np.arange(N_CLIPS) % N_CLASSES, ClassificationObjective()


def history_of(losses: Sequence[float]) -> list[dict[str, float]]:
    return [{"epoch": epoch, "validation_nll": loss} for epoch, loss in enumerate(losses)]


def test_the_first_of_equal_losses_is_the_best_and_without_patience_the_last_epoch_is_kept():
    assert kept_epoch(history_of(LOSSES[:5]), patience=3) == 1
    assert kept_epoch(history_of(LOSSES), patience=3) == 5
    assert kept_epoch(history_of(LOSSES[:5]), patience=None) == 4


def test_training_is_settled_after_as_many_epochs_without_a_lower_loss_as_patience_says():
    settled = [is_settled(history_of(LOSSES[:n]), patience=3) for n in range(7)]
    assert settled == [False, False, False, False, False, True, False]
    assert not is_settled(history_of((0.1, 0.2, 0.3, 0.4)), patience=None)


def make_clips(targets: np.ndarray) -> TrainingClips:
    """Make noisy tones, high where a clip is of class 1 or has the first of several labels."""
    time_s = np.arange(RATE // 2) / RATE
    high = targets if targets.ndim == 1 else targets[:, 0]
    tones = 0.3 * np.sin(2 * np.pi * (300 + 1500 * high[:, None]) * time_s)
    noise = 0.02 * np.random.default_rng(0).standard_normal(tones.shape)
    waveforms = torch.from_numpy((tones + noise).astype(np.float32))
    rows = np.arange(N_CLIPS)
    clip_keys, ids = keys.fold_in(np.uint64(7), rows), [f"clip {row}" for row in rows]
    return TrainingClips(lambda batch: waveforms[batch], targets, clip_keys, ClipFacts(rows), ids)


def run(
    folder: Path,
    *,
    targets: np.ndarray = ALTERNATING,
    objective: ClassificationObjective = PLAIN,
    measure: Callable[[int], dict[str, float]] = lambda epoch: {"validation_nll": LOSSES[epoch]},
    n_epochs: int = len(LOSSES),
    patience: int | None = 3,
    stop_at: int | None = None,
    n_processes: int = 1,
) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    """Train a tiny network in three steps an epoch, and return its history without times and its weights."""
    folder.mkdir(exist_ok=True)
    network = VGG(N_CLASSES, 1 / 16, generator=torch.Generator().manual_seed(0))
    plan = TrainingPlan(
        items=((0,),),
        objective=objective,
        n_epochs=n_epochs,
        batch_size=3,
        seed=0,
        learning_rate=lambda _epoch: 1e-3,
        consistency_weight=lambda _epoch: 1.0,
        weight_decay=0.01,
        patience=patience,
    )
    watch = Watch(lambda _network, epoch, _should_stop: measure(epoch))

    def on_step(done: int, _total: int) -> None:
        watch.stop.signal_number = signal.SIGINT if done == stop_at else None

    watch.on_step = on_step
    view_maker = ViewMaker(None, LogMel(RATE, n_fft=256, hop_length=200, n_mels=16))
    fabric = Fabric(accelerator="cpu", devices=n_processes)
    fabric.launch()
    history = train(network, view_maker, make_clips(targets), plan, folder, fabric, watch, identity="a run")
    return [{k: v for k, v in record.items() if not k.endswith("_s")} for record in history], network.state_dict()


def is_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, b[name]) for name, tensor in a.items())


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    return run(tmp_path_factory.mktemp("unbroken"))


def test_training_stops_and_leaves_the_weights_of_its_best_epoch(tmp_path):
    history, weights = run(tmp_path)
    assert [record["epoch"] for record in history] == [0, 1, 2, 3, 4]
    short = tmp_path / "short"
    _, of_two_epochs = run(short, n_epochs=2, patience=None)
    assert is_same(weights, of_two_epochs)
    assert b'"best.' not in checkpoint_paths(short)[0].read_bytes()
    assert is_same(run(tmp_path)[1], weights)  # once more, with nothing left to do


def test_without_patience_every_epoch_is_made_and_the_last_is_kept(tmp_path, unbroken):
    history, weights = run(tmp_path, patience=None)
    assert len(history) == len(LOSSES)
    assert not is_same(weights, unbroken[1])


def test_a_run_that_is_stopped_again_and_again_leaves_what_an_unbroken_one_does(tmp_path, unbroken):
    for stop_at in (2, 6, 8, 15):  # within an epoch, after the best one's last step, later, after the last step of all
        with pytest.raises(Interrupted):
            run(tmp_path, stop_at=stop_at)
    history, weights = run(tmp_path)
    assert history == unbroken[0]
    assert is_same(weights, unbroken[1])


def test_so_does_one_that_crashes_before_an_epoch_is_saved(tmp_path, unbroken):
    for crash_in in (1, 2, 4):
        known = dict(enumerate(LOSSES[:crash_in]))
        with pytest.raises(KeyError):
            run(tmp_path, measure=lambda epoch, known=known: {"validation_nll": known[epoch]})
    history, weights = run(tmp_path)
    assert history == unbroken[0]
    assert is_same(weights, unbroken[1])


def test_patience_without_a_validation_nll_is_an_error(tmp_path):
    with pytest.raises(KeyError, match="validation_nll"):
        run(tmp_path, measure=lambda _epoch: {"test_nll": 1.0})


def test_many_labels_are_learned_with_the_bernoulli_likelihood(tmp_path):
    targets = np.zeros((N_CLIPS, N_CLASSES), np.float32)
    targets[::2, 0], targets[:, 1] = 1, 1
    objective = ConsistencyObjective(likelihood=BERNOULLI, class_weights=(1.0, 1.0))
    history, _ = run(
        tmp_path, targets=targets, objective=objective, n_epochs=6, patience=None, measure=lambda _epoch: {}
    )
    losses = [record["classification"] for record in history]
    assert losses[-1] < 0.6 * losses[0]
    assert all(abs(record["consistency"]) < 1e-6 for record in history)  # of one view
