"""What is in the data that a user names: a folder of classes, a table, ESC-50, annotated recordings.

Reading a data set looks at names and tables, and at headers of recordings where times of a table may run on from one to
the next; no sound is decoded.
"""

import dataclasses
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

from cohear.data.annotations import (
    by_stem,
    is_audacity,
    is_raven,
    one_label_each,
    read_audacity,
    read_raven,
    reviewed_recording,
    why_no_track,
)
from cohear.data.audio_files import is_audio
from cohear.data.clips import Clip, Clips, normalized
from cohear.data.tables import BadLines, SoundFolder, csv_rows, has_table_name, is_table, read_table
from cohear.data.wording import counted, some
from cohear.errors import UserError
from cohear.runtime import disk

Layout = Literal["folder", "table", "esc50", "annotations"]

_UNEQUAL = 3
"""How many times the clips of the smallest class the largest may have without a word."""

_NO_CLASS = re.compile(
    r"(.*\.)?(train(ing)?|test(ing)?|val(id)?|validation|dev(elopment)?|eval(uation)?)"
    r"([ ._-]?(set|data|audio|clips|sounds|soundscapes|\d+))?|(fold|set|part|split|cv)[ _-]?\d+"
)
"""Sub-folders that say how data are divided."""
_DATE_OR_PLACE = re.compile(
    r"(19|20)\d\d[-_. ]?\d\d[-_. ]?\d\d"
    r"|(day|night|week|session|visit|site|station|plot|place|location|recorder|device|logger|sensor)s?[ ._-]?\d+"
)
"""Sub-folders that may say when and where something was recorded, and not what."""
_ESC50_COLUMNS = ("filename", "fold", "category", "esc10", "src_file")
_NOT_OURS = re.compile(
    r"__MACOSX|[@#](eaDir|Recycle|snapshot|Recently-Snapshot)|\$RECYCLE\.BIN|System Volume Information|lost\+found"
    r"|LOST\.DIR|FOUND\.\d{3}",
    re.IGNORECASE,
)
"""Folders that Macs, network drives, Windows, phones and file systems make: copies, thumbnails, what was deleted."""
_LABEL_FILES = {".txt", ".csv", ".tsv", ".textgrid", ".eaf", ".lab", ".svl"}
"""Suffixes of label files, of which only .txt is read."""
_N_NAMED = 8
"""Classes that are listed one by one."""


@dataclass(frozen=True)
class Dataset:
    """Clips, and where they come from."""

    name: str
    """What a report calls it."""
    root: Path
    """The folder to which the clips' paths are relative."""
    clips: Clips
    """All clips, in the order of the table, or sorted by path."""
    layout: Layout
    """How it was laid out on disk."""
    notes: tuple[str, ...] = ()
    """Sentences on what lies there and was left out."""
    folds_were_made: bool = False
    """Whether the folds are ours, made where the data brought none."""
    multi_label: bool = False
    """Whether a clip may have several labels, or none."""
    reviewed: tuple[str, ...] = ()
    """Recordings that were listened to and hold nothing, relative to the root: their label files are empty."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels that occur, sorted."""
        return tuple(sorted({label for clip in self.clips for label in clip.labels}))

    @property
    def folds(self) -> list[int]:
        """The folds that occur, sorted."""
        return sorted({clip.fold for clip in self.clips if clip.fold is not None})

    @property
    def brings_folds(self) -> bool:
        """Whether the data said itself which clips are tested together."""
        return bool(self.folds) and not self.folds_were_made

    def with_note(self, note: str) -> "Dataset":
        """Return the same with one more sentence."""
        return dataclasses.replace(self, notes=(*self.notes, note))


