"""A damaged clip, an infinite weight of the loss, a learning rate beyond all bounds: what training says and leaves."""

import math

import pytest

from cohear.errors import UserError
from cohear.objectives import ConsistencyObjective
from cohear.runtime.interrupts import Interrupted
from cohear.training.batches import epoch_batches
from cohear.training.history import dropped_warning
from training.small_training import BATCH_SIZE, DAMAGED, ITEMS, N_CLIPS, N_STEPS, SEED, is_same, run


def step_of(clip: int, epoch: int) -> int:
    """Find the step of an epoch that has a clip, the other way round from training."""
    batches = epoch_batches(N_CLIPS, ITEMS, BATCH_SIZE, SEED, epoch)
    return next(step for step, batch in enumerate(batches) if clip in batch.clips)


@pytest.mark.parametrize("damage", [math.nan, -math.inf])
def test_a_damaged_clip_ends_the_run_with_its_name_epoch_and_step(tmp_path, damage):
    with pytest.raises(UserError, match=rf"epoch 1, step {step_of(DAMAGED, 0) + 1}\b.*'clip {DAMAGED}', "):
        run(tmp_path, damaged=damage)
    assert not (tmp_path / "checkpoint").exists()


def test_a_loss_that_turns_nan_later_leaves_the_checkpoint_before_it(tmp_path):
    weights = {0: 1.0, 1: 1.0, 2: math.nan}
    with pytest.raises(UserError, match=r"epoch 3, step 1\b"):
        run(tmp_path, consistency_weight=weights.__getitem__)
    history, trained = run(tmp_path)  # the weight is put right
    assert (history, is_same(trained, run(tmp_path / "unbroken")[1])) == (run(tmp_path / "again")[0], True)


class WithoutSlope(ConsistencyObjective):
    """A loss that is finite and has no gradient: the root of zero."""

    def __call__(self, logits, *others):
        losses = super().__call__(logits, *others)
        return losses._replace(total=losses.total + (0 * logits.sum()).sqrt())


def test_finite_losses_whose_gradients_are_not_are_noticed(tmp_path):
    with pytest.raises(UserError, match=r"gradients .*epoch 1, step 1\b"):
        run(tmp_path, objective=WithoutSlope())


@pytest.mark.parametrize("spoiled", [{"learning_rate": 1e40}, {"scale": 1e21}], ids=["weights", "statistics"])
@pytest.mark.parametrize("drops", [False, True])
def test_what_has_become_infinite_is_never_saved(tmp_path, spoiled, drops):
    run(tmp_path, n_epochs=1, batch_size=2 * N_CLIPS)
    before = {path: path.read_bytes() for path in (tmp_path / "checkpoint").iterdir()}
    folder = tmp_path if "learning_rate" in spoiled else tmp_path / "begun with them"
    with pytest.raises(UserError, match=r"epoch \d.*optimizer\.learning_rate"):
        run(folder, drops=drops, batch_size=2 * N_CLIPS, **spoiled)
    assert folder == tmp_path or not (folder / "checkpoint").exists()
    assert {path: path.read_bytes() for path in (tmp_path / "checkpoint").iterdir()} == before


def test_a_dropped_step_leaves_what_training_without_it_does(tmp_path):
    history, weights = run(tmp_path / "dropped", damaged=math.nan, drops=True)
    wanted, wanted_weights = run(tmp_path / "left out", left_out=DAMAGED)
    assert all(bool(tensor.isfinite().all()) for tensor in weights.values())
    assert is_same(weights, wanted_weights)
    assert [record["n_skipped"] for record in history] == [1, 1, 1]
    for ours, theirs in zip(history, wanted, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"] * N_STEPS / (N_STEPS - 1), rel=1e-12)
    assert "3 of 12 steps" in (dropped_warning(history) or "")


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
    with pytest.raises(UserError, match="epoch 2"):
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
    with pytest.raises(UserError, match=r"4 steps .*epoch 1\b"):
        run(tmp_path, consistency_weight=lambda _epoch: math.nan, drops=True)
