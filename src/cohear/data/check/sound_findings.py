"""What is wrong with single clips: they cannot be used, hold nothing, are cut off, too short, too long."""

import os
import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from cohear.data.check.finding import Finding, Item
from cohear.data.check.overview import TrainingForm, windows_of
from cohear.data.check.survey import HeardClip, Survey, UnusableClip
from cohear.data.datasets import Dataset
from cohear.data.wording import counted, verb

_CLIPPED = 0.001
"""The share of a sound's samples on flat tops from which it counts as clipped."""

_MOST = 0.5
"""The share of a label's windows beyond which one recording is most of it."""

_MOST_FOLDERS = 1000
"""Folders that are searched for a file that is missing."""


def find_unusable(dataset: Dataset, unusable: Sequence[UnusableClip], skip_bad: bool) -> Iterator[Finding]:
    """Find files that are not there, and files that cannot be used."""
    severity = "warning" if skip_bad else "error"
    missing, broken = [c for c in unusable if c.is_missing], [c for c in unusable if not c.is_missing]
    n_clips = len(dataset.clips)
    if missing:
        n = len(missing)
        path = missing[0].clip.path
        below = _found_below(dataset, path)
        hint = f"Perhaps '{path}' is '{below}'. " if below else ""
        yield Finding(
            "missing",
            severity,
            f"{n} of {counted(n_clips, 'clip')} {verb(n, 'names a file that does', 'name files that do')} not exist.",
            f"{hint}Paths are relative to {dataset.root}. {_left_out(skip_bad, 'Correct them')}",
            tuple(Item(one.clip.id) for one in missing),
        )
    if broken:
        yield Finding(
            "unusable",
            severity,
            f"{len(broken)} of {counted(n_clips, 'clip')} cannot be used.",
            _left_out(skip_bad, "Mend or remove them"),
            tuple(Item(one.clip.id, one.reason) for one in broken),
        )


def find_flawed(heard: Sequence[HeardClip], form: TrainingForm) -> Iterator[Finding]:
    """Find clips that are silent, shorter than the network hears, cut short, or clipped."""
    silent = [one for one in heard if one.sound.measures.is_silent]
    if silent:
        yield Finding(
            "silent",
            "warning",
            f"{counted(len(silent), 'clip')} {verb(len(silent), 'is', 'are')} silent, with nothing above -80 dB.",
            "Remove silence, or label it as 'none of these'.",
            tuple(Item(one.clip.id) for one in silent),
        )
    short = sorted((one for one in heard if one.sound.duration_s < form.shortest_s), key=lambda o: o.sound.duration_s)
    if short:
        filled = f" to {form.clip_s:g} s" if form.clip_s else ""
        yield Finding(
            "short",
            "warning",
            f"{counted(len(short), 'clip')} {verb(len(short), 'is', 'are')} shorter than {form.shortest_s:.2f} s, the "
            "least that the network takes in.",
            f"Training fills {verb(len(short), 'it', 'them')} up with silence{filled}; --set data.short=repeat repeats "
            f"{verb(len(short), 'it', 'them')} instead.",
            tuple(Item(one.clip.id, f"{one.sound.duration_s:.3f} s") for one in short),
        )
    cut = [one for one in heard if one.sound.shortfall_s]
    if cut:
        yield Finding(
            "cut_short",
            "note",
            f"{counted(len(cut), 'file')} {verb(len(cut), 'ends', 'end')} before the length that "
            f"{verb(len(cut), 'it declares', 'they declare')}.",
            "Copy them again, if they were not cut on purpose; training uses what is there.",
            tuple(Item(one.clip.id, f"{one.sound.shortfall_s:.2f} s are missing") for one in cut),
        )
    clipped = sorted(
        (one for one in heard if one.sound.measures.flat_share >= _CLIPPED and not one.sound.measures.is_silent),
        key=lambda one: -one.sound.measures.flat_share,
    )
    if clipped:
        yield Finding(
            "clipped",
            "note",
            f"{counted(len(clipped), 'clip')} {verb(len(clipped), 'is', 'are')} clipped, with 0.1% of the samples or "
            "more on flat tops.",
            "Record at a lower gain.",
            tuple(Item(one.clip.id, f"{one.sound.measures.flat_share:.1%} of the samples") for one in clipped),
        )


def find_long(heard: Sequence[HeardClip], form: TrainingForm) -> Iterator[Finding]:
    """Find recordings that are cut into windows, and those of them that are most of their label."""
    windows = [(one, windows_of(one, form)) for one in heard]
    long = sorted(((one, n) for one, n in windows if n > 1), key=lambda pair: -pair[1])
    if not long:
        return
    yield Finding(
        "long",
        "note",
        f"{counted(len(long), 'clip')} {verb(len(long), 'is', 'are')} cut into {sum(n for _, n in long)} windows of "
        f"{form.clip_s:g} s, each with {verb(len(long), 'its', 'their')} label.",
        "Where that is not so, give start and end of what is, in a table or label track.",
        tuple(Item(one.clip.id, f"{n} windows") for one, n in long),
    )
    n_of_label, n_clips_of_label = Counter[str](), Counter[str]()
    for one, n in windows:
        for label in one.clip.labels:
            n_of_label[label] += n
            n_clips_of_label[label] += 1
    most = [
        Item(one.clip.id, f"{n} of {n_of_label[label]} training clips of '{label}'")
        for one, n in long
        for label in one.clip.labels
        if n > _MOST * n_of_label[label] and n_clips_of_label[label] > 2
    ]
    if most:
        yield Finding(
            "one_recording",
            "warning",
            f"{counted(len(most), 'recording')} {verb(len(most), 'is', 'are')} more than half of "
            f"{verb(len(most), 'its label', 'their labels')}.",
            "Use a shorter part, or add recordings.",
            tuple(most),
        )


def find_emptied(dataset: Dataset, survey: Survey, skip_bad: bool) -> Iterator[Finding]:
    """Find labels of which no clip can be used."""
    heard = {label for one in survey.heard for label in one.clip.labels}
    emptied = [label for label in dataset.classes if label not in heard]
    if emptied and (heard or skip_bad):
        too_few = len(dataset.classes) - len(emptied) < 2
        yield Finding(
            "emptied",
            "error" if too_few or not skip_bad else "warning",
            f"No clip of {counted(len(emptied), 'label')} can be used"
            + (", and a classifier needs at least two labels." if too_few else "."),
            items=tuple(Item(label) for label in emptied),
        )


def _left_out(skip_bad: bool, otherwise: str) -> str:
    return "They are left out (--skip-bad)." if skip_bad else f"{otherwise}, or leave them out with --skip-bad."


def _found_below(dataset: Dataset, path: str) -> str | None:
    """Look for a file of the same name in the folders below the data set's root."""
    name = posixpath.basename(path)
    folders = (folder for folder, _, files in islice(os.walk(dataset.root), _MOST_FOLDERS) if name in files)
    found = next(folders, None)
    return None if found is None else (Path(found).relative_to(dataset.root) / name).as_posix()
