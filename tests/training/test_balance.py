"""Reference: scikit-learn's weights. Property: how often classes, clips and views are drawn."""

from collections import Counter

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from cohear.training.balance import balanced_class_weights, balanced_visits, sampling_classes
from cohear.training.batches import epoch_batches

STANDARD, BATCHED = ((0,), (1,), (2,)), ((0, 1, 2),)
CLASSES = np.repeat([0, 1, 3], [29, 7, 1])  # class 2 has no clip
MEMBERS = [np.flatnonzero(np.equal(CLASSES, number)) for number in (0, 1, 3)]


def test_weights_are_those_of_scikit_learn_and_average_to_one():
    weights = balanced_class_weights(CLASSES, n_classes=4)
    reference = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=CLASSES)
    assert weights == pytest.approx((reference[0], reference[1], 1.0, reference[2]))
    assert np.array(weights)[CLASSES].mean() == pytest.approx(1)


def test_of_many_labels_those_present_weigh_as_much_as_those_absent():
    present = np.zeros((10, 4), np.float32)
    present[:2, 0], present[:8, 1], present[:, 2] = 1, 1, 1
    assert balanced_class_weights(present, n_classes=4) == (4.0, 0.25, 1.0, 1.0)  # the last two have nothing to balance


def test_a_clip_is_drawn_as_its_rarest_label_and_clips_without_any_are_a_class():
    present = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1], [0, 1, 0], [0, 0, 0]], np.float32)
    assert sampling_classes(present).tolist() == [1, 0, 2, 1, 3]
    assert sampling_classes(CLASSES) is CLASSES


@pytest.mark.parametrize("n_epochs", [1, 2, 5])
def test_classes_and_the_clips_of_a_class_are_drawn_equally_often(n_epochs):
    epochs = [balanced_visits(CLASSES, seed=3, epoch=epoch)[0] for epoch in range(n_epochs)]
    assert {len(drawn) for drawn in epochs} == {len(CLASSES)}
    for drawn in (epochs[-1], np.concatenate(epochs)):
        of_clip = np.bincount(drawn, minlength=len(CLASSES))
        of_class = [of_clip[members] for members in MEMBERS]
        assert np.ptp([draws.sum() for draws in of_class]) <= 1
        assert all(np.ptp(draws) <= 1 for draws in of_class)


def test_equal_classes_are_drawn_as_they_are():
    drawn, visits = balanced_visits(np.arange(12) % 3, seed=0, epoch=4)
    assert sorted(drawn.tolist()) == list(range(12))
    assert not visits.any()


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


def test_draws_depend_on_seed_and_epoch_alone():
    assert cells(BATCHED) == cells(BATCHED)
    assert cells(BATCHED) != cells(BATCHED, epoch=1)
    assert cells(BATCHED) != cells(BATCHED, seed=2)
