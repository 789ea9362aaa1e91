"""The answer 'none of these': a label that stands for it, or clips cut from where annotated recordings have no label.

A classifier without it gives every sound one of its labels.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cohear import keys
from cohear.data.audio_files import AudioInfo
from cohear.data.clips import Clip
from cohear.data.datasets import Dataset
from cohear.data.fitting import window_starts
from cohear.data.headers import duration_s
from cohear.data.wording import counted, quoted, verb
from cohear.errors import UserError, nearest

_MARGIN_S = 0.1
"""Seconds kept from a labeled segment: annotators cut close, and rooms ring on."""

_N_NAMED = 8
"""Labels that an error names."""


@dataclass(frozen=True)
class _Place:
    """Where a clip can be cut."""

    near: Clip
    """The labeled segment nearest to it."""
    start_s: float
    """Seconds from the beginning of the recording."""


def with_background(dataset: Dataset, name: str, clip_s: float, files: Mapping[str, AudioInfo]) -> Dataset:
    """Return the data set with clips of 'none of these', where it has none yet; a note says what stands for it.

    Where `name` is one of its labels, that label stands for it, and in multi-label data the clips without a label do.
    Otherwise clips are cut from the recordings that have labeled segments, nowhere nearer to one than a tenth of a
    second, spread evenly over what is left: as many as the class in the middle has (by number of clips, after cutting
    into windows) or as many as fit, and as long as the labeled segments are, at most `clip_s`. Recordings without a
    labeled segment are not used: perhaps nobody listened to them. A clip has the fold and the group of the segment
    nearest to it.

    Args:
        dataset: with every labeled segment that is known: nothing dropped yet.
        name: the label that such clips get; in multi-label data they get none.
        clip_s: seconds, > 0.
        files: from the headers, by path; recordings that are not there are passed over.

    Raises:
        UserError: where there is no such label, and no place to cut such clips from.
    """
    if name in dataset.classes:
        return _noted(dataset, f"the label '{name}' stands for 'none of these'")
    if n_unlabeled := sum(not clip.labels for clip in dataset.clips):
        stand = f"{counted(n_unlabeled, 'clip')} without a label {verb(n_unlabeled, 'stands', 'stand')}"
        return _noted(dataset, f"{stand} for 'none of these'")
    if all(clip.start_s is None and clip.end_s is None for clip in dataset.clips):
        raise UserError(
            f"{dataset.name} has no label '{name}'{nearest(name, dataset.classes)}, and no segments of recordings "
            f"between which background could be cut: its labels are {quoted(dataset.classes, _N_NAMED)}."
        )
    clips = _cut(dataset, "" if dataset.multi_label else name, clip_s, files)
    if not clips:
        raise UserError(
            f"the labeled segments of {dataset.name} leave no {clip_s:g} s without a label, {_MARGIN_S:g} s away from "
            f"them: choose shorter clips by --set data.clip_s, or label some background '{name}' yourself."
        )
    labeled = "without a label" if dataset.multi_label else f"of '{name}'"
    note = (
        f"{counted(len(clips), 'clip')} {labeled} (none of these) cut from the unlabeled parts of "
        f"{counted(len({clip.path for clip in clips}), 'recording')}; recordings without any label are not used"
    )
    return _noted(dataclasses.replace(dataset, clips=(*dataset.clips, *clips)), note)


def _cut(dataset: Dataset, label: str, clip_s: float, files: Mapping[str, AudioInfo]) -> list[Clip]:
    """Choose clips between the labeled segments."""
    lengths_s = [_length_s(clip, clip_s, files) for clip in dataset.clips]
    places = _spread(_places(dataset, clip_s, files), _middle_size(dataset, lengths_s, clip_s))
    if not places:
        return []
    # As long as the labeled segments, lest what fills up short clips tell background from them.
    like_them = np.quantile(np.minimum(lengths_s, clip_s), (np.arange(len(places)) + 0.5) / len(places))
    drawn = keys.permutation(keys.key(0, "background"), len(places))
    return [
        dataclasses.replace(place.near, label=label, start_s=place.start_s, end_s=round(place.start_s + length_s, 3))
        for place, length_s in zip(places, like_them[drawn].tolist(), strict=True)
    ]


def _places(dataset: Dataset, clip_s: float, files: Mapping[str, AudioInfo]) -> list[_Place]:
    """List every place for a clip, recording by recording."""
    segments: dict[str, list[Clip]] = {}
    for clip in dataset.clips:
        segments.setdefault(clip.path, []).append(clip)
    places = []
    for path, labeled in segments.items():
        if path not in files:
            continue
        for first_s, last_s in _free_parts(labeled, files[path].duration_s):
            n = max(0, int((last_s - first_s) / clip_s))
            between_s = (last_s - first_s - n * clip_s) / (n + 1)
            for index in range(n):
                start_s = round(first_s + between_s + index * (clip_s + between_s), 3)
                near = min(labeled, key=lambda clip: _distance_s(clip, start_s, start_s + clip_s))
                places.append(_Place(near, start_s))
    return places


def _free_parts(labeled: Sequence[Clip], file_s: float) -> Iterator[tuple[float, float]]:
    """Yield where in a recording no segment is near: begin and end, seconds; some have no length."""
    free_from_s = 0.0
    for clip in sorted(labeled, key=lambda clip: clip.start_s or 0.0):
        yield free_from_s, min((clip.start_s or 0.0) - _MARGIN_S, file_s)
        free_from_s = max(free_from_s, min(_end_s(clip), file_s) + _MARGIN_S)
    yield free_from_s, file_s


def _distance_s(clip: Clip, start_s: float, end_s: float) -> float:
    """Seconds between a segment and another that does not overlap it."""
    return max((clip.start_s or 0.0) - end_s, start_s - _end_s(clip))


def _end_s(clip: Clip) -> float:
    return math.inf if clip.end_s is None else clip.end_s


def _length_s(clip: Clip, clip_s: float, files: Mapping[str, AudioInfo]) -> float:
    """Seconds of a segment; `clip_s` where a file does not say them."""
    return duration_s(clip, files.get(clip.path)) or clip_s


def _middle_size(dataset: Dataset, lengths_s: Sequence[float], clip_s: float) -> int:
    """Return the number of clips, or windows, of the class in the middle."""
    counts = Counter[str]()
    for clip, length_s in zip(dataset.clips, lengths_s, strict=True):
        for label in clip.labels:
            counts[label] += len(window_starts(round(1000 * length_s), round(1000 * clip_s)))
    return math.ceil(np.median(list(counts.values())))


def _spread(places: Sequence[_Place], n: int) -> list[_Place]:
    """Choose at most `n` places, spread evenly over all."""
    n = min(n, len(places))
    return [places[int((index + 0.5) * len(places) / n)] for index in range(n)]


def _noted(dataset: Dataset, note: str) -> Dataset:
    return dataclasses.replace(dataset, notes=(*dataset.notes, note))
