"""Which clips belong together: by their group, file or name, or because they sound the same.

`site3_001.wav` and `site3_002.wav`, or `S4A01_20190101_053000.wav` and `S4A01_20190101_054000.wav`, have a *stem* in
common and end in a counter or a time. So do `dog_001.wav` and `dog_002.wav`, which only number a class. A stem
therefore counts only where it is no label, and where it holds for a part of some class and for no more than half of
all clips.
"""

import csv
import io
import os
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cohear.data.check.spelling import bare
from cohear.data.check.survey import HeardClip
from cohear.data.clips import SEPARATOR
from cohear.data.datasets import Dataset, count_clips
from cohear.errors import UserError

_SEPARATORS = r"[\s_.-]+"
_COUNTER = re.compile(
    rf"(?:{_SEPARATORS}(?:19|20)\d{{6}}[\s_T-]?\d{{6}}Z?"  # a date and a time
    rf"|{_SEPARATORS}(?:\d+\.\d+|\d+s)[\s_-](?:\d+\.\d+|\d+s)"  # from and to, in seconds
    rf"|{_SEPARATORS}(?:part|pt|seg|segment|chunk|clip|slice|win|window|piece|take|cut)[\s_.-]*\d+"
    rf"|{_SEPARATORS}\d+(?:\.\d+)?s?"
    r"|\s*\(\d+\))$",
    re.IGNORECASE,
)
_DATE_AND_TIME = re.compile(r"(?:19|20)\d{6}[\s_T-]?\d{6}Z?")
"""A whole name: of a recorder that was left alone, whose files are recordings each."""
_TELLING = re.compile(r"[^\W\d_]|\d{5}")
"""A letter, or a number as long as an id: `03-01-06` numbers conditions, not recordings."""

_MOST_OF_CLASS, _MOST_OF_ALL = 0.8, 0.5


@dataclass(frozen=True)
class Kinship:
    """What the clips of a data set have in common, clip by clip."""

    heard: tuple[HeardClip, ...]
    stems: tuple[str | None, ...]
    """By which a clip's name says that it is a part of a recording; None for clips that have a group."""

    @cached_property
    def groups(self) -> list[str]:
        """Groups that keep everything together: a given group's name, else a stem, else a path."""
        given, files = [one.clip.group for one in self.heard], [one.clip.path for one in self.heard]
        contents = [one.sound.content for one in self.heard]
        places = _joined([one.clip.undivided_by for one in self.heard], files, self.stems, contents)
        name_of: dict[int, str] = {}
        for names in (given, self.stems, files):
            for place, name in zip(places, names, strict=True):
                if name is not None:
                    name_of.setdefault(place, name)
        return [name_of[place] for place in places]


def find_kinship(dataset: Dataset, heard: Sequence[HeardClip]) -> Kinship:
    """Look at groups, files, names and contents of clips."""
    nameless = [one.clip for one in heard if one.clip.group is None]
    # In a folder of classes the first folder is the label.
    names = [clip.path.split("/", 1)[1] if dataset.layout == "folder" else clip.path for clip in nameless]
    found = iter(shared_stems(names, [clip.labels for clip in nameless]))
    stems = tuple(next(found) if one.clip.group is None else None for one in heard)
    return Kinship(tuple(heard), stems)


def divided(kin: Iterable[str | None], folds: Iterable[int | None], least: int = 2) -> dict[str, list[int]]:
    """Return what clips of at least so many folds have in common, with these folds."""
    folds_of: dict[str, set[int]] = defaultdict(set)
    for name, fold in zip(kin, folds, strict=True):
        if name is not None and fold is not None:
            folds_of[name].add(fold)
    return {name: sorted(there) for name, there in folds_of.items() if len(there) >= least}


def shared_stems(names: Sequence[str], labels: Sequence[tuple[str, ...]]) -> list[str | None]:
    """Return the stem by which a clip belongs to a recording with others, or None.

    Args:
        names: of the clips' files, with the folders that tell them apart, and with slashes; without folders that are
            labels.
        labels: of each clip.

    Example:
        >>> shared_stems(["a_1.wav", "a_2.wav", "b_1.wav", "b_2.wav", "x.wav"], [("dog",)] * 5)
        ['a', 'a', 'b', 'b', None]
    """
    wholes = [posixpath.splitext(name)[0] for name in names]
    stems = [_stem(whole) for whole in wholes]
    # `pond.wav` belongs to `pond_1.wav` and `pond_2.wav`, whatever `pond` itself may end in.
    counted = set(stems)
    stems = [whole if whole in counted else stem for whole, stem in zip(wholes, stems, strict=True)]
    n_of_class, n_of_stem = count_clips(labels), Counter(stems)
    n_of_both = Counter((stem, label) for stem, its in zip(stems, labels, strict=True) for label in its)
    parts = {stem for (stem, label), n in n_of_both.items() if n <= _MOST_OF_CLASS * n_of_class[label]}
    bare_labels = {bare(label) for label in n_of_class}
    telling = {
        stem
        for stem in parts
        if stem is not None
        if 2 <= n_of_stem[stem] <= _MOST_OF_ALL * len(names) and bare(posixpath.basename(stem)) not in bare_labels
    }
    return [stem if stem in telling else None for stem in stems]


def sounds_folder(dataset: Dataset, folder: Path) -> Path:
    """Choose to which folder the paths of a table are relative: where it will lie if the sounds do too, else theirs."""
    is_within = Path(os.path.realpath(dataset.root)).is_relative_to(os.path.realpath(folder))
    return folder if is_within else dataset.root


def groups_table(dataset: Dataset, kinship: Kinship, folder: Path) -> str:
    """Write a CSV with path, label and group, and what else the clips have, that keeps together what belongs together.

    Folds that the data brought are kept where they divide no group, else left out.

    Args:
        dataset: the clips'.
        kinship: of the clips that can be used; others are left out.
        folder: from `sounds_folder`; paths are relative to it.

    Raises:
        UserError: where a label holds a semicolon, which in a table separates labels.
    """
    clips, groups = [one.clip for one in kinship.heard], kinship.groups
    odd = next((clip.label for clip in clips if SEPARATOR in clip.label), None)
    if odd is not None and not dataset.multi_label:
        raise UserError(f"the label '{odd}' cannot stand in a table, where '{SEPARATOR}' separates labels.")
    keeps_folds = dataset.brings_folds and not divided(groups, [clip.fold for clip in clips])
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["path", "label", "group", *(["fold"] if keeps_folds else []), "start", "end"])
    for clip, group in zip(clips, groups, strict=True):
        path = Path(os.path.relpath(dataset.root / clip.path, folder))
        blank = "./" if path.parts[0][0].isspace() else ""  # readers leave out a blank in front
        label = f"{clip.label}{SEPARATOR}" if dataset.multi_label else clip.label
        fold = [clip.fold] if keeps_folds else []
        table.writerow([f"{blank}{path.as_posix()}", label, group, *fold, clip.start_s, clip.end_s])
    return text.getvalue()


def _stem(whole: str) -> str | None:
    """Return a name without its counter; None where there is no counter or nothing telling before it.

    Example:
        >>> _stem("pond/site3_001"), _stem("S4A01_20190101_053000"), _stem("rec-5.0-10.0"), _stem("frog12")
        ('pond/site3', 'S4A01', 'rec', None)
    """
    folder, name = posixpath.split(whole)
    counter = _COUNTER.search(name)
    if counter is None or _DATE_AND_TIME.fullmatch(name) or not _TELLING.search(name[: counter.start()]):
        return None
    return posixpath.join(folder, name[: counter.start()])


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