def read_dataset(
    path: Path,
    *,
    esc10: bool = False,
    sounds: str | Path | None = None,
    skip_bad: bool = False,
    fewest_classes: int = 2,
) -> Dataset:
    """Find out how a data set is laid out and list its clips.

    Args:
        path: a folder with one sub-folder per class; a CSV, TSV or JSON-lines table; a folder laid out like
            ESC-50; a folder of recordings with Raven or Audacity labels beside them, or one such label file.
        esc10: keep only the clips of ESC-50 that belong to ESC-10.
        sounds: the folder beneath which a table's sounds lie, to which its paths are relative; None is the table's own
            (of ESC-50, the one that holds `audio/`).
        skip_bad: leave out lines of tables and label tracks that cannot be used; a note says which.
        fewest_classes: that there must be.

    Raises:
        UserError: where nothing usable is there, a table names what lies elsewhere, or there are too few classes.
    """
    bad = BadLines()
    path, folder = Path(os.path.abspath(path)), None if sounds is None else Path(os.path.abspath(sounds))
    if folder is not None and not folder.is_dir():
        raise UserError(f"--sounds {sounds} is no folder: give the one beneath which the sounds of the table lie.")
    if not disk.exists(path):
        raise UserError(f"{path} does not exist: give a folder of sounds or a table (CSV, TSV, JSONL).")
    if path.name == "esc50.csv" and path.parent.name == "meta":
        path = path.parent.parent
    if (path / "meta" / "esc50.csv").is_file():
        dataset = _read_esc50(path, esc10, folder)
    elif esc10:
        raise UserError(f"{path} is not laid out like ESC-50 (no meta/esc50.csv), so ESC-10 cannot be chosen from it.")
    elif path.is_dir() and folder is not None:
        raise UserError(f"{path} is a folder and brings its sounds: give --sounds with a table only.")
    else:
        dataset = _read_folder(path, bad) if path.is_dir() else _read_file(path, folder, bad)
    for note in bad.settle(skip_bad=skip_bad):
        dataset = dataset.with_note(note)
    _require_text(dataset.clips)
    if len(classes := dataset.classes) < fewest_classes:
        given = f"only the class '{classes[0]}'" if classes else "no labeled clips"
        raise UserError(f"{dataset.name} has {given}: a classifier needs at least two classes.")
    return dataset


def drop_small(dataset: Dataset, n_clips: int) -> Dataset:
    """Leave out the classes with fewer than `n_clips` clips; a note names them.

    Clips of small classes alone go with them. A clip that has other labels too keeps those.

    Raises:
        UserError: where fewer than two classes remain.
    """
    counts = count_clips(clip.labels for clip in dataset.clips)
    small = sorted(label for label, count in counts.items() if count < n_clips)
    if not small:
        return dataset
    if len(counts) - len(small) < 2:
        raise UserError(f"fewer than two classes of {dataset.name} have {n_clips} clips: choose a smaller number.")
    clips = Clips.of(
        dataclasses.replace(clip, labels=kept)
        for clip in dataset.clips
        if (kept := tuple(label for label in clip.labels if counts[label] >= n_clips)) or not clip.labels
    )
    note = f"{counted(len(small), 'class', 'classes')} with fewer than {n_clips} clips left out: {some(small)}"
    return dataclasses.replace(dataset, clips=clips).with_note(note)


def sound_files(folder: Path, what: str) -> list[Path]:
    """List the sound files in a folder that holds nothing else, and below it, in the order of their paths within it.

    Hidden files and folders do not count. Whatever else is no sound is refused, since it may be a recording that would
    be missed without a word.

    Args:
        folder: where the files are.
        what: what they are, for messages: "impulse responses".

    Raises:
        UserError: where there is no such folder, it holds no sound file or something else beside them.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: give a folder of {what}.")
    paths = [folder / path for path in sorted(visible_files(folder), key=Path.as_posix)]
    if foreign := [path for path in paths if not is_audio(path)]:
        raise UserError(f"{foreign[0]} is no sound file: leave only {what} in a folder of them.")
    if not paths:
        raise UserError(f"{folder} holds no sound file: give a folder of {what}.")
    return paths


def count_clips(label_sets: Iterable[tuple[str, ...]]) -> Counter[str]:
    """Count the clips of each label; a clip of several counts for each.

    Example:
        >>> count_clips([("frog", "toad"), ("frog",), ()])
        Counter({'frog': 2, 'toad': 1})
    """
    return Counter(chain.from_iterable(label_sets))


def class_lines(label_sets: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Say how many clips the classes have.

    Args:
        label_sets: the labels of each clip: one, several or none.

    Example:
        >>> class_lines([("frog",)] * 2 + [("toad",)] * 2)
        ('2 classes of 2 clips each',)
        >>> class_lines([("frog",)] * 2 + [("toad",), ()])
        ('clips per class: frog 2, toad 1', 'clips with none of the labels: 1')
    """
    ranked = count_clips(label_sets).most_common()
    line = f"clips per class: {some([f'{label} {n}' for label, n in ranked], _N_NAMED)}"
    if ranked[0][1] == ranked[-1][1]:
        line = f"{len(ranked)} classes of {ranked[0][1]} clips each"
    n_without = sum(not label_set for label_set in label_sets)
    return (line, f"clips with none of the labels: {n_without}") if n_without else (line,)


