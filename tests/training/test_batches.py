"""Hand-computed: the paper's batches."""

import numpy as np
import pytest

from cohear.training.batches import epoch_batches, n_steps

NONE, STANDARD, BATCHED = ((0,),), ((0,), (1,), (2,)), ((0, 1, 2),)


def test_a_batch_of_120_holds_what_the_paper_says():
    sizes = {
        items: [len(batch.clips) for batch in epoch_batches(1600, items, 120, 0, 0)]
        for items in (NONE, STANDARD, BATCHED)
    }
    assert sizes[NONE] == [120] * 13 + [40]
    assert sizes[STANDARD] == [120] * 40
    assert sizes[BATCHED] == [40] * 40
    assert {items: n_steps(1600, items, 120) for items in sizes} == {NONE: 14, STANDARD: 40, BATCHED: 40}


def test_standard_and_batched_augmentation_see_the_same_signals_in_an_epoch():
    seen = []
    for items in (STANDARD, BATCHED):
        batches = epoch_batches(50, items, 12, seed=1, epoch=3)
        cells = [np.broadcast_arrays(batch.clips, batch.views) for batch in batches]
        seen.append(
            sorted((int(c), int(v)) for clips, views in cells for c, v in zip(clips.flat, views.flat, strict=True))
        )
    assert seen[0] == seen[1] == [(clip, view) for clip in range(50) for view in range(3)]


def test_order_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        return np.concatenate([batch.clips for batch in epoch_batches(50, BATCHED, 12, seed, epoch)]).tolist()

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in range(2) for epoch in range(3)}) == 6


def test_a_batch_smaller_than_one_item_is_refused():
    with pytest.raises(ValueError, match="cannot hold the 3 views"):
        epoch_batches(10, BATCHED, 2, 0, 0)
