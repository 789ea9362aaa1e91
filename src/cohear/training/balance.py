"""What is done about classes of unequal size: draw their clips equally often, or weigh their loss.

Targets are class indices, or for clips with any number of labels rows of 0 and 1. Either way a classifier learns to
answer as if classes were equally frequent: where they are not, its probabilities of the rare ones are too high.
"""

import numpy as np
from jaxtyping import Float32, Int64

from cohear import keys

Targets = Int64[np.ndarray, " clip"] | Float32[np.ndarray, "clip label"]


def balanced_class_weights(targets: Targets, n_classes: int) -> tuple[float, ...]:
    """Compute the class weights that make every class count the same in the cross-entropy.

    With one label per clip, n clips, n_k of class k and K classes that have clips, it is n / (K n_k), as scikit-learn's
    `class_weight="balanced"`; the mean over the clips is 1. With any number of labels it is (n - n_k) / n_k, the usual
    `pos_weight` of torch: clips that have a label count as much as those that have it not.

    Args:
        targets: of the training clips.
        n_classes: K, of the network.

    Returns:
        One weight per class; 1 where no clip or, with any number of labels, every clip has it.

    Example:
        >>> balanced_class_weights(np.array([0, 0, 0, 1]), n_classes=2)
        (0.6666666666666666, 2.0)
    """
    n_clips = len(targets)
    if targets.ndim == 1:
        counts = np.bincount(targets, minlength=n_classes)
        weights = n_clips / (np.count_nonzero(counts) * np.maximum(counts, 1))
        return tuple(np.where(counts > 0, weights, 1.0).tolist())
    counts = np.count_nonzero(targets, axis=0)
    weights = (n_clips - counts) / np.maximum(counts, 1)
    return tuple(np.where((counts > 0) & (counts < n_clips), weights, 1.0).tolist())


def sampling_classes(targets: Targets) -> Int64[np.ndarray, " clip"]:
    """Say as what each clip is drawn: its class; of several labels the rarest; clips without any are a class too.

    Example:
        >>> sampling_classes(np.array([[1, 0], [1, 1], [1, 0], [0, 0]], np.float32))
        array([0, 1, 0, 2])
    """
    if targets.ndim == 1:
        return targets
    present = targets > 0
    n_clips, n_classes = present.shape
    rarity = np.where(present, present.sum(0), n_clips + 1)
    return np.where(present.any(1), rarity.argmin(1), n_classes)


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
