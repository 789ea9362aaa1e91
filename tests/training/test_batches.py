"""Hand-computed: the paper's batches. Property: how often classes, clips and views are drawn."""

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from cohear.training.batches import Items, balanced_visits, epoch_batches, n_steps, sampling_classes

NONE, STANDARD, BATCHED = Items(((0,),)), Items(((0,), (1,), (2,))), Items(((0, 1, 2),))
ONE = Items(STANDARD.views, draws_one=True)
CLASSES = np.repeat([0, 1, 3], [29, 7, 1])  # class 2 has no clip
MEMBERS = [np.flatnonzero(np.equal(CLASSES, number)) for number in (0, 1, 3)]


def test_a_batch_of_120_holds_what_the_paper_says():
    sizes = {
        items: [len(batch.clips) for batch in epoch_batches(1600, items, 120, 0, 0)]
        for items in (NONE, STANDARD, ONE, BATCHED)
    }
    assert sizes[ONE] == sizes[NONE]
    assert sizes[NONE] == [120] * 13 + [40]
    assert sizes[STANDARD] == [120] * 40
    assert sizes[BATCHED] == [40] * 40
    assert {items: n_steps(1600, items, 120) for items in sizes} == {NONE: 14, STANDARD: 40, ONE: 14, BATCHED: 40}


def test_standard_and_batched_augmentation_see_the_same_signals_in_an_epoch():
    seen = []
    for items in (STANDARD, BATCHED):
        batches = epoch_batches(50, items, 12, seed=1, epoch=3)
        cells = [np.broadcast_arrays(batch.clips, batch.views) for batch in batches]
        seen.append(
            sorted((int(c), int(v)) for clips, views in cells for c, v in zip(clips.flat, views.flat, strict=True))
        )
    assert seen[0] == seen[1] == [(clip, view) for clip in range(50) for view in range(3)]


def test_where_one_signal_of_a_clip_is_heard_it_is_each_of_its_views_equally_often():
    n_clips, before = 3000, None
    for epoch in range(2):
        batches = epoch_batches(n_clips, ONE, 120, seed=1, epoch=epoch)
        clips, views = (np.concatenate([getattr(batch, name) for batch in batches], -1) for name in ("clips", "views"))
        assert sorted(clips) == list(range(n_clips))
        of_clip = views[0, np.argsort(clips)]
        assert chisquare(np.bincount(of_clip, minlength=3)).pvalue > 0.01
        if before is not None:
            assert 0.3 < (of_clip == before).mean() < 0.37  # drawn anew
        before = of_clip


def test_order_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        return np.concatenate([batch.clips for batch in epoch_batches(50, BATCHED, 12, seed, epoch)]).tolist()

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in range(2) for epoch in range(3)}) == 6


def test_a_batch_smaller_than_one_item_is_refused():
    with pytest.raises(ValueError, match="cannot hold the 3 views"):
        epoch_batches(10, BATCHED, 2, 0, 0)


def test_a_clip_is_drawn_as_its_rarest_label_and_clips_without_any_are_a_class():
    present = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1], [0, 1, 0], [0, 0, 0]], np.float32)
    assert sampling_classes(present).tolist() == [1, 0, 2, 1, 3]
    assert np.array_equal(sampling_classes(CLASSES), CLASSES)


@pytest.mark.parametrize("n_epochs", [1, 2, 5])
def test_classes_and_the_clips_of_a_class_are_drawn_equally_often(n_epochs):
    epochs = [balanced_visits(CLASSES, seed=3, epoch=epoch)[0] for epoch in range(n_epochs)]
    assert {len(drawn) for drawn in epochs} == {len(CLASSES)}
    for drawn in (epochs[-1], np.concatenate(epochs)):
        of_clip = np.bincount(drawn, minlength=len(CLASSES))
        of_class = [of_clip[members] for members in MEMBERS]
        assert np.ptp([draws.sum() for draws in of_class]) <= 1
        assert all(np.ptp(draws) <= 1 for draws in of_class)


def cells(items, epoch=0, seed=1):
    """Count the clips and views of an epoch."""
    batches = epoch_batches(len(CLASSES), items, 12, seed, epoch, CLASSES)
    pairs = [np.broadcast_arrays(batch.clips, batch.views) for batch in batches]
    return Counter((int(c), int(v)) for clips, views in pairs for c, v in zip(clips.flat, views.flat, strict=True))


def test_a_clip_that_is_drawn_again_has_other_views_and_standard_sees_the_same_as_batched_augmentation():
    seen = cells(BATCHED)
    assert seen == cells(STANDARD)
    lone = len(CLASSES) - 1  # the only clip of its class: a third of all draws
    n_draws = seen[lone, 0]
    assert n_draws in (12, 13)
    assert sorted(view for clip, view in seen if clip == lone) == list(range(1 + 2 * n_draws))
    assert {n for (_, view), n in seen.items() if view > 0} == {1}
