"""A clip: one labeled recording, or a labeled segment of one; and many of them as columns."""

import math
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, SupportsIndex, overload

import numpy as np
from jaxtyping import Bool, Int64

SEPARATOR = ";"
"""Stands between the labels of a clip that has several."""


@dataclass(frozen=True, slots=True)
class Clip:
    """What a data set says about one clip."""

    path: str
    """Where its file lies, with slashes: relative to the data set's root, or absolute."""
    labels: tuple[str, ...]
    """The classes, sorted: one, or in multi-label data several or none."""
    fold: int | None = None
    """The fold in which it is a test clip, >= 0."""
    group: str | None = None
    """What it shares with clips that belong on the same side of a split: a site, a recording, an animal."""
    start_s: float | None = None
    """Where the segment begins, seconds; None is the beginning of the file."""
    end_s: float | None = None
    """Where it ends, seconds; None is the end of the file."""

    @property
    def label(self) -> str:
        """The labels as one text.

        Example:
            >>> Clip("pond.wav", ("frog", "toad")).label
            'frog;toad'
        """
        return join_labels(self.labels)

    @property
    def is_segment(self) -> bool:
        """Whether it is a part of its file."""
        return self.start_s is not None or self.end_s is not None

    @property
    def id(self) -> str:
        """The path, and for a segment its place; unique within a data set.

        Example:
            >>> Clip("pond/june.wav", ("frog",), start_s=1.5, end_s=4).id
            'pond/june.wav#1.5-4'
        """
        return segment_id(self.path, self.start_s or 0.0, self.end_s) if self.is_segment else self.path

    @property
    def undivided_by(self) -> str:
        """What folds never divide: the group, or else the file."""
        return self.group if self.group is not None else self.path


_COLUMNS = np.dtype(
    [("path", "i4"), ("labels", "i4"), ("fold", "i4"), ("group", "i4"), ("start_s", "f8"), ("end_s", "f8")]
)
_NONE = -1
"""Instead of a fold or a group; of times it is NaN."""
_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class Clips(Sequence[Clip]):
    """Clips as columns, which give one when it is asked for: a tenth of the memory of a million objects."""

    paths: tuple[str, ...]
    """Every path, once."""
    label_sets: tuple[tuple[str, ...], ...]
    """Every set of labels, once."""
    groups: tuple[str, ...]
    """Every group, once."""
    columns: np.ndarray
    """The places of a clip's texts among these, its fold and its times, in the order of the fields of `Clip`."""

    @classmethod
    def of(cls, clips: Iterable[Clip]) -> "Clips":
        """Put clips into columns."""
        paths, label_sets, groups = dict[str, int](), dict[tuple[str, ...], int](), dict[str, int]()
        rows = (
            (
                paths.setdefault(clip.path, len(paths)),
                label_sets.setdefault(clip.labels, len(label_sets)),
                _NONE if clip.fold is None else clip.fold,
                _NONE if clip.group is None else groups.setdefault(clip.group, len(groups)),
                math.nan if clip.start_s is None else clip.start_s,
                math.nan if clip.end_s is None else clip.end_s,
            )
            for clip in clips
        )
        columns = np.fromiter(rows, _COLUMNS)
        return cls(tuple(paths), tuple(label_sets), tuple(groups), columns)

    def __len__(self) -> int:
        return len(self.columns)

    @overload
    def __getitem__(self, place: SupportsIndex) -> Clip: ...
    @overload
    def __getitem__(self, place: slice) -> "Clips": ...
    def __getitem__(self, place: SupportsIndex | slice) -> "Clip | Clips":
        if isinstance(place, slice):
            return replace(self, columns=self.columns[place])
        return self._clip(*self.columns[place].item())

    def __iter__(self) -> Iterator[Clip]:
        return (self._clip(*row) for row in rows_of(self.columns))

    def _clip(self, path: int, labels: int, fold: int, group: int, start_s: float, end_s: float) -> Clip:
        return Clip(
            self.paths[path],
            self.label_sets[labels],
            None if fold == _NONE else fold,
            None if group == _NONE else self.groups[group],
            None if math.isnan(start_s) else start_s,
            None if math.isnan(end_s) else end_s,
        )

    def with_folds(self, folds: Int64[np.ndarray, " clip"]) -> "Clips":
        """Return the same clips, each with its fold, >= 0."""
        columns = self.columns.copy()
        columns["fold"] = folds
        return replace(self, columns=columns)

    def where(self, chosen: Bool[np.ndarray, " clip"]) -> "Clips":
        """Return some of the clips."""
        return replace(self, columns=self.columns[chosen])

    def repeated(self) -> list[tuple[int, int]]:
        """Return the place of each clip whose `id` another one before it has, and the place of the first of those."""
        start_s, end_s = self.columns["start_s"], self.columns["end_s"]
        is_segment = ~(np.isnan(start_s) & np.isnan(end_s))
        start, end = (np.rint(1e6 * np.nan_to_num(s, nan=none)) for s, none in ((start_s, 0), (end_s, _NONE)))
        order = np.lexsort(told := (end, start, is_segment, self.columns["path"]))  # equal ones in their order
        is_first = np.ones(len(self), bool)
        is_first[1:] = np.any([column[order[1:]] != column[order[:-1]] for column in told], axis=0)
        firsts = order[np.maximum.accumulate(np.where(is_first, np.arange(len(self)), 0))]
        return sorted(zip(order[~is_first].tolist(), firsts[~is_first].tolist(), strict=True))


def rows_of(columns: np.ndarray) -> Iterator[tuple[Any, ...]]:
    """Give the rows of a structured array as plain values, of which few are held at a time."""
    for first in range(0, len(columns), _AT_ONCE):
        yield from columns[first : first + _AT_ONCE].tolist()


def split_labels(text: str) -> tuple[str, ...]:
    """Read labels separated by semicolons: sorted, each once, without the blanks around them.

    Example:
        >>> split_labels("toad; frog;;frog"), split_labels(";")
        (('frog', 'toad'), ())
    """
    return tuple(sorted({label.strip() for label in text.split(SEPARATOR)} - {""}))


def join_labels(labels: Iterable[str]) -> str:
    """Write labels as one text, the same for the same set."""
    return SEPARATOR.join(sorted(set(labels)))


def segment_id(path: str, start_s: float, end_s: float | None) -> str:
    """Name a segment of a file by its times in seconds, to the microsecond."""
    start, end = ("" if s is None else f"{s:.6f}".rstrip("0").rstrip(".") for s in (start_s, end_s))
    return f"{path}#{start}-{end}"


def normalized(path: str) -> str:
    """Write a path in one way, so that one file has one name.

    Example:
        >>> normalized("./pond//june.wav")
        'pond/june.wav'
    """
    return posixpath.normpath(path.strip())
