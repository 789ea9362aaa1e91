"""Which clips and views stand in which step: a pure function of seed, epoch and method.

An item is what an epoch visits once: a tuple of views of one clip. The four methods differ in nothing but their items
and their objective:

    none                one item per clip:     (0,)
    standard, all       three items per clip:  (0,)  (1,)  (2,)
    standard, one       one of these three, drawn at each visit
    bda, consistency    one item per clip:     (0, 1, 2)

so `standard` and `bda` see the same signals in an epoch, batched differently; where `standard` hears one signal of each
clip it sees a third of them.

Where classes are drawn equally often, an epoch visits some clips several times and others not at all. A clip's visits
then share its clean view and no other: with two transformed views the first visit has 1 and 2, the next 3 and 4. A
classifier then learns to answer as if classes were equally frequent: where they are not, its probabilities of the rare
ones are too high.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from cohear import keys
from cohear.errors import UserError
from cohear.metrics.tasks import Targets, truth_of


@dataclass(frozen=True)
class Items:
    """The items that an epoch makes of each clip."""

    views: tuple[tuple[int, ...], ...]
    """Of each item, which all have the same number of views; 0 is the clean clip."""
    draws_one: bool = False
    """Whether an epoch makes one of them, drawn for each clip; else it makes all."""

    @property
    def n_views(self) -> int:
        """Of an item."""
        return len(self.views[0])

    @property
    def n_per_clip(self) -> int:
        """In an epoch."""
        return 1 if self.draws_one else len(self.views)


@dataclass(frozen=True)
class Batch:
    """One step's clips and views."""

    clips: Int64[np.ndarray, " batch"]
    """Rows among the training clips."""
    views: Int64[np.ndarray, "view batch"]
    """Which view stands in each cell; 0 is the clean clip."""

    def take(self, places: Int64[np.ndarray, " place"]) -> "Batch":
        """Return a part of the batch."""
        return Batch(self.clips[places], self.views[:, places])


def n_steps(n_clips: int, items: Items, batch_size: int) -> int:
    """Count the steps of an epoch."""
    return math.ceil(n_clips * items.n_per_clip / items_per_batch(items, batch_size))


def items_per_batch(items: Items, batch_size: int) -> int:
    """Count the items of a batch; a batch of 120 signals holds 40 items of three views.

    Raises:
        UserError: where a batch cannot hold one item.
    """
    if batch_size < items.n_views:
        raise UserError(
            f"a batch of {batch_size} cannot hold the {items.n_views} views of one clip; use a larger "
            "training.batch_size"
        )
    return batch_size // items.n_views


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
    order = keys.permutation(keys.fold_in(keys.key(seed, "order"), epoch), n_clips * items.n_per_clip)
    which = np.tile(np.arange(items.n_per_clip), n_clips)
    if items.draws_one:
        which = keys.integers(keys.fold_in(keys.key(seed, "item"), epoch), n_clips, len(items.views))
    views_of_item = np.array(items.views, np.int64)
    n_transformed = views_of_item.max()
    batches = []
    for chunk in np.split(order, np.arange(per_batch, len(order), per_batch)):
        drawn, views = chunk // items.n_per_clip, views_of_item[which[chunk]].T
        batches.append(Batch(clips[drawn], np.where(views > 0, views + n_transformed * visits[drawn], 0)))
    return batches


def sampling_classes(targets: Targets) -> Int64[np.ndarray, " clip"]:
    """Say as what each clip is drawn: its class; of several labels the rarest; clips without any are a class too.

    Example:
        >>> sampling_classes(np.array([[1, 0], [1, 1], [1, 0], [0, 0]], np.float32))
        array([0, 1, 0, 2])
    """
    truth = truth_of(targets)
    n_clips, n_classes = truth.shape
    rarity = np.where(truth, truth.sum(0), n_clips + 1)
    return np.where(truth.any(1), rarity.argmin(1), n_classes)


def balanced_visits(
    classes: Int64[np.ndarray, " clip"], seed: int, epoch: int
) -> tuple[Int64[np.ndarray, " clip"], Int64[np.ndarray, " clip"]]:
    """Draw as many clips as there are, each class equally often.

    A class goes round its clips in an order of its own, and the next epoch goes on where this one ended. So the numbers
    of draws of two clips of a class, and of two classes, differ by one at most, in an epoch as in all of them together.

    Args:
        classes: of each clip; indices, of which some may be missing.
        seed: the run's seed.
        epoch: counted from 0.

    Returns:
        Rows of the clips, and for each how often it was drawn before in this epoch.

    Example:
        >>> clips, visits = balanced_visits(np.array([0, 0, 0, 1]), seed=0, epoch=0)
        >>> sorted(zip(clips.tolist(), visits.tolist()))[-2:]  # the clip of class 1 is drawn twice
        [(3, 0), (3, 1)]
    """
    numbers = np.unique(classes)
    n_clips, n_classes = len(classes), len(numbers)
    order_key = keys.key(seed, "balance")
    rows, visits = [], []
    for place, number in enumerate(numbers.tolist()):
        members = np.flatnonzero(classes == number)
        # Of the first n draws (n + place) // n_classes are of this class, which adds up to n over all places.
        first, end = ((n + place) // n_classes for n in (epoch * n_clips, (epoch + 1) * n_clips))
        order = members[keys.permutation(keys.fold_in(order_key, number), len(members))]
        rows.append(order[np.arange(first, end) % len(members)])
        visits.append(np.arange(end - first) // len(members))
    return np.concatenate(rows), np.concatenate(visits)
