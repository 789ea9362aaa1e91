"""Which clips belong on the same side of a split: by their group or file, by their names, by equal content."""

import csv
import io
import os
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cohear.data.check.recording_names import shared_stems
from cohear.data.check.survey import HeardClip
from cohear.data.clips import SEPARATOR
from cohear.data.datasets import Dataset
from cohear.errors import UserError


@dataclass(frozen=True)
class Kinship:
    """What the clips of a data set have in common, clip by clip."""

    heard: tuple[HeardClip, ...]
    stems: tuple[str | None, ...]
    """By which a clip's name says that it is a part of a recording; None for clips that have a group."""

    @property
    def by_group(self) -> list[str]:
        """What folds never divide: the given group, or else the file."""
        return [one.clip.undivided_by for one in self.heard]

    @property
    def by_content(self) -> list[str | None]:
        """A hash of what is heard; None for silence."""
        return [None if one.sound.measures.is_silent else one.sound.measures.content for one in self.heard]

    @property
    def groups(self) -> list[str]:
        """Groups that keep everything together: a given group's name, else a stem, else a path."""
        places = _joined(self.by_group, self.stems, self.by_content)
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
    """Look at groups, names and contents of clips."""
    nameless = [row for row, one in enumerate(heard) if one.clip.group is None]
    paths = [heard[row].clip.path for row in nameless]
    if dataset.layout == "folder":  # the first folder is the label
        paths = [path.split("/", 1)[1] for path in paths]
    stems: list[str | None] = [None] * len(heard)
    for row, stem in zip(nameless, shared_stems(paths, [heard[row].clip.labels for row in nameless]), strict=True):
        stems[row] = stem
    return Kinship(tuple(heard), tuple(stems))


def groups_table(dataset: Dataset, kinship: Kinship, folder: Path) -> str:
    """Write a CSV with path, label and group, and what else the clips have, that keeps together what belongs together.

    Folds that the data brought are kept where they divide no group, else left out.

    Args:
        dataset: the clips'.
        kinship: of the clips that can be used; others are left out.
        folder: where the table will lie; paths are relative to it.

    Raises:
        UserError: where a label holds a semicolon, which in a table separates labels.
    """
    clips, groups = [one.clip for one in kinship.heard], kinship.groups
    for clip in clips:
        if SEPARATOR in clip.label and not clip.multi_label:
            raise UserError(f"the label '{clip.label}' cannot stand in a table, where '{SEPARATOR}' separates labels.")
    columns = ["path", "label", "group"]
    keeps_folds = dataset.brings_folds and not divided(groups, [clip.fold for clip in clips])
    columns += ["fold"] if keeps_folds else []
    columns += ["start", "end"] if any(clip.start_s is not None or clip.end_s is not None for clip in clips) else []
    text = io.StringIO()
    table = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    for clip, group in zip(clips, groups, strict=True):
        path = Path(os.path.relpath(dataset.root / clip.path, folder)).as_posix()
        times = {"start": clip.start_s, "end": clip.end_s}
        label = f"{clip.label}{SEPARATOR}" if dataset.multi_label else clip.label
        table.writerow({"path": path, "label": label, "group": group, "fold": clip.fold, **times})
    return text.getvalue()


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
