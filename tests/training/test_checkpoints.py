"""A checkpoint gives back every bit: weights, moments and progress."""

import errno
import os

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from cohear.errors import UserError
from cohear.training.checkpoint_files import (
    checkpoint_bytes,
    checkpoint_paths,
    parse_checkpoint,
    remove_old_checkpoints,
)
from cohear.training.checkpoints import load_checkpoint, load_weights, save_checkpoint, save_weights
from cohear.training.resuming import resume

RUN = "a run"
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
    restored = load_checkpoint(tmp_path, resumed, second, RUN)
    assert (restored.progress, restored.best, restored.refused) == (PROGRESS, {}, [])
    for number in range(3, 6):
        step(resumed, second, number)
    expected = straight.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in resumed.state_dict().items())


def test_there_is_nothing_to_go_on_from_without_a_checkpoint(tmp_path):
    net = network()
    assert load_checkpoint(tmp_path, net, optimizer_of(net), RUN) is None
    assert list(tmp_path.iterdir()) == []


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
    with pytest.raises(UserError, match=r"the run folder '.*/run' is gone: it was moved or removed"):
        save_several(run, 9)
    assert not run.exists()
    assert len(checkpoint_paths(tmp_path / "moved")) == 1


def test_the_newest_two_checkpoints_are_kept(tmp_path):
    save_several(tmp_path, 8, 9, 10)
    assert [path.name for path in checkpoint_paths(tmp_path)] == [
        "epoch-3-step-10.safetensors",
        "epoch-3-step-9.safetensors",
    ]
    assert len(list((tmp_path / "checkpoint").iterdir())) == 2
    checkpoint = parse_checkpoint(checkpoint_paths(tmp_path)[0].read_bytes())
    assert checkpoint.progress == {**PROGRESS, "step": 10}
    assert {"network.0.weight", "optimizer.0.exp_avg", "optimizer.0.step"} <= checkpoint.tensors.keys()


def test_what_a_kill_left_over_is_removed(tmp_path):
    save_several(tmp_path, 8, 9)
    newest, before = checkpoint_paths(tmp_path)
    for step in (6, 7):  # killed after the newest was written, before the others were removed
        before.with_name(f"epoch-3-step-{step}.safetensors").write_bytes(before.read_bytes())
    remove_old_checkpoints(tmp_path, 3, 9)
    assert checkpoint_paths(tmp_path) == [newest, before]


def test_what_is_old_is_removed_beside_a_checkpoint_that_is_gone(tmp_path):
    save_several(tmp_path, 8, 9)
    remove_old_checkpoints(tmp_path, 3, 10)
    assert [path.name for path in checkpoint_paths(tmp_path)] == ["epoch-3-step-9.safetensors"]


def test_newer_checkpoints_that_the_disk_does_not_give_push_nothing_out(tmp_path):
    save_several(tmp_path, 20, 19)
    save_several(tmp_path, 8, 9, 10)
    names = [path.name for path in checkpoint_paths(tmp_path)]
    assert names == [f"epoch-3-step-{step}.safetensors" for step in (20, 19, 10, 9)]
    save_several(tmp_path, 21)
    assert [path.name for path in checkpoint_paths(tmp_path)] == [
        "epoch-3-step-21.safetensors",
        "epoch-3-step-20.safetensors",
    ]


def test_checkpoints_of_another_place_are_left_alone(tmp_path):
    theirs, mine = tmp_path / "theirs", tmp_path / "mine"
    for folder in (theirs, mine):
        folder.mkdir()
    save_several(theirs, 8, 9)
    (mine / "checkpoint").symlink_to(theirs / "checkpoint")
    net = network()
    with pytest.raises(UserError, match=r"mine/checkpoint' is a link; move"):
        load_checkpoint(mine, net, optimizer_of(net), RUN)
    with pytest.raises(UserError, match=r"is a link"):
        save_several(mine, 10)
    assert [path.name for path in checkpoint_paths(theirs)] == [
        "epoch-3-step-9.safetensors",
        "epoch-3-step-8.safetensors",
    ]


def flip_a_bit(content: bytes) -> bytes:
    return content[:-20] + bytes([content[-20] ^ 4]) + content[-19:]


SPOILT = pytest.mark.parametrize(
    "spoil",
    [
        flip_a_bit,
        lambda content: content[:-1],
        lambda content: content[:4],
        lambda content: b"",
        lambda content: b"\x80\x04K\x01.",  # a pickle
        lambda content: content.replace(b"history", b"hixtory"),
    ],
    ids=["a flipped bit", "cut", "cut in the header", "empty", "pickle", "a changed word"],
)


@SPOILT
def test_a_damaged_checkpoint_is_refused_and_the_one_before_is_used(tmp_path, spoil):
    save_several(tmp_path, 8, 9)
    newest, before = checkpoint_paths(tmp_path)
    newest.write_bytes(spoil(newest.read_bytes()))
    net = network()
    restored = load_checkpoint(tmp_path, net, optimizer_of(net), RUN)
    assert restored.progress["step"] == 8
    (refused,) = restored.refused
    assert (refused.path, refused.kind) == (newest, "damaged")
    assert str(refused).startswith(f"the checkpoint '{newest}' cannot be used (")
    expected = parse_checkpoint(before.read_bytes()).tensors["network.0.weight"]
    assert torch.equal(net.state_dict()["0.weight"], torch.from_numpy(expected))


