"""A damaged clip, an infinite weight of the loss, a learning rate beyond all bounds: what training says and leaves."""

import errno
import json
import math
import os
import re
import signal
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from cohear import keys
from cohear.errors import UserError
from cohear.models import VGG, LogMel
from cohear.objectives import ConsistencyObjective
from cohear.runtime import disk
from cohear.runtime.interrupts import Interrupted
from cohear.training.batches import epoch_batches
from cohear.training.nonfinite import dropped_warning
from cohear.training.plan import TrainingClips, TrainingPlan, Watch
from cohear.training.trainer import train
from cohear.transforms import ClipFacts, SpecAugment
from cohear.views import ViewMaker

N_CLIPS, N_CLASSES, RATE = 8, 2, 8000
ITEMS, BATCH_SIZE, N_STEPS = ((0, 1),), 4, 4
SEED, DAMAGED = 3, 5


def step_of(clip: int, epoch: int) -> int:
    """Find the step of an epoch that has a clip, the other way round from training."""
    batches = epoch_batches(N_CLIPS, ITEMS, BATCH_SIZE, SEED, epoch)
    return next(step for step, batch in enumerate(batches) if clip in batch.clips)


def run(
    folder: Path,
    *,
    damaged: float | None = None,
    drops: bool = False,
    objective: ConsistencyObjective = ConsistencyObjective(),  # noqa: B008 -- frozen
    consistency_weight: Callable[[int], float] = lambda _epoch: 1.0,
    learning_rate: float = 1e-3,
    batch_size: int = BATCH_SIZE,
    n_epochs: int = 3,
    stop_at: int | None = None,
    left_out: int | None = None,
    scale: float = 1.0,
) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    """Train a tiny network in four steps an epoch, and return its history without times and its weights.

    Args:
        folder: of the run.
        damaged: a value that stands in one clip, among its samples.
        drops: as `TrainingPlan.drops_nonfinite`.
        objective: of the plan.
        consistency_weight: of the plan.
        learning_rate: of the plan.
        batch_size: of the plan.
        n_epochs: of the plan.
        stop_at: the step after which somebody asks the process to stop.
        left_out: a clip without whose step each epoch is made, as training should where it drops that step.
        scale: of the weights of the first convolution.
    """
    folder.mkdir(exist_ok=True)
    waveforms = 0.1 * torch.randn(N_CLIPS, RATE // 2, generator=torch.Generator().manual_seed(0))
    if damaged is not None:
        waveforms[DAMAGED, 1000] = damaged
    rows = np.arange(N_CLIPS)
    clips = TrainingClips(
        lambda batch: waveforms[batch],
        rows % N_CLASSES,
        keys.fold_in(np.uint64(7), rows),
        ClipFacts(rows),
        [f"clip {row}" for row in rows],
    )
    plan = TrainingPlan(
        items=ITEMS,
        objective=objective,
        n_epochs=n_epochs,
        batch_size=batch_size,
        seed=SEED,
        learning_rate=lambda _epoch: learning_rate,
        consistency_weight=consistency_weight,
        weight_decay=0.01,
        drops_nonfinite=drops,
    )
    network = VGG(N_CLASSES, 1 / 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        next(network.parameters()).mul_(scale)
    watch = Watch(lambda *_: {})

    def on_step(done: int, _total: int) -> None:
        watch.stop.signal_number = signal.SIGINT if done == stop_at else None

    watch.on_step = on_step
    view_maker = ViewMaker(SpecAugment(), LogMel(RATE, n_fft=256, hop_length=200, n_mels=16))
    fabric = Fabric(accelerator="cpu", devices=1)
    fabric.launch()
    with pytest.MonkeyPatch.context() as patch:
        if left_out is not None:
            patch.setattr("cohear.training.trainer.epoch_batches", lambda *arguments: without(left_out, *arguments))
        history = train(network, view_maker, clips, plan, folder, fabric, watch, identity="a run")
    return [{k: v for k, v in record.items() if not k.endswith("_s")} for record in history], network.state_dict()


def without(clip: int, *arguments):
    return [batch for batch in epoch_batches(*arguments) if clip not in batch.clips]


def is_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, b[name]) for name, tensor in a.items())


