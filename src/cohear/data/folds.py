"""Which clips are tested together: given folds are obeyed, folds of our own never divide a group.

A group is what would let a classifier recognize the recording instead of the sound: a site, an animal, a long
file.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int64

from cohear import keys
from cohear.data.datasets import Dataset, count_clips
from cohear.data.wording import quoted
from cohear.errors import UserError

Labels = Sequence[str] | Sequence[tuple[str, ...]]
"""The label of each clip, or its labels, which may be none."""


@dataclass(frozen=True, eq=False)
class Split:
    """The two sides of one fold, and what the training side keeps back."""

    train: Int64[np.ndarray, " train"]
    """Rows of the training clips."""
    test: Int64[np.ndarray, " test"]
    """Rows of the test clips; none where everything is trained on."""
    warnings: tuple[str, ...]
    """What should be known of this split, as sentences."""
    validation: Int64[np.ndarray, " validation"] = field(default_factory=lambda: np.empty(0, np.int64))
    """Rows of the clips to choose by, which are neither trained on nor tested; often none."""


@dataclass(frozen=True, eq=False)
class GroupCounts:
    """How the labels of clips are spread over their groups."""

    groups: tuple[str, ...]
    """Sorted."""
    labels: tuple[str, ...]
    """Sorted; an empty one stands for clips that have none."""
    group_of_clip: Int64[np.ndarray, " clip"]
    """Each clip's place among the groups."""
    counts: Int64[np.ndarray, "group label"]
    """Clips by group and label."""


def count_by_group(labels: Labels, groups: Sequence[str]) -> GroupCounts:
    """Count the clips of each label in each group."""
    label_sets = [label_set or ("",) for label_set in as_label_sets(labels)]
    names, group_of_clip = np.unique(np.asarray(groups), return_inverse=True)
    place = {label: index for index, label in enumerate(sorted(count_clips(label_sets)))}
    counts = np.zeros((len(names), len(place)), np.int64)
    for group, label_set in zip(group_of_clip.tolist(), label_sets, strict=True):
        counts[group, [place[label] for label in set(label_set)]] += 1
    return GroupCounts(tuple(names.tolist()), tuple(place), group_of_clip, counts)


def as_label_sets(labels: Labels) -> list[tuple[str, ...]]:
    """Return the labels of each clip, whether it has one or several."""
    return [(label,) if isinstance(label, str) else label for label in labels]


