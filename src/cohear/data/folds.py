"""Which clips are tested together, and which are kept back to choose by; no group is divided.

A group is what would let a classifier recognize the recording instead of the sound: a site, an animal, a long
file. Given folds are obeyed. A validation part, by which it is chosen when to stop and how to read probabilities, comes
from the training side of a split alone, and is the same for every seed of a run.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Int64

from cohear import keys
from cohear.data.datasets import Dataset, count_clips
from cohear.data.wording import quoted
from cohear.errors import UserError

_FEWEST = 10
"""Clips of a validation part; what fewer say of probabilities is chance."""

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
    group: Int64[np.ndarray, " pair"]
    """The group of each pair of a group and a label in it, in order: of a million groups few hold many labels."""
    label: Int64[np.ndarray, " pair"]
    """The label of each pair, in order within the group."""
    count: Int64[np.ndarray, " pair"]
    """Clips of that label in that group, >= 1."""

    def per_label(self, chosen: Bool[np.ndarray, " group"] | None = None) -> Int64[np.ndarray, " label"]:
        """Count the clips of each label, of all groups or of some."""
        held = np.ones(len(self.group), bool) if chosen is None else chosen[self.group]
        counts = np.zeros(len(self.labels), np.int64)
        np.add.at(counts, self.label[held], self.count[held])
        return counts


def count_by_group(labels: Labels, groups: Sequence[str]) -> GroupCounts:
    """Count the clips of each label in each group."""
    label_sets = [label_set or ("",) for label_set in as_label_sets(labels)]
    place = {name: index for index, name in enumerate(sorted({*groups}))}
    group_of_clip = np.fromiter((place[name] for name in groups), np.int64, len(groups))
    label_place = {label: index for index, label in enumerate(sorted(count_clips(label_sets)))}
    n_of_clip = np.fromiter((len(set(label_set)) for label_set in label_sets), np.int64, len(label_sets))
    label_of_pair = (label_place[label] for label_set in label_sets for label in set(label_set))
    pairs = np.repeat(group_of_clip, n_of_clip) * len(label_place) + np.fromiter(label_of_pair, np.int64)
    pairs, count = np.unique(pairs, return_counts=True)
    group, label = np.divmod(pairs, max(1, len(label_place)))
    return GroupCounts(tuple(place), tuple(label_place), group_of_clip, group, label, count)


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
        n_folds: >= 1.
        seed: 0 <= seed < 2**64; decides the order among groups of equal size. The order of the clips has no
            influence.

    Raises:
        UserError: where there are fewer groups than folds.
    """
    counted = count_by_group(labels, groups)
    names = counted.groups
    if len(names) == 1 < n_folds:
        remedy = "add recordings, or train on every clip, untested, by --fold all"
        raise UserError(f"all labels lie in one recording or group, '{names[0]}', which folds do not divide: {remedy}.")
    if len(names) < n_folds:
        remedy = f"choose fewer by --set data.n_folds={len(names)}, or add recordings"
        raise UserError(f"{n_folds} folds cannot be made of {len(names)} groups (recordings): {remedy}.")
    sizes = np.bincount(counted.group_of_clip)
    # Whole numbers, multiples of one over the least common multiple of all N_k: sums of fractions would be rounded, on
    # another processor otherwise, and rounding would decide between folds that are equal.
    n_of_label: list[int] = counted.per_label().tolist()
    common = math.lcm(*n_of_label)
    first = np.searchsorted(counted.group, np.arange(len(names) + 1))
    drawn = keys.permutation(keys.key(seed, "folds"), len(names))
    order = drawn[np.argsort(-np.add.reduceat(counted.count, first[:-1])[drawn], kind="stable")]

    in_fold = np.zeros((n_folds, len(counted.labels)), np.int64)
    fold_sizes = np.zeros(n_folds, np.int64)
    fold_of_group = np.empty(len(names), np.int64)
    for group in order:
        pairs = slice(first[group], first[group + 1])
        held, n_held = counted.label[pairs], counted.count[pairs]
        shares = [n * (common // n_of_label[label]) for label, n in zip(held.tolist(), n_held.tolist(), strict=True)]
        costs = [sum(n * share for n, share in zip(row, shares, strict=True)) for row in in_fold[:, held].tolist()]
        fold = min(range(n_folds), key=lambda place: (costs[place], fold_sizes[place]))
        in_fold[fold, held] += n_held
        fold_sizes[fold] += sizes[group]
        fold_of_group[group] = fold + 1
    return fold_of_group[counted.group_of_clip]


def with_folds(dataset: Dataset, n_folds: int, seed: int) -> Dataset:
    """Return the data set with a fold for each clip: its own folds if it has them, else new ones.

    Args:
        dataset: all of its clips have a fold, or none.
        n_folds: how many to make, >= 1; given folds stay as they are.
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
    return dataclasses.replace(dataset, clips=clips.with_folds(folds), folds_were_made=True)


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
        remedy = f"add clips from other recordings, or {way_without(untrained, n_clips or count_clips(label_sets))}"
        raise UserError(f"where fold {test_fold} is tested, no training clip is left of {quoted(untrained)}: {remedy}.")
    warnings = []
    if untested := sorted(train_labels - test_labels):
        warnings.append(f"fold {test_fold} has no test clip of {quoted(untested)}: others alone are scored.")
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


def with_validation(split: Split, labels: Labels, groups: Sequence[str], share: float) -> Split:
    """Keep back a part of the training clips, each class as evenly as its groups allow.

    The groups that can be spared are those without a label that no other training group has. They are divided as folds
    are, into parts of the wanted size and into larger ones, and one part is kept back: of those with at least ten clips
    and two labels, and at most twice the share of the clips, the one with the most labels, among equals the one nearest
    to the share. Every label keeps at least one training clip.

    Args:
        split: without a validation part.
        labels: class of each clip, or its classes; of all clips, not of the training clips alone.
        groups: group of each clip, never divided.
        share: of the training clips, 0 to 0.5; 0 keeps nothing back.

    Returns:
        The split with fewer training clips, or with the same ones and a warning where none can be spared.
    """
    if share == 0:
        return split
    label_sets = as_label_sets(labels)
    rows: list[int] = split.train.tolist()
    train_labels = [label_sets[row] for row in rows]
    counted = count_by_group(train_labels, [groups[row] for row in rows])
    chosen = _choose(counted, train_labels, share)
    if chosen is None:
        there = f"{len(rows)} training clips in {len(counted.groups)} groups (recordings)"
        warning = f"no temperature and no thresholds are fitted: of {there} too few can be spared; add recordings."
        return dataclasses.replace(split, warnings=(*split.warnings, warning))
    n_kept_back = counted.per_label(chosen).tolist()
    unheard = [label for label, n in zip(counted.labels, n_kept_back, strict=True) if label and not n]
    warning = f"the validation part has no clip of {quoted(unheard)}: no threshold is fitted there."
    is_kept_back = chosen[counted.group_of_clip]
    return dataclasses.replace(
        split,
        train=split.train[~is_kept_back],
        validation=split.train[is_kept_back],
        warnings=(*split.warnings, warning) if unheard else split.warnings,
    )


def _choose(counted: GroupCounts, labels: Sequence[tuple[str, ...]], share: float) -> Bool[np.ndarray, " group"] | None:
    """Say which groups to keep back; None where no part has the right size."""
    sizes, wanted = np.bincount(counted.group_of_clip), share * len(labels)
    fitting = []
    for n_parts in _numbers_of_parts(len(labels), share):
        for part in _parts(counted, labels, n_parts):
            part = _leaving_every_label(counted, part)
            n_labels, n_clips = np.count_nonzero(counted.per_label(part)), int(sizes[part].sum())
            if n_labels > 1 and _FEWEST <= n_clips <= 2 * wanted:
                fitting.append((-n_labels, abs(n_clips - wanted), part))
    return min(fitting, key=lambda rated: rated[:2], default=(None,))[-1]


def _numbers_of_parts(n_clips: int, share: float) -> range:
    """Say into how many parts the clips may be divided so that each is large enough and not too large a share."""
    return range(max(2, math.ceil(1 / (2 * share))), 1 + min(round(1 / share), n_clips // _FEWEST))


def _parts(
    counted: GroupCounts, labels: Sequence[tuple[str, ...]], n_parts: int
) -> Iterator[Bool[np.ndarray, " group"]]:
    """Divide the groups that can be spared into at most `n_parts` parts of about equal size."""
    is_held_once = np.bincount(counted.label) == 1
    spare = np.setdiff1d(np.arange(len(counted.groups)), counted.group[is_held_once[counted.label]])
    part_of_group = np.zeros(len(counted.groups), np.int64)
    part_of_group[spare] = 1
    if len(spare) > 1:
        clips = np.flatnonzero(np.isin(counted.group_of_clip, spare)).tolist()
        groups = counted.group_of_clip[clips]
        names = [counted.groups[group] for group in groups.tolist()]
        part_of_group[groups] = assign_folds([labels[clip] for clip in clips], names, min(n_parts, len(spare)), seed=0)
    for part in range(1, 1 + part_of_group.max()):
        yield part_of_group == part


def _leaving_every_label(counted: GroupCounts, part: Bool[np.ndarray, " group"]) -> Bool[np.ndarray, " group"]:
    """Give groups of a part back, the smallest first, until every label occurs outside of it."""
    size = np.bincount(counted.group, counted.count)
    while (missing := np.flatnonzero(counted.per_label(~part) == 0)).size:
        holders = counted.group[part[counted.group] & (counted.label == missing[0])].tolist()
        part[min(holders, key=lambda group: size[group])] = False
    return part


def way_without(untrained: Sequence[str], n_clips: Mapping[str, int]) -> str:
    """Say how to train without some classes: by their size, if at least two other classes are larger."""
    too_small = 1 + max((n_clips[label] for label in untrained), default=0)
    if sum(n >= too_small for n in n_clips.values()) >= 2:
        return f"leave small classes out with --drop-small {too_small}"
    return f"take {quoted(untrained)} out of the data"
