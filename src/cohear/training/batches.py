"""Which clips and views stand in which step: a pure function of seed, epoch and method.

An item is what an epoch visits once: a tuple of views of one clip. The four methods differ in nothing but their items
and their objective:

    none                one item per clip:     (0,)
    standard            three items per clip:  (0,)  (1,)  (2,)
    bda, consistency    one item per clip:     (0, 1, 2)

so `standard` and `bda` see the same signals in an epoch, batched differently.

Where classes are drawn equally often, an epoch visits some clips several times and others not at all. A clip's visits
then share its clean view and no other: with two transformed views the first visit has 1 and 2, the next 3 and 4.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from cohear import keys
from cohear.errors import UserError
from cohear.training.balance import balanced_visits

Items = tuple[tuple[int, ...], ...]
"""The items made of each clip; every item has the same number of views."""


@dataclass(frozen=True)
class Batch:
    """One step's clips and views."""

    clips: Int64[np.ndarray, " batch"]
    """Rows among the training clips."""
    views: Int64[np.ndarray, "view batch"]
    """Which view stands in each cell; 0 is the clean clip."""


def n_steps(n_clips: int, items: Items, batch_size: int) -> int:
    """Count the steps of an epoch."""
    return math.ceil(n_clips * len(items) / items_per_batch(items, batch_size))


def items_per_batch(items: Items, batch_size: int) -> int:
    """Count the items of a batch; a batch of 120 signals holds 40 items of three views.

    Raises:
        UserError: where a batch cannot hold one item.
    """
    n_views = len(items[0])
    if batch_size < n_views:
        raise UserError(
            f"a batch of {batch_size} cannot hold the {n_views} views of one clip; use a larger training.batch_size"
        )
    return batch_size // n_views


def epoch_batches(
    n_clips: int,
    items: Items,
    batch_size: int,
    seed: int,
    epoch: int,
    classes: Int64[np.ndarray, " clip"] | None = None,
) -> list[Batch]:
    """Shuffle an epoch's items and cut them into batches; the last one may be smaller.

    Args:
        n_clips: training clips.
        items: what is made of each clip.
        batch_size: signals, counting every view.
        seed: the run's seed.
        epoch: counted from 0.
        classes: of each clip, to draw them equally often; None: each clip once.
    """
    clips, visits = np.arange(n_clips), np.zeros(n_clips, np.int64)
    if classes is not None:
        clips, visits = balanced_visits(classes, seed, epoch)
    per_batch = items_per_batch(items, batch_size)
    order = keys.permutation(keys.fold_in(keys.key(seed, "order"), epoch), n_clips * len(items))
    views_of_item = np.array(items, np.int64)
    n_transformed = views_of_item.max()
    batches = []
    for chunk in np.split(order, np.arange(per_batch, len(order), per_batch)):
        drawn, views = chunk // len(items), views_of_item[chunk % len(items)].T
        batches.append(Batch(clips[drawn], np.where(views > 0, views + n_transformed * visits[drawn], 0)))
    return batches