def assign_folds(labels: Labels, groups: Sequence[str], n_folds: int, seed: int) -> Int64[np.ndarray, " clip"]:
    """Divide clips into folds 1 to `n_folds`, each class as evenly as its groups allow.

    Large groups are placed first. A group goes where it keeps the sum over classes and folds of (clips of the
    class in the fold)^2 / (clips of the class) smallest. Placing g_k clips of class k into a fold that has
    n_k of N_k adds (2 n_k g_k + g_k^2) / N_k; the second term is the same everywhere, so the fold with the
    least sum of n_k g_k / N_k wins, among equals the one with the fewest clips. Where each clip has one label and
    is its own group, folds differ by at most one clip per class. A clip of several labels counts for each, one of none
    for a class of its own.

    Args:
        labels: class of each clip, or its classes.
        groups: group of each clip, never divided.
        n_folds: >= 2.
        seed: 0 <= seed < 2**64; decides the order among groups of equal size. The order of the clips has no
            influence.

    Raises:
        UserError: where there are fewer groups than folds.
    """
    if n_folds < 2:
        raise ValueError(f"n_folds is {n_folds}; at least two folds are needed")
    counted = count_by_group(labels, groups)
    names, counts = counted.groups, counted.counts
    if len(names) == 1:
        remedy = "add recordings, or give each clip a fold of yours in a table with path, label, start, end and fold"
        raise UserError(f"all labels lie in one recording or group, '{names[0]}', which folds do not divide: {remedy}.")
    if len(names) < n_folds:
        remedy = f"choose fewer by --set data.n_folds={len(names)}, or add recordings"
        raise UserError(f"{n_folds} folds cannot be made of {len(names)} groups (recordings): {remedy}.")
    sizes = np.bincount(counted.group_of_clip)
    # Whole numbers, multiples of one over the least common multiple of all N_k: sums of fractions would be rounded, on
    # another processor otherwise, and rounding would decide between folds that are equal.
    n_of_label: list[int] = counts.sum(axis=0).tolist()
    common = math.lcm(*n_of_label)
    drawn = keys.permutation(keys.key(seed, "folds"), len(names))
    order = drawn[np.argsort(-counts[drawn].sum(axis=1), kind="stable")]

    in_fold = np.zeros((n_folds, counts.shape[1]), np.int64)
    fold_sizes = np.zeros(n_folds, np.int64)
    fold_of_group = np.empty(len(names), np.int64)
    for group in order:
        held = np.flatnonzero(counts[group]).tolist()
        shares = [counts[group, label].item() * (common // n_of_label[label]) for label in held]
        costs = [sum(n * share for n, share in zip(row, shares, strict=True)) for row in in_fold[:, held].tolist()]
        fold = min(range(n_folds), key=lambda place: (costs[place], fold_sizes[place]))
        in_fold[fold] += counts[group]
        fold_sizes[fold] += sizes[group]
        fold_of_group[group] = fold + 1
    return fold_of_group[counted.group_of_clip]


def with_folds(dataset: Dataset, n_folds: int, seed: int) -> Dataset:
    """Return the data set with a fold for each clip: its own folds if it has them, else new ones.

    Args:
        dataset: all of its clips have a fold, or none.
        n_folds: how many to make, >= 2; given folds stay as they are.
        seed: for the folds that are made.

    Raises:
        UserError: where only some clips have a fold, all are in the same one, or groups are too few.
    """
    clips, without = dataset.clips, [clip for clip in dataset.clips if clip.fold is None]
    if not without:
        if len(dataset.folds) < 2:
            there = f"all clips of {dataset.name} are in fold {clips[0].fold}"
            raise UserError(f"{there}: give at least two folds, or none, and they will be made.")
        return dataset
    if len(without) < len(clips):
        there = f"{len(without)} of {len(clips)} clips of {dataset.name} have no fold, for example '{without[0].id}'"
        raise UserError(f"{there}: give all a fold, or none, and folds will be made.")
    folds = assign_folds([clip.labels for clip in clips], [clip.undivided_by for clip in clips], n_folds, seed)
    clips = (dataclasses.replace(clip, fold=fold) for clip, fold in zip(clips, folds.tolist(), strict=True))
    return dataclasses.replace(dataset, clips=tuple(clips), folds_were_made=True)


def split(
    labels: Labels,
    folds: Int64[np.ndarray, " clip"],
    groups: Sequence[str],
    test_fold: int,
    n_clips: Mapping[str, int] | None = None,
) -> Split:
    """Divide clips into those of one fold and all others.

    Args:
        labels: class of each clip, or its classes.
        folds: fold of each clip.
        groups: group of each clip.
        test_fold: one of `folds`.
        n_clips: clips of each class as `drop_small` counts them, where long recordings or bad files make that another
            number than that of `labels`.

    Raises:
        UserError: where there is no such fold, or a label would be tested but never trained.
    """
    is_test = folds == test_fold
    if not is_test.any() or is_test.all():
        there = ", ".join(map(str, np.unique(folds)))
        raise UserError(f"fold {test_fold} cannot be tested: the folds are {there}, and it needs others to train on.")
    train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    label_sets = as_label_sets(labels)
    train_labels, test_labels = ({label for row in rows for label in label_sets[row]} for rows in (train, test))
    if untrained := sorted(test_labels - train_labels):
        remedy = f"add clips from other recordings, or {_without(untrained, n_clips or count_clips(label_sets))}"
        raise UserError(f"where fold {test_fold} is tested, no training clip is left of {quoted(untrained)}: {remedy}.")
    warnings = []
    if untested := sorted(train_labels - test_labels):
        scores = "its scores are those of the other labels"
        warnings.append(f"fold {test_fold} has no test clip of {quoted(untested)}: {scores}.")
    train_groups = {groups[row] for row in train.tolist()}
    if shared := [groups[row] for row in test.tolist() if groups[row] in train_groups]:
        warnings.append(
            f"{len(shared)} of the {len(test)} test clips of fold {test_fold} come from groups (recordings) that are "
            f"trained on, for example '{shared[0]}': the accuracy will be too good to be true."
        )
    return Split(train, test, tuple(warnings))


def split_all(n_clips: int) -> Split:
    """Train on every clip and test on none."""
    return Split(np.arange(n_clips), np.empty(0, np.int64), ())


def _without(untrained: Sequence[str], n_clips: Mapping[str, int]) -> str:
    """Say how to train without some classes: by their size, if at least two other classes are larger."""
    too_small = 1 + max(n_clips[label] for label in untrained)
    if sum(n >= too_small for n in n_clips.values()) >= 2:
        return f"leave small classes out with --drop-small {too_small}"
    return f"take {quoted(untrained)} out of the data"