@pytest.mark.parametrize("damage", [math.nan, math.inf, -math.inf])
def test_a_damaged_clip_ends_the_run_with_epoch_step_and_clips(tmp_path, damage):
    step = step_of(DAMAGED, 0)
    with pytest.raises(UserError) as refused:
        run(tmp_path, damaged=damage)
    sentence = str(refused.value)
    assert sentence.startswith(f"the loss is not finite in epoch 0, step {step}, both counted from 0, with the clips ")
    assert re.search(r"with the clips 'clip 5', 'clip \d'", sentence)
    assert "(1 of them with a spectrogram that is not finite, named first)" in sentence
    assert "the last checkpoint" not in sentence  # there is none
    assert "by --on-nonfinite skip (`cohear train` needs --resume too)" in sentence
    assert "lower optimizer.learning_rate and train under another --out" in sentence
    record = json.loads((tmp_path / "nonfinite.json").read_text())
    assert (record["epoch"], record["step"]) == (0, step)
    assert record["losses"]["total"] == "NaN"
    batch = epoch_batches(N_CLIPS, ITEMS, BATCH_SIZE, SEED, 0)[step]
    assert [clip["id"] for clip in record["clips"]] == [f"clip {row}" for row in batch.clips]
    for clip in record["clips"]:
        clean, masked = clip["views"]
        is_sound = clip["id"] != "clip 5"
        assert (clean["view"], masked["view"]) == (0, 1)
        assert clean["parameters"] is None
        assert len(masked["parameters"]["n_band_masks"]) == 1
        assert "mask" in masked["change"]
        assert clean["waveform_is_finite"] is clean["spectrogram_is_finite"] is is_sound


def test_what_was_drawn_is_what_was_applied(tmp_path):
    with pytest.raises(UserError):
        run(tmp_path, damaged=math.nan)
    record = json.loads((tmp_path / "nonfinite.json").read_text())
    clip = next(clip for clip in record["clips"] if clip["id"] != "clip 5")
    row = int(clip["id"].split()[1])
    clip_key = keys.fold_in(keys.fold_in(keys.key(SEED, "views"), 0), keys.fold_in(np.uint64(7), np.array([row])))
    drawn = SpecAugment().draw(keys.fold_in(clip_key, 1))
    assert clip["views"][1]["parameters"] == drawn.to_json()


def test_a_loss_that_turns_nan_later_leaves_the_checkpoint_before_it(tmp_path):
    weights = {0: 1.0, 1: 1.0, 2: math.nan}
    with pytest.raises(
        UserError, match=r"the loss is not finite in epoch 2, step 0.*, and the last checkpoint is as it"
    ):
        run(tmp_path, consistency_weight=weights.__getitem__)
    history, trained = run(tmp_path)  # the weight is put right
    assert (history, is_same(trained, run(tmp_path / "unbroken")[1])) == (run(tmp_path / "again")[0], True)


class WithoutSlope(ConsistencyObjective):
    """A loss that is finite and has no gradient: the root of zero."""

    def __call__(self, logits, *others):
        losses = super().__call__(logits, *others)
        return losses._replace(total=losses.total + (0 * logits.sum()).sqrt())


def test_finite_losses_whose_gradients_are_not_are_noticed(tmp_path):
    with pytest.raises(UserError, match="the gradients are not finite in epoch 0, step 0"):
        run(tmp_path, objective=WithoutSlope())
    assert json.loads((tmp_path / "nonfinite.json").read_text())["losses"]["total"] < 10


def test_weights_that_become_infinite_are_never_saved(tmp_path):
    run(tmp_path, n_epochs=1, batch_size=2 * N_CLIPS)
    before = {path: path.read_bytes() for path in (tmp_path / "checkpoint").iterdir()}
    with pytest.raises(
        UserError, match=r"in epoch 1, after step 0, both counted from 0, and the last checkpoint is as"
    ):
        run(tmp_path, learning_rate=1e40, batch_size=2 * N_CLIPS)
    assert {path: path.read_bytes() for path in (tmp_path / "checkpoint").iterdir()} == before


def test_statistics_that_become_infinite_are_never_saved(tmp_path):
    run(tmp_path, n_epochs=1)
    before = {path: path.read_bytes() for path in (tmp_path / "checkpoint").iterdir()}
    for drops in (False, True):
        with pytest.raises(
            UserError,
            match=r"batch-norm statistics are no longer finite in epoch 0, after step 3, .* from 0: lower optimizer",
        ):
            run(tmp_path / f"drops {drops}", scale=1e21, drops=drops)
        assert not (tmp_path / f"drops {drops}" / "checkpoint").exists()
    assert {path: path.read_bytes() for path in (tmp_path / "checkpoint").iterdir()} == before


def fail(monkeypatch: pytest.MonkeyPatch, number: int, wanted: str) -> None:
    """Let the disk refuse to write a file."""

    def around(step: str, path: Path) -> nullcontext[None]:
        if step == "write" and wanted in path.name:
            raise OSError(number, os.strerror(number))
        return nullcontext()

    monkeypatch.setattr(disk, "around", around)


