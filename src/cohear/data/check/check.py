"""Everything that can be found about a data set before training, in the order of its importance.

A *finding* is one sentence, with what to do and which clips or labels it is about; an *error* is a finding for which
training would be refused.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cohear.data.audio_decoding import LOUD
from cohear.data.check.kinship import Kinship, divided, find_kinship
from cohear.data.check.spelling import alike, bare
from cohear.data.check.survey import PROPERTIES, HeardClip, Overview, Survey, TrainingForm, summarize, windows_of
from cohear.data.clips import Clip
from cohear.data.datasets import Dataset, count_clips, imbalance_line
from cohear.data.decoding import MUCH_PADDING, padding_share
from cohear.data.folds import way_without
from cohear.data.wording import counted, some

Severity = Literal["error", "warning", "note"]
"""Training is refused; its result would mislead or be worse than it could be; good to know."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The most important first."""

_REGROUP = "train on the table that --groups FILE.csv writes"

_CLIPPED = 0.001
"""The share of a sound's samples at full scale from which it counts as clipped."""

_NOTHING = {"background", "noise", "none", "nothing", "other", "silence", "quiet", "ambient", "empty", "negative"}
"""What people call the label that means 'none of these'."""
_LIST, _BRACKETS = re.compile(r"\s*[,|/&+]\s*|\s+and\s+"), re.compile(r"^\s*\{\W*choices\W*:|[\[\]{}\"']")
"""How other tools separate the labels of a clip."""

_FEWEST, _NEARLY_ALL = 5, 0.9
"""Clips, of fewer of which nothing is said: that they are alike may be chance; and the share that is nearly all."""


@dataclass(frozen=True)
class Item:
    """A clip, label or pair that a finding is about."""

    name: str
    detail: str = ""
    """What is the matter with it; a sentence, a number, or nothing."""


@dataclass(frozen=True)
class Finding:
    """Something that should be known of a data set, or mended."""

    kind: str
    """A word for programs, the same whatever the data."""
    severity: Severity
    sentence: str
    """What was found."""
    remedy: str = ""
    """Sentences on what to do; empty where there is nothing."""
    items: tuple[Item, ...] = ()
    """All that it is about, the worst first or in the order of the data."""


@dataclass(frozen=True)
class Check:
    """What was found in a data set."""

    dataset: Dataset
    survey: Survey
    form: TrainingForm
    overview: Overview
    kinship: Kinship
    findings: tuple[Finding, ...]
    """Errors first."""


def can_train(findings: Iterable[Finding]) -> bool:
    """Whether training would not be refused."""
    return all(finding.severity != "error" for finding in findings)


