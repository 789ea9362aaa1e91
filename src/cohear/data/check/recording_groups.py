"""Which clips belong on the same side of a split: by their group, file or name, or because they sound the same."""

import os
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from cohear.data.check.recording_names import shared_stems
from cohear.data.check.survey import HeardClip
from cohear.data.datasets import Dataset


@dataclass(frozen=True)
class Kinship:
    """What the clips of a data set have in common, clip by clip."""

    heard: tuple[HeardClip, ...]
    by_file: tuple[str, ...]
    """Where the clip's file really lies, whatever it is called in a table."""
    stems: tuple[str | None, ...]
    """By which a clip's name says that it is a part of a recording; None for clips that have a group."""

    @property
    def by_group(self) -> list[str]:
        """What folds of our own never divide: the given group, or else the file."""
        return [one.clip.undivided_by for one in self.heard]

    @property
    def by_content(self) -> list[str | None]:
        """A hash of what is heard; None for silence."""
        return [None if one.sound.measures.is_silent else one.sound.measures.content for one in self.heard]

    @property
    def groups(self) -> list[str]:
        """Groups that keep everything together: a given group's name, else a stem, else a path."""
        places = _joined(self.by_group, self.by_file, self.stems, self.by_content)
        members = defaultdict(list)
        for row, place in enumerate(places):
            members[place].append(row)
        names = {place: self._name(rows) for place, rows in members.items()}
        return [names[place] for place in places]

    def _name(self, rows: Sequence[int]) -> str:
        given = (self.heard[row].clip.group for row in rows)
        stems = (self.stems[row] for row in rows)
        return next((name for name in (*given, *stems) if name is not None), self.heard[rows[0]].clip.path)


def find_kinship(dataset: Dataset, heard: Sequence[HeardClip]) -> Kinship:
    """Look at groups, files, names and contents of clips."""
    real = {path: os.path.realpath(dataset.root / path) for path in {one.clip.path for one in heard}}
    nameless = [row for row, one in enumerate(heard) if one.clip.group is None]
    paths = [heard[row].clip.path for row in nameless]
    if dataset.layout == "folder":  # the first folder is the label
        paths = [path.split("/", 1)[1] for path in paths]
    stems: list[str | None] = [None] * len(heard)
    for row, stem in zip(nameless, shared_stems(paths, [heard[row].clip.labels for row in nameless]), strict=True):
        stems[row] = stem
    return Kinship(tuple(heard), tuple(real[one.clip.path] for one in heard), tuple(stems))


def divided(kin: Iterable[str | None], folds: Iterable[int | None]) -> dict[str, list[int]]:
    """Return what clips of several folds have in common, with these folds."""
    folds_of = defaultdict(set)
    for name, fold in zip(kin, folds, strict=True):
        if name is not None and fold is not None:
            folds_of[name].add(fold)
    return {name: sorted(there) for name, there in folds_of.items() if len(there) > 1}


def _joined(*kins: Sequence[Hashable | None]) -> list[int]:
    """Give clips that are joined by a chain of anything in common the same number."""
    parents = list(range(len(kins[0])))

    def root(row: int) -> int:
        while parents[row] != row:
            parents[row] = parents[parents[row]]
            row = parents[row]
        return row

    for kin in kins:
        first: dict[Hashable, int] = {}
        for row, name in enumerate(kin):
            if name is not None:
                parents[root(row)] = root(first.setdefault(name, row))
    return [root(row) for row in range(len(parents))]
