"""A checkpoint gives back every bit: weights, moments and progress; and no five minutes pass without one."""

import errno
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from cohear.errors import UserError
from cohear.runtime.sealed_tensors import seal
from cohear.training import checkpoints
from cohear.training.checkpoints import (
    CheckpointClock,
    Restored,
    checkpoint_paths,
    parse_checkpoint,
    resume,
    save_checkpoint,
)
from cohear.training.weights import load_weights, save_weights

RUN = "a run"
FABRIC = Fabric(accelerator="cpu", devices=1)
PROGRESS = {
    "identity": RUN,
    "epoch": 3,
    "step": 7,
    "sums": [0.1, 1e-300, 1 / 3],
    "history": [{"loss": 2 / 3, "note": "é"}],
}


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
    restored = resume(tmp_path, resumed, second, RUN, FABRIC)
    assert restored == Restored(PROGRESS, {}, {})
    for number in range(3, 6):
        step(resumed, second, number)
    expected = straight.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in resumed.state_dict().items())


def restore(folder: Path, net: nn.Module | None = None, identity: str = RUN) -> Restored | None:
    net = net or network(seed=1)
    return resume(folder, net, optimizer_of(net), identity, FABRIC)


def save_several(folder, *steps: int) -> nn.Module:
    net = network()
    optimizer = optimizer_of(net)
    for number in steps:
        step(net, optimizer, number)
        save_checkpoint(folder, net, optimizer, {**PROGRESS, "step": number})
    return net


def test_a_run_folder_that_is_gone_is_not_made_anew(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    save_several(run, 8)
    run.rename(tmp_path / "moved")
    with pytest.raises(UserError, match="/run' is gone"):
        save_several(run, 9)
    assert not run.exists()
    assert len(checkpoint_paths(tmp_path / "moved")) == 1


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoint").iterdir())


def test_the_newest_two_checkpoints_are_kept_also_where_a_kill_left_more(tmp_path):
    save_several(tmp_path, 8, 9, 10)
    kept = ["epoch-3-step-10.safetensors", "epoch-3-step-9.safetensors"]
    assert [path.name for path in checkpoint_paths(tmp_path)] == names(tmp_path) == kept
    checkpoint = parse_checkpoint(checkpoint_paths(tmp_path)[0].read_bytes())
    assert checkpoint.progress == {**PROGRESS, "step": 10}
    (tmp_path / "checkpoint" / "epoch-3-step-8.safetensors").write_bytes(b"not removed")
    assert restore(tmp_path).progress["step"] == 10
    assert names(tmp_path) == kept


def test_checkpoints_of_another_place_are_left_alone(tmp_path):
    theirs, mine = tmp_path / "theirs", tmp_path / "mine"
    for folder in (theirs, mine):
        folder.mkdir()
    save_several(theirs, 8, 9)
    before = names(theirs)
    (mine / "checkpoint").symlink_to(theirs / "checkpoint")
    for act in (restore, lambda folder: save_several(folder, 10)):
        with pytest.raises(UserError, match=r"mine/checkpoint' is a link"):
            act(mine)
    assert names(theirs) == before


def flip_a_bit(content: bytes) -> bytes:
    return content[:-20] + bytes([content[-20] ^ 4]) + content[-19:]


@pytest.mark.parametrize(
    "spoil",
    [
        flip_a_bit,
        lambda content: content[:-1],
        lambda content: b"",
        lambda content: b"\x80\x04K\x01.",  # a pickle
        lambda content: content.replace(b"history", b"hixtory"),
        lambda content: seal({}, {"epoch": 3}),
        lambda content: seal({}, {"identity": "another run", "epoch": 3, "step": 9}),
    ],
    ids=["a flipped bit", "cut", "empty", "pickle", "a changed word", "no step", "another run"],
)
def test_a_checkpoint_that_cannot_be_used_is_kept_aside_and_the_one_before_is_used(tmp_path, spoil, caplog):
    save_several(tmp_path, 8, 9)
    newest, before = checkpoint_paths(tmp_path)
    spoilt, expected = spoil(newest.read_bytes()), parse_checkpoint(before.read_bytes()).tensors["network.0.weight"]
    newest.write_bytes(spoilt)
    net = network()
    assert restore(tmp_path, net).progress["step"] == 8
    assert torch.equal(net.state_dict()["0.weight"], torch.from_numpy(expected))
    assert str(newest) in caplog.text
    aside = newest.with_name(f"{newest.name}.refused")
    assert aside.read_bytes() == spoilt
    save_several(tmp_path, 9, 10)
    assert len(names(tmp_path)) == 3
    for path in checkpoint_paths(tmp_path):
        path.write_bytes(spoilt)
    with pytest.raises(UserError, match=r"step-10.safetensors.*step-9.safetensors"):
        restore(tmp_path)


def test_a_disk_that_does_not_answer_is_no_reason_to_go_on_from_elsewhere(tmp_path, monkeypatch):
    save_several(tmp_path, 8, 9)

    def fail(*_) -> bytes:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr("cohear.training.checkpoints.read_plain", fail)
    with pytest.raises(UserError, match=r"step-9.*Stale file handle.*--resume"):
        restore(tmp_path)
    assert len(checkpoint_paths(tmp_path)) == 2


def test_weights_of_another_network_are_refused(tmp_path):
    save_checkpoint(tmp_path, network(3), optimizer_of(network(3)), PROGRESS)
    save_weights(tmp_path / "model.safetensors", network(3), {})
    with pytest.raises(UserError, match="of another network"):
        restore(tmp_path, network(4))
    with pytest.raises(UserError, match=r"model.safetensors.*of another network"):
        load_weights(tmp_path / "model.safetensors", network(4))
    with pytest.raises(UserError, match=r"gone.safetensors"):
        load_weights(tmp_path / "gone.safetensors", network(3))


class FakeTime:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    time = FakeTime()
    monkeypatch.setattr(checkpoints, "time", time)
    return time


def work(clock: CheckpointClock, fake: FakeTime, kind: checkpoints.Work, seconds: float) -> None:
    fake.now += seconds
    clock.did(kind)


@pytest.mark.parametrize("step_s", [0.1, 100.0, 299.0])
def test_between_checkpoints_are_at_most_five_minutes(fake, step_s):
    clock, saved, longest = CheckpointClock(), fake.now, 0.0
    for _ in range(4000):
        work(clock, fake, "step", step_s)
        longest = max(longest, fake.now - saved)
        if clock.is_due_before("step"):
            clock.saved()
            saved = fake.now
    assert step_s <= longest <= 300
    assert longest > 300 - 2 * step_s or step_s > 150


def test_a_long_measurement_is_seen_coming(fake):
    clock = CheckpointClock()
    work(clock, fake, "step", 1.0)
    work(clock, fake, "measurement", 250.0)
    clock.saved()
    work(clock, fake, "step", 60.0)
    assert not clock.is_due_before("step")
    assert clock.is_due_before("measurement")