def imbalance_line(label_sets: Sequence[tuple[str, ...]]) -> str | None:
    """Say what can be done where classes are of very unequal size; None where they are not.

    Example:
        >>> imbalance_line([("frog",)] * 6 + [("toad",)] * 2).partition(":")[0]
        "'frog' has 3 times as many clips as 'toad'"
    """
    ranked = count_clips(label_sets).most_common()
    (most, n_most), (fewest, n_fewest) = ranked[0], ranked[-1]
    if n_most < _UNEQUAL * n_fewest:
        return None
    return (
        f"'{most}' has {n_most / n_fewest:.0f} times as many clips as '{fewest}': --balance sampling draws the "
        "classes equally often, --balance weights makes a clip of a small class count for more"
    )


def _require_text(clips: Sequence[Clip]) -> None:
    """Refuse names that neither libsndfile nor a run's tables can take: no UTF-8, and control characters in labels."""
    for clip in clips:
        try:
            f"{clip.path}{clip.label}{clip.group}".encode()
        except UnicodeEncodeError:
            raise UserError(f"the name of {clip.path!a} is no UTF-8 text: rename the file or its folder.") from None
        if any(letter < " " or letter == "\x7f" for letter in clip.label):
            raise UserError(f"the label {clip.label!a} holds a line break or another control character: rename it.")


def _read_esc50(path: Path, esc10: bool, sounds: Path | None) -> Dataset:
    """Read the layout of ESC-50 (Piczak, ACM Multimedia 2015); clips of one source recording are a group."""
    table = path / "meta" / "esc50.csv"
    every = list(csv_rows(table, _ESC50_COLUMNS))
    of_esc10 = [row for row in every if row.text("esc10").lower() == "true"]
    rows = of_esc10 if esc10 else every
    if not rows:
        raise UserError(f"{table} lists no clips{' of ESC-10' if esc10 else ''}: unpack ESC-50 again.")
    folder = SoundFolder(table, sounds, own=path)
    clips = []
    for row in rows:
        file = folder.inside(row, f"audio/{row.text('filename')}")
        clips.append(Clip(file, (row.text("category"),), row.whole_number("fold"), row.text("src_file")))
    return Dataset("ESC-10" if len(rows) == len(of_esc10) else "ESC-50", folder.root, Clips.of(clips), "esc50")


def _read_file(path: Path, sounds: Path | None, bad: BadLines) -> Dataset:
    """Read one table or one label file."""
    root, suffix = sounds or path.parent, path.suffix.lower()
    if suffix in {".txt", ".csv", ".tsv"} and is_raven(path):
        return Dataset(path.stem, root, Clips.of(read_raven(path, sounds, bad)), "annotations")
    if has_table_name(path):
        clips, multi_label = read_table(path, sounds, bad)
        return Dataset(path.stem, root, clips, "table", multi_label=multi_label)
    if suffix == ".txt" and is_audacity(path):
        return Dataset(path.stem, root, Clips.of(read_audacity(path, sounds, bad)), "annotations")
    if suffix in {".xlsx", ".xls", ".ods"}:
        raise UserError(f"{path} is a workbook: save its sheet as CSV, and give that.")
    allowed = (
        "a folder of one sub-folder per class, a table (CSV, TSV, JSONL), a Raven table or an Audacity label track"
    )
    raise UserError(f"{path} is no data set: give {allowed}.")


