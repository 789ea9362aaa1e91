"""A part of the training clips kept back, to choose by: when to stop, how to read probabilities.

It comes from the training side of a split alone, never from the test clips, and divides no group. It is the same for
every seed of a run.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Int64

from cohear.data.folds import GroupCounts, Labels, Split, as_label_sets, assign_folds, count_by_group
from cohear.data.wording import quoted

_FEWEST = 10
"""Clips; what fewer say of probabilities is chance."""


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
    if not 0 <= share <= 0.5:
        raise ValueError(f"the share of the validation part is {share}; it is between 0 and 0.5")
    if share == 0:
        return split
    label_sets = as_label_sets(labels)
    rows: list[int] = split.train.tolist()
    train_labels = [label_sets[row] for row in rows]
    counted = count_by_group(train_labels, [groups[row] for row in rows])
    chosen = _choose(counted, train_labels, share)
    if chosen is None:
        return dataclasses.replace(split, warnings=(*split.warnings, _refusal(counted, share)))
    n_kept_back = counted.counts[chosen].sum(axis=0).tolist()
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
    counts, sizes, wanted = counted.counts, np.bincount(counted.group_of_clip), share * len(labels)
    fitting = []
    for n_parts in _numbers_of_parts(len(labels), share):
        for part in _parts(counted, labels, n_parts):
            part = _leaving_every_label(counts, part)
            n_labels, n_clips = int(counts[part].any(axis=0).sum()), int(sizes[part].sum())
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
    is_held_once = np.count_nonzero(counted.counts, axis=0) == 1
    spare = np.flatnonzero(counted.counts[:, is_held_once].sum(axis=1) == 0)
    part_of_group = np.zeros(len(counted.groups), np.int64)
    part_of_group[spare] = 1
    if len(spare) > 1:
        clips = np.flatnonzero(np.isin(counted.group_of_clip, spare)).tolist()
        groups = counted.group_of_clip[clips]
        names = [counted.groups[group] for group in groups.tolist()]
        part_of_group[groups] = assign_folds([labels[clip] for clip in clips], names, min(n_parts, len(spare)), seed=0)
    for part in range(1, 1 + part_of_group.max()):
        yield part_of_group == part


def _leaving_every_label(
    counts: Int64[np.ndarray, "group label"], part: Bool[np.ndarray, " group"]
) -> Bool[np.ndarray, " group"]:
    """Give groups of a part back, the smallest first, until every label occurs outside of it."""
    while (missing := np.flatnonzero(~counts[~part].any(axis=0))).size:
        holders = np.flatnonzero(part & (counts[:, missing[0]] > 0)).tolist()
        part[min(holders, key=lambda group: counts[group].sum())] = False
    return part


def _refusal(counted: GroupCounts, share: float) -> str:
    """Say why there is no validation part."""
    n_clips, n_groups = len(counted.group_of_clip), len(counted.groups)
    why = f"of {n_clips} training clips in {n_groups} groups (recordings) none of about {share:.0%} can be spared"
    if not _numbers_of_parts(n_clips, share):
        why = f"{n_clips} training clips are too few to spare {_FEWEST} of them"
    return f"without a validation part no temperature and no thresholds are fitted: {why}; add recordings."
