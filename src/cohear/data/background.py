"""The answer 'none of these': a label that stands for it, or clips cut from where annotated recordings have no label.

A classifier without it gives every sound one of its labels.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from cohear import keys
from cohear.data.audio_files import AudioInfo
from cohear.data.clips import Clip, Clips
from cohear.data.datasets import Dataset, count_clips
from cohear.data.headers import duration_s
from cohear.data.wording import counted, quoted
from cohear.errors import UserError, nearest

_GOLDEN = (math.sqrt(5) - 1) / 2
"""Multiples of it, modulo one, spread evenly however many there are."""
_MARGIN_S = 0.1
"""Seconds kept from a labeled segment: annotators cut close, and rooms ring on."""


def with_background(dataset: Dataset, name: str, clip_s: float, files: Mapping[str, AudioInfo]) -> Dataset:
    """Return the data set with clips of 'none of these', where it has none yet; a note says what stands for it.

    Where `name` is one of its labels, that label stands for it, and in multi-label data the clips without a label do.
    Otherwise clips are cut from the recordings that have labeled segments, nowhere nearer to one than a tenth of a
    second, spread evenly over what is left: as many as the class in the middle has or as many as fit, and as long as
    the labeled segments are, at most `clip_s`. Of recordings without a labeled segment those are used that have an
    empty label file, in turn with the others; to the rest perhaps nobody listened. A clip has the fold and the group of
    the segment nearest to it, where there is one.

    Args:
        dataset: with every labeled segment that is known: nothing dropped yet.
        name: the label that such clips get; in multi-label data they get none.
        clip_s: seconds, > 0.
        files: from the headers, by path; recordings that are not there are passed over.

    Raises:
        UserError: where there is no such label, and no place to cut such clips from.
    """
    if name in dataset.classes:
        return dataset.with_note(f"the label '{name}' stands for 'none of these'")
    if n_unlabeled := sum(not clip.labels for clip in dataset.clips):
        return dataset.with_note(f"clips without a label ({n_unlabeled}) stand for 'none of these'")
    if not any(clip.is_segment for clip in dataset.clips):
        guess = nearest(name, dataset.classes) or f": its labels are {quoted(dataset.classes)}"
        raise UserError(f"{dataset.name} has no label '{name}', and no segments to cut background between{guess}.")
    clips = _cut(dataset, () if dataset.multi_label else (name,), clip_s, files)
    if not clips:
        remedy = f"choose shorter clips by --set data.clip_s, or label some background '{name}' yourself"
        raise UserError(f"the labeled segments of {dataset.name} leave no {clip_s:g} s between them: {remedy}.")
    cut = f"{counted(len(clips), 'clip')} of 'none of these' cut from the unlabeled parts of recordings with labels"
    if dataset.reviewed:
        cut += f", and from {counted(len(dataset.reviewed), 'recording')} whose label file is empty"
    return dataclasses.replace(dataset, clips=Clips.of(chain(dataset.clips, clips))).with_note(cut)


def _cut(dataset: Dataset, labels: tuple[str, ...], clip_s: float, files: Mapping[str, AudioInfo]) -> list[Clip]:
    """Choose clips between the labeled segments."""
    # Of a segment whose file does not say how long it is, as if it were one clip.
    lengths_s = [duration_s(clip, files.get(clip.path)) or clip_s for clip in dataset.clips]
    places = list(_places(dataset, clip_s, files))
    if dataset.reviewed:  # a long one of these would give all
        places = _in_turn(places)
    n_of_label = list(count_clips(clip.labels for clip in dataset.clips).values())
    n = min(len(places), math.ceil(np.median(n_of_label)))
    if not n:
        return []
    # As long as the labeled segments, lest what fills up short clips tell background from them.
    like_them = np.quantile(np.minimum(lengths_s, clip_s), (np.arange(n) + 0.5) / n)
    drawn = like_them[keys.permutation(keys.key(0, "background"), n)].tolist()
    spread = [places[int((index + 0.5) * len(places) / n)] for index in range(n)]
    chosen = places[:n] if dataset.reviewed else spread
    return [
        dataclasses.replace(near, labels=labels, start_s=start_s, end_s=round(start_s + length_s, 3))
        for (near, start_s), length_s in zip(chosen, drawn, strict=True)
    ]


def _in_turn(places: Sequence[tuple[Clip, float]]) -> list[tuple[Clip, float]]:
    """Take places from one recording after the other, from each the ones that are spread over it first."""
    of_file: dict[str, list[tuple[Clip, float]]] = {}
    for place in places:
        of_file.setdefault(place[0].path, []).append(place)
    for path, its in of_file.items():
        order = sorted(range(len(its)), key=lambda index: index * _GOLDEN % 1)
        of_file[path] = [its[index] for index in order]
    longest = max(map(len, of_file.values()), default=0)
    return [its[turn] for turn in range(longest) for its in of_file.values() if turn < len(its)]


def _places(dataset: Dataset, clip_s: float, files: Mapping[str, AudioInfo]) -> Iterator[tuple[Clip, float]]:
    """Yield every place for a clip, recording by recording: the nearest labeled segment, and the start in seconds."""
    segments: dict[str, list[Clip]] = {path: [] for path in dataset.reviewed}
    for clip in dataset.clips:
        segments.setdefault(clip.path, []).append(clip)
    for path, labeled in segments.items():
        for first_s, last_s in _free_parts(labeled, files[path].duration_s) if path in files else ():
            n = max(0, int((last_s - first_s) / clip_s))
            between_s = (last_s - first_s - n * clip_s) / (n + 1)
            for index in range(n):
                start_s = round(first_s + between_s + index * (clip_s + between_s), 3)
                away_s = [max((c.start_s or 0.0) - start_s - clip_s, start_s - _end_s(c)) for c in labeled]
                yield labeled[int(np.argmin(away_s))] if labeled else Clip(path, ()), start_s


def _free_parts(labeled: Sequence[Clip], file_s: float) -> Iterator[tuple[float, float]]:
    """Yield where in a recording no segment is near: begin and end, seconds; some have no length."""
    free_from_s = 0.0
    for clip in sorted(labeled, key=lambda clip: clip.start_s or 0.0):
        yield free_from_s, min((clip.start_s or 0.0) - _MARGIN_S, file_s)
        free_from_s = max(free_from_s, min(_end_s(clip), file_s) + _MARGIN_S)
    yield free_from_s, file_s


def _end_s(clip: Clip) -> float:
    return math.inf if clip.end_s is None else clip.end_s
