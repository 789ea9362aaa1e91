"""What a data set holds, in numbers: clips, hours, labels, rates, channels, lengths."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from cohear.data.check.sounds import HeardClip
from cohear.data.datasets import Dataset
from cohear.data.decoding import window_starts

Counts = tuple[tuple[str, int], ...]
"""Values in words, the most frequent first, with the number of clips that have them."""

PROPERTIES: dict[str, Callable[[HeardClip], str]] = {
    "sample rate": lambda one: f"{one.sound.sample_rate} Hz",
    "number of channels": lambda one: {1: "mono", 2: "stereo"}.get(n := one.sound.n_channels, f"{n} channels"),
    "file type": lambda one: PurePosixPath(one.clip.path).suffix.lower().removeprefix("."),
    "length": lambda one: f"{one.sound.duration_s:.2f} s",
}
"""What a clip's file is like, in words."""


@dataclass(frozen=True)
class TrainingForm:
    """What training makes of a sound."""

    sample_rate: int
    """Hz."""
    clip_s: float | None
    """Seconds of a clip; None where not one file can be opened."""
    shortest_s: float
    """Seconds of the shortest sound that fills the network's smallest input."""


@dataclass(frozen=True)
class LabelFacts:
    """What there is of one label."""

    label: str
    n_clips: int
    n_windows: int
    """Clips that training will see: a long recording is cut into several."""
    n_recordings: int
    """Groups, or else files, that folds do not divide."""
    duration_s: float
    """Seconds in all."""


@dataclass(frozen=True)
class Overview:
    """The numbers of a data set; but for `n_clips` and `n_files`, of the clips that can be used."""

    n_clips: int
    n_files: int
    n_windows: int
    """Clips that training will see."""
    n_unlabeled: int
    """Clips of multi-label data that have no label."""
    duration_s: float
    """Seconds in all."""
    shortest_s: float
    """Seconds of the shortest clip; 0 where none can be used, like the next two."""
    median_s: float
    """Seconds."""
    longest_s: float
    """Seconds."""
    labels: tuple[LabelFacts, ...]
    """The largest first."""
    sample_rates: Counts
    channels: Counts
    file_types: Counts
    folds: Counts
    """In their order; none where folds cannot be made."""


def summarize(dataset: Dataset, heard: Sequence[HeardClip], form: TrainingForm) -> Overview:
    """Count what is there."""
    durations_s = [one.sound.duration_s for one in heard] or [0.0]
    folds = Counter(clip.fold for clip in dataset.clips if clip.fold is not None)
    of_label: dict[str, list[HeardClip]] = {}
    for one in heard:
        for label in one.clip.labels:
            of_label.setdefault(label, []).append(one)
    labels = [
        LabelFacts(
            label,
            n_clips=len(clips),
            n_windows=sum(windows_of(one, form) for one in clips),
            n_recordings=len({one.clip.undivided_by for one in clips}),
            duration_s=sum(one.sound.duration_s for one in clips),
        )
        for label, clips in of_label.items()
    ]
    return Overview(
        n_clips=len(dataset.clips),
        n_files=len({clip.path for clip in dataset.clips}),
        n_windows=sum(windows_of(one, form) for one in heard),
        n_unlabeled=sum(not one.clip.labels for one in heard),
        duration_s=sum(durations_s),
        shortest_s=min(durations_s),
        median_s=float(np.median(durations_s)),
        longest_s=max(durations_s),
        labels=tuple(sorted(labels, key=lambda facts: (-facts.n_clips, facts.label))),
        sample_rates=_counts("sample rate", heard),
        channels=_counts("number of channels", heard),
        file_types=_counts("file type", heard),
        folds=tuple((str(fold), n) for fold, n in sorted(folds.items())),
    )


def windows_of(one: HeardClip, form: TrainingForm) -> int:
    """Return how many clips training makes of one."""
    if form.clip_s is None:
        return 1
    n_samples = max(1, round(one.sound.duration_s * form.sample_rate))
    return len(window_starts(n_samples, round(form.clip_s * form.sample_rate)))


def _counts(name: str, heard: Iterable[HeardClip]) -> Counts:
    return tuple(sorted(Counter(map(PROPERTIES[name], heard)).items(), key=lambda pair: (-pair[1], pair[0])))
