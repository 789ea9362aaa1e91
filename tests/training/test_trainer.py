"""Scripted validation losses: when training stops, what it leaves, and that nothing of it depends on interruptions."""

import numpy as np
import pytest
import torch
from torch import nn

from cohear.objectives import BERNOULLI, ConsistencyObjective
from cohear.runtime.interrupts import Interrupted
from cohear.training.checkpoints import checkpoint_paths
from cohear.training.together import synchronize_batch_norm
from training.small_training import N_CLASSES, N_CLIPS, is_same, run

LOSSES = (0.9, 0.5, 0.7, 0.5, 0.6, 0.1)
"""Best in epoch 2, again reached in 4; with patience 3, over after 5."""
PATIENT = {
    "averaging_epochs": 0.5,
    "patience": 3,
    "n_epochs": len(LOSSES),
    "measure": lambda _network, epoch: {"validation_nll": LOSSES[epoch]},
}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    return run(tmp_path_factory.mktemp("unbroken"), **PATIENT)


def test_training_stops_and_leaves_the_weights_of_its_best_epoch(tmp_path, unbroken):
    history, weights = unbroken
    assert [record["epoch"] for record in history] == [1, 2, 3, 4, 5]
    short = tmp_path / "short"
    assert is_same(weights, run(short, averaging_epochs=0.5, n_epochs=2)[1])
    assert b'"best.' not in checkpoint_paths(short)[0].read_bytes()
    every, last = run(tmp_path / "every", **{**PATIENT, "patience": None})
    assert len(every) == len(LOSSES)
    assert not is_same(last, weights)


def test_a_run_that_is_stopped_after_every_single_step_leaves_what_an_unbroken_one_does(tmp_path, unbroken):
    for step in range(1, 21):
        with pytest.raises(Interrupted):
            run(tmp_path, **PATIENT, stop_at=step)
    for _ in range(2):  # once more, with nothing left to do
        history, weights = run(tmp_path, **PATIENT)
        assert history == unbroken[0]
        assert is_same(weights, unbroken[1])


def test_so_does_one_that_crashes_before_an_epoch_is_saved(tmp_path, unbroken):
    for crash_in in (1, 2, 4):
        known = dict(enumerate(LOSSES[:crash_in]))
        with pytest.raises(KeyError):
            run(
                tmp_path,
                **{**PATIENT, "measure": lambda _network, epoch, known=known: {"validation_nll": known[epoch]}},
            )
    history, weights = run(tmp_path, **PATIENT)
    assert history == unbroken[0]
    assert is_same(weights, unbroken[1])


def test_many_labels_are_learned_with_the_bernoulli_likelihood(tmp_path):
    targets = np.zeros((N_CLIPS, N_CLASSES), np.float32)
    targets[::2, 0], targets[:, 1] = 1, 1
    objective = ConsistencyObjective(likelihood=BERNOULLI, class_weights=(1.0, 1.0))
    history, _ = run(tmp_path, targets=targets, objective=objective, n_epochs=6)
    losses = [record["classification"] for record in history]
    assert losses[-1] < 0.6 * losses[0]


class WithActivation(nn.BatchNorm2d):
    """A batch norm that does more, as timm's `BatchNormAct2d`."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input).relu()


def test_gpus_share_statistics_of_plain_batch_norms_and_others_keep_what_they_do():
    network = nn.Sequential(nn.BatchNorm2d(1), nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)), WithActivation(2))
    names = list(network.state_dict())
    weights = list(network.parameters())
    synchronize_batch_norm(network)
    kinds = [type(layer) for layer in network.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    assert kinds == [nn.SyncBatchNorm, nn.SyncBatchNorm, WithActivation]
    assert list(network.state_dict()) == names
    assert all(ours is theirs for ours, theirs in zip(network.parameters(), weights, strict=True))