def _read_folder(path: Path, bad: BadLines) -> Dataset:
    """Read sounds with annotations where there are any, else one class per sub-folder."""
    files = sorted(visible_files(path), key=Path.as_posix)
    sounds = [file for file in files if is_audio(file)]
    if not sounds:
        raise UserError(f"{path} holds no sounds: give a folder with one sub-folder of sound files per class.")
    recordings = {file.with_suffix("") for file in sounds}
    texts = [file for file in files if file.suffix.lower() == ".txt"]
    labeled = [f for f in texts if is_raven(path / f) or (f.with_suffix("") in recordings and is_audacity(path / f))]
    if labeled:
        return _read_annotations(path, sounds, labeled, files, bad)
    if tables := [file for file in files if len(file.parts) == 1 and is_table(path / file)]:
        remedy = f"give {path / tables[0]} to use its labels, or move it away to use one sub-folder per class"
        raise UserError(f"{path} holds the table {tables[0]} beside the sounds: {remedy}.")
    clips = Clips.of(Clip(file.as_posix(), (file.parts[0],)) for file in sounds if len(file.parts) > 1)
    classes = {file.parts[0] for file in sounds if len(file.parts) > 1}
    if not clips:
        remedy = "put those of each class into a sub-folder, or write a table with the columns path and label"
        remedy = "".join(_unusable_tracks(path, sounds, files)) or remedy
        raise UserError(f"the sounds of {path} have no labels: {remedy}.")
    if all(_NO_CLASS.fullmatch(name.lower()) for name in classes):
        remedy = "give one of them, or write a table with the columns path, label and fold"
        raise UserError(f"the sub-folders of {path} are {some(sorted(classes))}, which are no classes: {remedy}.")
    folders = {entry.name for entry in path.iterdir() if entry.is_dir() and is_walked(entry.name)}
    left_out = {
        "folders without sounds": sorted(folders - classes),
        "sounds outside the class folders": [file.name for file in sounds if len(file.parts) == 1],
        "other files": [file.as_posix() for file in files if not is_audio(file)],
    }
    notes = [f"{what} left out ({len(names)}): {some(names)}" for what, names in left_out.items() if names]
    if all(_DATE_OR_PLACE.fullmatch(name.lower()) for name in classes):
        notes.append("the sub-folders, which are taken for labels, are named like dates or places")
    return Dataset(path.name, path, clips, "folder", tuple(notes))


def _unusable_tracks(path: Path, sounds: Sequence[Path], files: Iterable[Path]) -> list[str]:
    """Name the first of the files that look like label tracks and are none that can be used, with the reason."""
    beside, tracks = _beside(sounds), [file for file in files if file.suffix.lower() in _LABEL_FILES]
    reasons = [f"{file} {why}" for file in tracks if (why := why_no_track(path / file, beside[file.parent]))]
    return [f"{reasons[0]}{f' (and {len(reasons) - 1} more)' if len(reasons) > 1 else ''}"] if reasons else []


def _beside(sounds: Iterable[Path]) -> dict[Path, dict[str, str]]:
    """Return the names of the sound files of each folder by their stems."""
    names: dict[Path, list[str]] = defaultdict(list)
    for sound in sounds:
        names[sound.parent].append(sound.name)
    return defaultdict(dict, {folder: by_stem(its) for folder, its in names.items()})


def _read_annotations(
    path: Path, sounds: Sequence[Path], labeled: Sequence[Path], files: Sequence[Path], bad: BadLines
) -> Dataset:
    """Read every label file of a folder; their paths become relative to it."""
    beside = _beside(sounds)

    def found() -> Iterator[tuple[str, Clip]]:
        for file in labeled:
            read = read_raven if is_raven(path / file) else read_audacity
            for clip in read(path / file, bad=bad, beside=beside[file.parent]):
                there = normalized((file.parent / clip.path).as_posix())
                yield str(path / file), dataclasses.replace(clip, path=there)

    clips = one_label_each(found(), bad)
    reviewed = {
        normalized((text.parent / recording).as_posix())
        for text in files
        if text.suffix.lower() == ".txt" and (recording := reviewed_recording(path / text, beside[text.parent]))
    }
    left_out = sorted({file.as_posix() for file in sounds} - {clip.path for clip in clips} - reviewed)
    notes = [f"{counted(len(left_out), 'recording')} without labels left out: {some(left_out)}"] if left_out else []
    known = {*labeled}
    unused = [file for file in files if file not in known]
    notes += [f"left out: {track}" for track in _unusable_tracks(path, [*map(Path, left_out)], unused)]
    return Dataset(path.name, path, Clips.of(clips), "annotations", tuple(notes), reviewed=tuple(sorted(reviewed)))


def visible_files(path: Path) -> Iterator[Path]:
    """List the files below a folder, relative to it, without hidden ones and those that systems make.

    Linked folders are walked too, each once.
    """
    seen = {os.path.realpath(path)}  # a link that leads back to a folder above it would be walked round and round
    for folder, folders, files in os.walk(path, followlinks=True):
        inside = [(os.path.islink(place := os.path.join(folder, n)), n, os.path.realpath(place)) for n in folders]
        folders.clear()
        for _, name, real in sorted(inside):  # what is a folder itself before links to it
            if is_walked(name) and real not in seen:
                seen.add(real)
                folders.append(name)
        yield from (Path(folder, name).relative_to(path) for name in files if not name.startswith("."))


def is_walked(folder: str) -> bool:
    """Tell by its name whether a folder within a data set is looked into: no hidden one, and none of a system."""
    return not folder.startswith(".") and not _NOT_OURS.fullmatch(folder)
