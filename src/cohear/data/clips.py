"""A clip: one labeled recording, or a labeled segment of one."""

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass

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