def test_a_full_disk_does_not_hide_which_step_was_not_finite(tmp_path, monkeypatch):
    fail(monkeypatch, errno.ENOSPC, "nonfinite.json")
    with pytest.raises(UserError) as refused:
        run(tmp_path, damaged=math.nan)
    sentence, step = str(refused.value), step_of(DAMAGED, 0)
    assert sentence.startswith(f"the loss is not finite in epoch 0, step {step}, both counted from 0, with the clips ")
    assert "with the clips 'clip 5', 'clip" in sentence
    assert "is not in 'nonfinite.json' ('" in sentence
    assert "nonfinite.json' cannot be written: the disk is full; free some space" in sentence
    assert sentence.endswith("or go on without such steps by --on-nonfinite skip (`cohear train` needs --resume too)")
    assert not (tmp_path / "nonfinite.json").exists()


def test_sounds_that_are_gone_do_not_hide_which_step_was_not_finite(tmp_path, monkeypatch):
    def gone(*_) -> None:
        raise UserError("the sounds cannot be read")

    monkeypatch.setattr("cohear.training.nonfinite_batch._describe", gone)
    with pytest.raises(
        UserError, match=r"in epoch 0, step \d, .* with the clips 'clip \d'.*\(the sounds cannot be read\)"
    ):
        run(tmp_path, damaged=math.nan)


def test_checkpoints_that_cannot_be_listed_do_not_hide_what_was_wrong(tmp_path, monkeypatch):
    def gone(folder: Path) -> list[Path]:
        raise UserError("the disk is gone")

    monkeypatch.setattr("cohear.training.nonfinite.checkpoint_paths", gone)
    unknown = "whether there is a checkpoint is not known \\(the disk is gone\\): lo"
    with pytest.raises(
        UserError, match=rf"the loss is not finite in epoch 0, step \d, .*{unknown}ok for damaged clips"
    ):
        run(tmp_path, damaged=math.nan)
    with pytest.raises(UserError, match=rf"statistics are no longer finite in epoch 0, after step 3, .*{unknown}wer "):
        run(tmp_path, scale=1e21)


def test_where_there_is_no_checkpoint_none_is_spoken_of(tmp_path):
    with pytest.raises(UserError, match=r"not finite|no longer finite") as refused:
        run(tmp_path, learning_rate=1e40, batch_size=2 * N_CLIPS)
    assert "from 0: lower optimizer.learning_rate and train under another --out" in str(refused.value)
    assert "checkpoint" not in str(refused.value)


def test_a_dropped_step_leaves_what_training_without_it_does(tmp_path):
    history, weights = run(tmp_path / "dropped", damaged=math.nan, drops=True)
    wanted, wanted_weights = run(tmp_path / "left out", left_out=DAMAGED)
    assert all(bool(tensor.isfinite().all()) for tensor in weights.values())
    assert is_same(weights, wanted_weights)
    assert [record["n_skipped"] for record in history] == [1, 1, 1]
    for ours, theirs in zip(history, wanted, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"] * N_STEPS / (N_STEPS - 1), rel=1e-12)
    assert dropped_warning(history) == (
        "the loss or its gradients were not finite in 3 of 12 steps, which were dropped (epochs 0, 1, 2)"
    )


def test_without_a_bad_step_dropping_changes_no_bit(tmp_path):
    history, weights = run(tmp_path / "drops", drops=True)
    plain, plain_weights = run(tmp_path / "stops")
    assert history == plain
    assert dropped_warning(history) is None
    assert is_same(weights, plain_weights)


def test_a_stopped_run_goes_on_with_dropped_steps(tmp_path):
    step = 4 + step_of(DAMAGED, 1)
    with pytest.raises(Interrupted):
        run(tmp_path, stop_at=4)
    with pytest.raises(UserError, match="not finite in epoch 1"):
        run(tmp_path, damaged=math.nan)
    for stop_at in (step, step + 1):  # before and after the dropped one
        with pytest.raises(Interrupted):
            run(tmp_path, damaged=math.nan, drops=True, stop_at=stop_at)
    history, weights = run(tmp_path, damaged=math.nan, drops=True)
    assert [record.get("n_skipped", 0) for record in history] == [0, 1, 1]
    with pytest.raises(Interrupted):
        run(tmp_path / "other", stop_at=4)
    others, other_weights = run(tmp_path / "other", damaged=math.nan, drops=True)
    assert history == others
    assert is_same(weights, other_weights)


def test_an_epoch_of_which_every_step_was_dropped_ends_the_run(tmp_path):
    with pytest.raises(UserError, match="in every one of the 4 steps of epoch 0"):
        run(tmp_path, consistency_weight=lambda _epoch: math.nan, drops=True)