@SPOILT
def test_without_one_that_is_whole_nothing_is_begun(tmp_path, spoil):
    save_several(tmp_path, 8)
    (path,) = checkpoint_paths(tmp_path)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(
        UserError, match=r"step-8.safetensors' cannot be used .*; copy one of them .* or remove the run folder"
    ):
        load_checkpoint(tmp_path, network(), optimizer_of(network()), RUN)


def test_a_disk_that_does_not_answer_is_no_reason_to_remove_anything(tmp_path, monkeypatch):
    save_several(tmp_path, 8, 9)

    def fail(*_) -> bytes:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr("cohear.training.checkpoint_files.read_plain", fail)
    with pytest.raises(UserError, match=r"step-9.*Stale file handle.*step-8.*; see to the disk, then go on with --res"):
        load_checkpoint(tmp_path, network(), optimizer_of(network()), RUN)
    assert len(checkpoint_paths(tmp_path)) == 2


def test_weights_of_another_network_are_refused(tmp_path):
    save_checkpoint(tmp_path, network(3), optimizer_of(network(3)), PROGRESS)
    save_weights(tmp_path / "model.safetensors", network(3), {})
    with pytest.raises(UserError, match=r"checkpoint in '.*' is of another network .*size mismatch"):
        load_checkpoint(tmp_path, network(4), optimizer_of(network(4)), RUN)
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


def test_a_pipe_in_place_of_weights_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="is a pipe"):
        load_weights(tmp_path / "model.safetensors", network())


def test_a_checkpoint_of_another_run_is_refused_and_left_where_it_is(tmp_path):
    save_several(tmp_path, 8)
    net = network(seed=1)
    save_checkpoint(tmp_path, net, optimizer_of(net), {**PROGRESS, "identity": "another run", "step": 9})
    foreign, _ = checkpoint_paths(tmp_path)
    restored = load_checkpoint(tmp_path, net, optimizer_of(net), RUN)
    assert restored.progress["step"] == 8
    assert [str(refused) for refused in restored.refused] == [
        f"the checkpoint '{foreign}' cannot be used (it is of another run)"
    ]
    assert foreign.exists()
    with pytest.raises(UserError, match=r"of another run.*; copy one of them there from elsewhere, or remove the run"):
        load_checkpoint(tmp_path, net, optimizer_of(net), "a third run")


@pytest.mark.parametrize("name", ["epoch-3-step-12.safetensors", "epoch-03-step-8.safetensors"])
def test_a_checkpoint_under_the_name_of_another_is_refused_until_it_has_its_own(tmp_path, name):
    save_several(tmp_path, 8)
    (path,) = checkpoint_paths(tmp_path)
    misnamed = path.rename(path.with_name(name))
    net = network()
    with pytest.raises(
        UserError,
        match=rf"{name}' cannot be used \(it holds epoch 3, step 8, so its name is {path.name}\); rename it, then "
        "go on with --resume$",
    ):
        load_checkpoint(tmp_path, net, optimizer_of(net), RUN)
    misnamed.rename(path)
    assert load_checkpoint(tmp_path, net, optimizer_of(net), RUN).progress["step"] == 8


def test_a_run_that_goes_on_from_another_keeps_a_misnamed_checkpoint_and_counts_only_its_own(tmp_path, caplog):
    save_several(tmp_path, 8, 9)
    newest, before = checkpoint_paths(tmp_path)
    newest.rename(newest.with_name("epoch-3-step-12.safetensors"))
    net = network()
    fabric = Fabric(accelerator="cpu", devices=1)
    with caplog.at_level("INFO"):
        restored = resume(tmp_path, net, optimizer_of(net), RUN, fabric)
    assert restored.progress["step"] == 8
    warning, said = caplog.messages
    assert warning.endswith(
        "(it holds epoch 3, step 9, so its name is epoch-3-step-9.safetensors); the one before is used, and it "
        "is kept as 'epoch-3-step-12.safetensors.refused'"
    )
    assert said == "going on from epoch 3, step 8"
    assert checkpoint_paths(tmp_path) == [before]
    save_several(tmp_path, 10, 11, 13, 14)
    assert [path.name for path in (tmp_path / "checkpoint").iterdir() if path not in checkpoint_paths(tmp_path)] == [
        "epoch-3-step-12.safetensors.refused"
    ]


@pytest.mark.parametrize("progress", [{}, {"epoch": 3}, {"epoch": 3, "step": "7"}, {"epoch": 3.0, "step": 7}])
def test_a_checkpoint_that_does_not_say_its_step_is_damaged(progress):
    with pytest.raises(ValueError, match="it says nothing of its epoch and step"):
        parse_checkpoint(checkpoint_bytes(progress, {}))
