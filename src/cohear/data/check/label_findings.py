"""What is wrong with labels: written in two ways, of unequal size, without 'none of these', told by the recorder."""

import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from cohear.data.check.finding import Finding, Item
from cohear.data.check.overview import Overview, channels_text, file_type_text, sample_rate_text
from cohear.data.check.spelling import alike
from cohear.data.check.survey import HeardClip
from cohear.data.class_counts import UNEQUAL
from cohear.data.datasets import Dataset
from cohear.data.wording import counted, verb

_NONE_OF_THESE = {
    *("ambience", "ambient", "background", "empty", "negative", "negatives", "neither", "noise", "none", "nothing"),
    *("other", "others", "rest", "silence", "unknown"),
}
"""A label with one of these words stands for 'none of these'."""

_WORD = re.compile(r"[^\W\d_]+")

_FEWEST = 5
"""Clips, of fewer of which nothing is said: that they are alike may be chance."""

_NEARLY_ALL = 0.9


def find_alike(overview: Overview) -> Iterator[Finding]:
    """Find labels that may be one label written in two ways."""
    n_clips = {facts.label: facts.n_clips for facts in overview.labels}
    pairs = alike(n_clips)
    if pairs:
        yield Finding(
            "labels_alike",
            "warning",
            f"{counted(len(pairs), 'pair')} of labels {verb(len(pairs), 'looks', 'look')} like one label.",
            "Rename one of the two, if they mean the same.",
            tuple(Item(f"'{one}' ({n_clips[one]}) and '{other}' ({n_clips[other]})", how) for one, other, how in pairs),
        )


def find_imbalance(overview: Overview) -> Iterator[Finding]:
    """Find that the largest label has many times the clips of the smallest, counted as training sees them."""
    if len(overview.labels) < 2:
        return
    ranked = sorted(overview.labels, key=lambda facts: facts.n_windows)
    smallest, largest = ranked[0], ranked[-1]
    if largest.n_windows >= UNEQUAL * smallest.n_windows:
        yield Finding(
            "imbalance",
            "warning",
            f"'{largest.label}' has {largest.n_windows / smallest.n_windows:.0f} times the training clips of "
            f"'{smallest.label}', {largest.n_windows} to {smallest.n_windows}.",
            "Train with --balance sampling or --balance weights, or add recordings.",
        )


def find_no_background(dataset: Dataset, background: str | None) -> Iterator[Finding]:
    """Find that nothing stands for 'none of these', so that every sound will get some label."""
    if background is not None or dataset.multi_label:
        return
    named = [label for label in dataset.classes if _NONE_OF_THESE & set(_WORD.findall(label.lower()))]
    if named:
        yield Finding(
            "background_unnamed",
            "note",
            f"'{named[0]}' sounds like a label for 'none of these'.",
            f"If it is one, say so to training: --background {shlex.quote(named[0])}.",
            tuple(Item(label) for label in named),
        )
        return
    has_segments = any(clip.start_s is not None or clip.end_s is not None for clip in dataset.clips)
    remedy = (
        "--background NAME cuts clips of it from the unlabeled parts of the recordings."
        if has_segments
        else "Record what else will be heard under a label of its own, and name that to training: --background NAME."
    )
    yield Finding(
        "no_background",
        "note" if dataset.layout == "esc50" else "warning",
        "No label stands for 'none of these', so every sound will get one of the labels.",
        remedy,
    )


def find_telltale(dataset: Dataset, heard: Sequence[HeardClip]) -> Iterator[Finding]:
    """Find labels that a property of the file gives away, in data of one label per clip.

    A value gives labels away where nearly all clips (nine in ten) of these labels have it and hardly any (one in ten)
    of the other labels.
    """
    if dataset.multi_label:
        return
    properties: dict[str, Callable[[HeardClip], str]] = {
        "sample rate": sample_rate_text,
        "number of channels": channels_text,
        "file type": file_type_text,
        "length": lambda one: f"{one.sound.duration_s:.2f} s",
    }
    for name, value_of in properties.items():
        counts: dict[str, Counter[str]] = {}
        for one in heard:
            counts.setdefault(one.clip.label, Counter())[value_of(one)] += 1
        told = _told_apart(counts)
        labels = [label for _, of_value in told for label in of_value]
        if labels:
            yield Finding(
                f"told_by_{name.replace(' ', '_')}",
                "warning",
                f"The {name} of its file gives {counted(len(labels), 'label')} away.",
                "A classifier may learn the recorder instead of the sound: record labels alike, or convert all files "
                "to the poorest.",
                tuple(
                    Item(label, f"{value}, {counts[label][value]} of {counted(counts[label].total(), 'clip')}")
                    for value, of_value in told
                    for label in of_value
                ),
            )


def _told_apart(counts: dict[str, Counter[str]]) -> list[tuple[str, list[str]]]:
    """Return values with the labels that they give away; but for the value of most clips, which the others imply."""
    total = Counter[str]()
    for of_label in counts.values():
        total.update(of_label)
    told = []
    for value in sorted(total):
        pure = [
            label
            for label, of_label in counts.items()
            if of_label.total() >= _FEWEST and of_label[value] >= _NEARLY_ALL * of_label.total()
        ]
        n_pure = sum(counts[label].total() for label in pure)
        n_value = sum(counts[label][value] for label in pure)
        n_others = total.total() - n_pure
        if pure and n_others >= _FEWEST and total[value] - n_value <= (1 - _NEARLY_ALL) * n_others:
            told.append((n_value, value, sorted(pure)))
    implied = max(told, default=None) if len(told) > 1 else None
    return [(value, labels) for n, value, labels in told if (n, value, labels) != implied]
