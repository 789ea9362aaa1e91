"""A checkpoint gives back every bit: weights, moments and progress."""

import json

import pytest
import torch
from safetensors import safe_open
from torch import nn

from cohear.errors import UserError
from cohear.training.checkpoints import checkpoint_path, load_checkpoint, load_weights, save_checkpoint, save_weights

PROGRESS = {"epoch": 3, "step": 7, "sums": [0.1, 1e-300, 1 / 3], "history": [{"loss": 2 / 3, "note": "é"}]}


def network(n_features: int = 3, seed: int = 0) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    made = nn.Sequential(nn.Conv2d(1, n_features, 3), nn.BatchNorm2d(n_features))
    made.to(memory_format=torch.channels_last)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return made


def optimizer_of(net: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(net.parameters(), lr=0.1, weight_decay=0.01)


def step(net: nn.Module, optimizer: torch.optim.Optimizer, number: int) -> None:
    batch = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(number))
    net(batch).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()


def test_training_goes_on_from_a_checkpoint_bit_for_bit(tmp_path):
    straight, broken = network(), network()
    optimizer = optimizer_of(straight)
    for number in range(6):
        step(straight, optimizer, number)
    first = optimizer_of(broken)
    for number in range(3):
        step(broken, first, number)
    save_checkpoint(tmp_path, broken, first, PROGRESS)
    resumed = network(seed=1)
    second = optimizer_of(resumed)
    assert load_checkpoint(tmp_path, resumed, second) == PROGRESS
    for number in range(3, 6):
        step(resumed, second, number)
    expected = straight.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in resumed.state_dict().items())


def test_there_is_nothing_to_go_on_from_without_a_checkpoint(tmp_path):
    net = network()
    assert load_checkpoint(tmp_path, net, optimizer_of(net)) is None
    assert list(tmp_path.iterdir()) == []


def test_a_new_checkpoint_takes_the_place_of_the_old_one(tmp_path):
    net = network()
    optimizer = optimizer_of(net)
    save_checkpoint(tmp_path, net, optimizer, {**PROGRESS, "epoch": 1})
    step(net, optimizer, 0)
    save_checkpoint(tmp_path, net, optimizer, {**PROGRESS, "epoch": 2})
    assert [path.name for path in (tmp_path / "checkpoint").iterdir()] == ["latest.safetensors"]
    with safe_open(checkpoint_path(tmp_path), framework="pt") as archive:
        assert json.loads(archive.metadata()["progress"])["epoch"] == 2
        assert {"network.0.weight", "optimizer.0.exp_avg", "optimizer.0.step"} <= set(archive.keys())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:-1],
        lambda content: content[:4],
        lambda content: b"",
        lambda content: b"\x80\x04K\x01.",  # a pickle
        lambda content: content.replace(b'"progress"', b'"progrexx"'),
    ],
    ids=["cut", "cut in the header", "empty", "pickle", "without progress"],
)
def test_a_damaged_checkpoint_is_refused_by_name(tmp_path, spoil):
    net = network()
    save_checkpoint(tmp_path, net, optimizer_of(net), PROGRESS)
    path = checkpoint_path(tmp_path)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UserError, match=r"latest.safetensors' cannot be used .*; remove the run folder"):
        load_checkpoint(tmp_path, net, optimizer_of(net))


def test_weights_of_another_network_are_refused(tmp_path):
    save_checkpoint(tmp_path, network(3), optimizer_of(network(3)), PROGRESS)
    save_weights(tmp_path / "model.safetensors", network(3), {})
    with pytest.raises(UserError, match=r"latest.safetensors' cannot be used .*size mismatch"):
        load_checkpoint(tmp_path, network(4), optimizer_of(network(4)))
    with pytest.raises(
        UserError, match=r"model.safetensors' cannot be used, they are of another network \(size mismatch.*[^.]\); copy"
    ):
        load_weights(tmp_path / "model.safetensors", network(4))
    with pytest.raises(UserError, match=r"gone.safetensors' are missing; copy them there"):
        load_weights(tmp_path / "gone.safetensors", network(3))


def test_equal_weights_give_equal_bytes_and_come_back_exactly(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        save_weights(tmp_path / name, network(seed=seed), {"identity": "x"})
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c
    loaded = network(seed=1)
    load_weights(tmp_path / "a", loaded)
    assert all(torch.equal(loaded.state_dict()[name], t) for name, t in network(seed=0).state_dict().items())