def examine(
    dataset: Dataset,
    survey: Survey,
    form: TrainingForm,
    *,
    skip_bad: bool = False,
    background: str | None = None,
    refusals: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Check:
    """Look at a data set from all sides.

    Args:
        dataset: with folds, unless they cannot be made.
        survey: of its clips.
        form: what training makes of a sound.
        skip_bad: whether training leaves out what cannot be used.
        background: the label that was named as 'none of these'.
        refusals: sentences with which training refuses the data as a whole.
        notes: what else training says of it.
    """
    heard = survey.heard
    overview, kinship = summarize(dataset, heard, form), find_kinship(dataset, heard)

    def found() -> Iterator[Finding | None]:
        yield from (Finding("refused", "error", sentence) for sentence in refusals)
        yield from _unusable(dataset, survey, skip_bad)
        yield from _small(dataset, [one.clip for one in heard] if skip_bad else dataset.clips)
        yield from _repeated(kinship)
        yield from _leaks(kinship)
        yield from _telltale(heard, background) if not dataset.multi_label else ()
        yield from _of_labels(dataset, overview, background)
        yield from _flawed(heard, form)
        for kind, texts in (("training", notes), ("left_out", dataset.notes)):
            yield from (Finding(kind, "note", f"{text[:1].upper()}{text[1:].rstrip('.')}.") for text in texts)

    findings = sorted(filter(None, found()), key=lambda finding: SEVERITIES.index(finding.severity))
    return Check(dataset, survey, form, overview, kinship, tuple(findings))


def _if_any(kind: str, severity: Severity, what: str, remedy: str, items: Iterable[Item]) -> Finding | None:
    """Word that there are some; nothing where there are none."""
    items = tuple(items)
    return Finding(kind, severity, f"{what}: {len(items)}.", remedy, items) if items else None


def _unusable(dataset: Dataset, survey: Survey, skip_bad: bool) -> Iterator[Finding | None]:
    """Find files that are not there, files that cannot be used, and labels of which no clip can be."""
    severity, n_clips = "warning" if skip_bad else "error", counted(len(dataset.clips), "clip")
    left_out = "They are left out (--skip-bad)." if skip_bad else "Mend them, or leave them out with --skip-bad."
    missing = [Item(one.clip.id) for one in survey.unusable if one.is_missing]
    remedy = f"Paths are relative to {dataset.root}. {left_out}"
    yield _if_any("missing", severity, f"Files that do not exist, of {n_clips}", remedy, missing)
    broken = [Item(one.clip.id, one.reason) for one in survey.unusable if not one.is_missing]
    yield _if_any("unusable", severity, f"Clips that cannot be used, of {n_clips}", left_out, broken)
    usable = count_clips(one.clip.labels for one in survey.heard)
    emptied = [Item(label) for label in dataset.classes if label not in usable] if usable or skip_bad else []
    remedy = "" if len(usable) > 1 else "A classifier needs at least two labels."
    severity = "error" if remedy else severity
    yield _if_any("emptied", severity, "Labels without a clip that can be used", remedy, emptied)


def _small(dataset: Dataset, clips: Sequence[Clip]) -> Iterator[Finding | None]:
    """Find labels that are in one fold alone, which cannot be trained where it is tested."""
    n_clips = count_clips(clip.labels for clip in clips)
    places = divided(
        [label for clip in clips for label in clip.labels], [clip.fold for clip in clips for _ in clip.labels], least=1
    )
    alone = [label for label, folds in places.items() if len(folds) == 1 < len(dataset.folds)]
    alone.sort(key=lambda label: (n_clips[label], label))
    remedy = f"Add recordings, or {way_without(alone, n_clips)}."
    items = [Item(label, f"{counted(n_clips[label], 'clip')}, fold {places[label][0]}") for label in alone]
    what = "Labels in one fold alone, which cannot be trained where it is tested"
    yield _if_any("untrained", "warning", what, remedy, items)


def _repeated(kinship: Kinship) -> Iterator[Finding | None]:
    """Find sounds that occur more than once, whatever their files are called: with other labels, in other folds."""
    clips_of: dict[str, list[Clip]] = defaultdict(list)
    for one in kinship.heard:
        if one.sound.content is not None:
            clips_of[one.sound.content].append(one.clip)
    contradictory, across, within = list[Item](), list[Item](), list[Item]()
    for first, *others in clips_of.values():
        if any(clip.labels != first.labels for clip in others):
            named = some([f"{clip.id} '{clip.label}'" for clip in others], 3)
            contradictory.append(Item(f"{first.id} '{first.label}'", f"also {named}"))
        elif others:
            is_divided = len({clip.fold for clip in (first, *others)} - {None}) > 1
            (across if is_divided else within).append(Item(first.id, f"also {some([clip.id for clip in others], 3)}"))
    remedy = "Decide for one label, and remove the other copies."
    yield _if_any("contradictory", "warning", "Sounds that occur with different labels", remedy, contradictory)
    remedy, what = f"Remove the copies, or {_REGROUP}.", "Sounds that occur in several folds, trained on and tested"
    yield _if_any("repeated_across_folds", "warning", what, remedy, across)
    remedy = f"Remove the copies, or {_REGROUP}, unless they are meant to count for more."
    yield _if_any("repeated", "note", "Sounds that occur more than once", remedy, within)


def _leaks(kinship: Kinship) -> Iterator[Finding | None]:
    """Find what is in several folds and should be in one: a group or file, a recording by its name."""
    clips = [one.clip for one in kinship.heard]
    said = set[str]()
    for kind, what, the, kin in (
        ("divided_groups", "Groups or files that the folds divide", "The", [clip.undivided_by for clip in clips]),
        ("divided_recordings", "Recordings, by their names, that the folds divide", "If so, the", kinship.stems),
    ):
        rest = [(clip, name) for clip, name in zip(clips, kin, strict=True) if clip.undivided_by not in said]
        clips_of: dict[str | None, list[Clip]] = defaultdict(list)
        for clip, name in rest:
            clips_of[name].append(clip)
        items = []
        for name, folds in divided([name for _, name in rest], [clip.fold for clip, _ in rest]).items():
            theirs = clips_of[name]
            paths = some(list(dict.fromkeys(clip.path for clip in theirs)), 2)
            detail = f"{counted(len(theirs), 'clip')}: {paths} in folds {', '.join(map(str, folds))}"
            items.append(Item(name, detail))
            said.update(clip.undivided_by for clip in theirs)
        yield _if_any(kind, "warning", what, f"{the} accuracy will be too good to be true: {_REGROUP}.", items)


def _telltale(heard: Sequence[HeardClip], background: str | None) -> Iterator[Finding | None]:
    """Find labels that a property of the file gives away, in data of one label per clip.

    A value gives labels away where nearly all clips (nine in ten) of these labels have it and hardly any (one in ten)
    of the other labels; but for the value of most clips, which the others imply, and the level of background, which is
    soft.
    """
    remedy = (
        "A classifier may learn the recorder instead of the sound: record labels alike, or convert all files alike."
    )
    for name, value_of in PROPERTIES.items():
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for one in heard:
            if (name, one.clip.label) != ("level", background):
                counts[one.clip.label][value_of(one)] += 1
        told: list[tuple[int, str, list[str]]] = []
        for value in sorted({value for of_label in counts.values() for value in of_label}):
            pure = sorted(
                label for label, n in counts.items() if n.total() >= _FEWEST and n[value] >= _NEARLY_ALL * n.total()
            )
            others = [n for label, n in counts.items() if label not in pure]
            n_others = sum(n.total() for n in others)
            if pure and n_others >= _FEWEST and sum(n[value] for n in others) <= (1 - _NEARLY_ALL) * n_others:
                told.append((sum(counts[label][value] for label in pure), value, pure))
        if len(told) > 1:
            told.remove(max(told))
        items = [
            Item(label, f"{value}, {counts[label][value]} of {counted(counts[label].total(), 'clip')}")
            for _, value, labels in told
            for label in labels
        ]
        what = f"Labels that the {name} of their files gives away"
        yield _if_any(f"told_by_{name.replace(' ', '_')}", "warning", what, remedy, items)


def _of_labels(dataset: Dataset, overview: Overview, background: str | None) -> Iterator[Finding | None]:
    """Find labels written in two ways or of unequal size, and that nothing stands for 'none of these'."""
    n = {facts.label: facts.n_clips for facts in overview.labels}
    pairs = [Item(f"'{one}' ({n[one]}) and '{other}' ({n[other]})") for one, other in alike(n)]
    remedy = "Rename one of the two, if they mean the same."
    yield _if_any("labels_alike", "warning", "Pairs of labels that look like one label", remedy, pairs)

    combined = [label for label in n if len(parts := _listed(label)) > 1 and all(parts) and _are_labels(parts, n)]
    items = [Item(f"'{label}'", f"{counted(n[label], 'clip')}") for label in combined if not dataset.multi_label]
    remedy = "If clips have several labels, separate them by semicolons, as in frog;toad; then each is learned."
    yield _if_any("labels_combined", "warning", "Labels that are made of other labels", remedy, items)
    yield from _overlapping(dataset) if not dataset.multi_label else ()

    windows = [(facts.label,) for facts in overview.labels for _ in range(facts.n_windows)]
    if windows and (line := imbalance_line(windows)):
        yield Finding("imbalance", "warning", f"Counted as training does, {line}.")

    if background is not None or dataset.multi_label:
        return
    remedy = "Record what else will be heard under a label of its own, and name that to training: --background NAME."
    if meant := [label for label in n if bare(label) in _NOTHING]:
        remedy = f"If '{meant[0]}' does, say so: --background '{meant[0]}'."
    if any(clip.is_segment for clip in dataset.clips):
        remedy = "--background NAME cuts clips of it from the unlabeled parts of the recordings."
    what = "No label is named that stands for 'none of these', so every sound will get one of the labels."
    yield Finding("no_background", "note" if dataset.layout == "esc50" else "warning", what, remedy)


def _are_labels(parts: Sequence[str], labels: Iterable[str]) -> bool:
    """Tell whether all parts are labels, or parts of other labels made of several."""
    known = Counter(part for label in labels for part in {label, *_listed(label)})
    return all(known[part] > 1 for part in parts)


def _listed(label: str) -> list[str]:
    """Divide a label where it may be a list of several, as `low, high` or `['low', 'high']`."""
    return [part.strip() for part in _LIST.split(_BRACKETS.sub("", label))]


def _overlapping(dataset: Dataset) -> Iterator[Finding | None]:
    """Find segments of which more than half is covered by one of another label."""
    by_file: dict[str, list[Clip]] = defaultdict(list)
    for clip in dataset.clips:
        if clip.start_s is not None and clip.end_s is not None:
            by_file[clip.path].append(clip)
    items = []
    for clips in by_file.values():
        clips.sort(key=lambda clip: clip.start_s or 0.0)
        for index, clip in enumerate(clips):
            for place in range(index + 1, len(clips)):
                other = clips[place]
                start_s, end_s = other.start_s or 0.0, min(clip.end_s or 0.0, other.end_s or 0.0)
                if start_s >= (clip.end_s or 0.0):
                    break
                if clip.labels == other.labels:
                    continue
                shorter_s = min((its.end_s or 0.0) - (its.start_s or 0.0) for its in (clip, other))
                if end_s - start_s > shorter_s / 2:
                    items.append(
                        Item(f"{clip.id} '{clip.label}'", f"{other.start_s:g} to {other.end_s:g} s '{other.label}'")
                    )
    remedy = "Decide for one; or give a table in which the segment has both labels, separated by a semicolon."
    what = "Segments that overlap by more than half with one of another label"
    yield _if_any("overlapping", "warning", what, remedy, items)


def _flawed(heard: Sequence[HeardClip], form: TrainingForm) -> Iterator[Finding | None]:
    """Find clips that are silent, shorter than the network hears, cut short, clipped, or cut into windows."""
    silent = [Item(one.clip.id) for one in heard if one.sound.is_silent]
    remedy = "Remove silence, or label it as 'none of these'."
    yield _if_any("silent", "warning", "Silent clips, with nothing above -80 dB", remedy, silent)

    cancelled = [Item(one.clip.id) for one in heard if one.sound.cancels]
    what = "Sounds whose channels cancel each other when they are mixed to mono, as training does"
    yield _if_any("cancelled", "warning", what, "Give one channel of them alone.", cancelled)

    short = sorted((one.sound.duration_s, one.clip.id) for one in heard if one.sound.duration_s < form.shortest_s)
    what = f"Clips shorter than {form.shortest_s:.2f} s, the least that the network takes in"
    remedy = "Training fills them up with silence; --set data.short=repeat repeats them instead."
    yield _if_any("short", "warning", what, remedy, [Item(name, f"{length_s:.3f} s") for length_s, name in short])

    if form.clip_s and form.short == "pad":
        n_rows = [windows_of(one, form) for one in heard]
        share = padding_share([one.sound.duration_s for one in heard], n_rows, form.clip_s)
        if share > MUCH_PADDING:
            what = f"{share:.0%} of what training hears is padding, by which clips may be told apart."
            remedy = "Choose a shorter length by --set data.clip_s, or --set data.short=repeat."
            yield Finding("padding", "warning", what, remedy)

    cut = [Item(one.clip.id, f"{one.sound.shortfall_s:.2f} s are missing") for one in heard if one.sound.shortfall_s]
    remedy = "Copy them again, if they were not cut on purpose; training uses what is there."
    yield _if_any("cut_short", "note", "Files that end before the length that they declare", remedy, cut)

    loud = {one.clip.id: f"up to {one.sound.peak:.3g}" for one in heard if one.sound.peak > LOUD}
    remedy = "Export floats with a full scale of 1: a classifier tells the scale as well as the sound."
    items = [Item(name, detail) for name, detail in loud.items()]
    yield _if_any("loud", "note", "Sounds far beyond full scale, which is 1", remedy, items)

    measured = ((one.sound.clipped_share, one.clip.id) for one in heard)
    clipped = sorted((-share, name) for share, name in measured if share >= _CLIPPED and name not in loud)
    what = "Clipped sounds, with 0.1% of the samples or more at full scale"
    items = [Item(name, f"{-share:.1%} of the samples") for share, name in clipped]
    yield _if_any("clipped", "note", what, "Record at a lower gain.", items)

    long = sorted((-n, one.clip.id) for one in heard if (n := windows_of(one, form)) > 1)
    what = f"Recordings that are cut into windows of {form.clip_s or 0:g} s, each with their label"
    remedy = "Where that is not so, give start and end of what is, in a table or label track."
    yield _if_any("long", "note", what, remedy, [Item(name, f"{-n} windows") for n, name in long])
