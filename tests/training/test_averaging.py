"""Against torch's own moving average, and in a training."""

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cohear.models import VGG
from cohear.runtime.interrupts import Interrupted
from cohear.training.averaging import WeightAverage
from training.small_training import is_same, run

GOOD = torch.zeros(())


def test_the_average_is_torchs_once_training_is_on_its_way():
    network = VGG(3, 1 / 16, generator=torch.Generator().manual_seed(0))
    network.train()
    ours, theirs = (
        WeightAverage(network, 4),
        AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.75), use_buffers=True),
    )
    theirs.update_parameters(network)
    for step in range(100, 105):
        with torch.no_grad():
            network(torch.randn(2, 4, 32, 32))
            for weights in network.parameters():
                weights.add_(torch.randn_like(weights))
        ours.update(step, GOOD)
        theirs.update_parameters(network)
    for name, tensor in theirs.module.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(ours.state[name], tensor)
    own = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with ours.in_place():
        assert is_same(ours.state, network.state_dict())
        assert not is_same(own, network.state_dict())
    assert is_same(own, network.state_dict())


def test_what_training_began_with_is_soon_forgotten():
    one = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(one.weight)
    average = WeightAverage(one, 1e9)
    torch.nn.init.zeros_(one.weight)
    left = 1.0
    for step in range(20):
        average.update(step, GOOD)
        left *= (1 + step) / (10 + step)
        assert average.state["weight"].item() == pytest.approx(left)
    assert left < 1e-6


def test_a_dropped_step_leaves_the_average_as_it_was():
    network = torch.nn.BatchNorm1d(3)
    average = WeightAverage(network, 4)
    torch.nn.init.zeros_(network.weight)
    average.update(100, 1 - GOOD)
    assert average.state["weight"].tolist() == [1, 1, 1]
    average.update(100, GOOD)
    assert average.state["weight"].tolist() == [0.75, 0.75, 0.75]


def test_buffers_that_no_checkpoint_holds_are_no_part_of_it():
    network = torch.nn.BatchNorm1d(3)
    network.register_buffer("filter", torch.ones(2), persistent=False)
    assert len(WeightAverage(network, 4).statistics) == 3


def test_a_training_is_the_same_and_ends_in_its_average_also_where_it_was_stopped(tmp_path):
    alone, weights = run(tmp_path / "alone", n_epochs=3)
    averaged, average = run(tmp_path / "averaged", n_epochs=3, averaging_epochs=1.0)
    assert alone == averaged
    assert not is_same(weights, average)
    with pytest.raises(Interrupted):
        run(tmp_path / "stopped", n_epochs=3, averaging_epochs=1.0, stop_at=6)
    assert is_same(average, run(tmp_path / "stopped", n_epochs=3, averaging_epochs=1.0)[1])


def test_the_average_is_what_is_measured_and_what_patience_goes_back_to(tmp_path):
    seen = []

    def measure(network: torch.nn.Module, epoch: int) -> dict[str, float]:
        seen.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        return {"validation_nll": float(abs(epoch - 1))}  # the second of three is best

    history, kept = run(tmp_path / "a", n_epochs=3, averaging_epochs=1.0, patience=5, measure=measure)
    assert len(history) == len(seen) == 3
    assert is_same(kept, seen[1])
    assert not is_same(kept, seen[2])
