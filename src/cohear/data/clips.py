"""A clip: one labelled recording, or a labelled segment of one."""

import posixpath
from dataclasses import dataclass


@dataclass(frozen=True)
class Clip:
    """What a data set says about one clip."""

    path: str
    """Where its file lies, with slashes: relative to the data set's root, or absolute."""
    label: str
    """The class."""
    fold: int | None = None
    """The fold in which it is a test clip, >= 0."""
    group: str | None = None
    """What it shares with clips that belong on the same side of a split: a site, a recording, an animal."""
    start_s: float | None = None
    """Where the segment begins, seconds; None is the beginning of the file."""
    end_s: float | None = None
    """Where it ends, seconds; None is the end of the file."""

    @property
    def id(self) -> str:
        """The path, and for a segment its place; unique within a data set.

        Example:
            >>> Clip("pond/june.wav", "frog", start_s=1.5, end_s=4).id
            'pond/june.wav#1.5-4'
        """
        if self.start_s is None and self.end_s is None:
            return self.path
        return segment_id(self.path, self.start_s or 0.0, self.end_s)

    @property
    def undivided_by(self) -> str:
        """What folds never divide: the group, or else the file."""
        return self.group if self.group is not None else self.path


def segment_id(path: str, start_s: float, end_s: float | None) -> str:
    """Name a segment of a file by its times in seconds, to the microsecond."""
    return f"{path}#{_shortest(start_s)}-{'' if end_s is None else _shortest(end_s)}"


def normalized(path: str) -> str:
    """Write a path in one way, so that one file has one name.

    Example:
        >>> normalized("./pond//june.wav")
        'pond/june.wav'
    """
    return posixpath.normpath(path.strip())


def _shortest(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")
