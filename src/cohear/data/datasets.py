"""What is in the data that a user names: a folder of classes, a table, ESC-50, annotated recordings.

Reading a data set looks at names and tables only; no sound is decoded.
"""

import dataclasses
import os
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cohear.data.annotations import is_audacity, is_raven, read_audacity, read_raven
from cohear.data.audio_files import is_audio
from cohear.data.class_counts import count_clips
from cohear.data.clips import Clip, join_labels, normalized
from cohear.data.containment import SoundFolder
from cohear.data.tables import csv_rows, has_table_name, is_table, read_table, whole_number
from cohear.data.wording import counted, some
from cohear.errors import UserError
from cohear.runtime import disk

Layout = Literal["folder", "table", "esc50", "annotations"]

_SPLIT_NAMES = {"train", "training", "test", "testing", "val", "valid", "validation", "evaluation"}
_ESC50_COLUMNS = ("filename", "fold", "category", "esc10", "src_file")


@dataclass(frozen=True)
class Dataset:
    """Clips, and where they come from."""

    name: str
    """What a report calls it."""
    root: Path
    """The folder to which the clips' paths are relative."""
    clips: tuple[Clip, ...]
    """All clips, in the order of the table, or sorted by path."""
    layout: Layout
    """How it was laid out on disk."""
    notes: tuple[str, ...] = ()
    """Sentences on what lies there and was left out."""
    folds_were_made: bool = False
    """Whether the folds are ours, made where the data brought none."""

    @property
    def multi_label(self) -> bool:
        """Whether a clip may have several labels, or none."""
        return any(clip.multi_label for clip in self.clips)

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


def read_dataset(path: Path, *, esc10: bool = False, sounds: str | Path | None = None) -> Dataset:
    """Find out how a data set is laid out and list its clips.

    Args:
        path: a folder with one sub-folder per class; a CSV, TSV or JSON-lines table; a folder laid out like
            ESC-50; a folder of recordings with Raven or Audacity labels beside them, or one such label file.
        esc10: keep only the clips of ESC-50 that belong to ESC-10.
        sounds: the folder beneath which a table's sounds lie, to which its paths are relative; None is the table's own
            (of ESC-50, the one that holds `audio/`).

    Raises:
        UserError: where nothing usable is there, a table names what lies elsewhere, or there are fewer than two
            classes.
    """
    path = Path(os.path.abspath(path))
    sounds = None if sounds is None else _sounds_folder(sounds)
    if not disk.exists(path):
        raise UserError(f"{path} does not exist: give a folder of sounds or a table (CSV, TSV, JSONL).")
    if path.name == "esc50.csv" and path.parent.name == "meta":
        path = path.parent.parent
    if (path / "meta" / "esc50.csv").is_file():
        dataset = _read_esc50(path, esc10, sounds)
    elif esc10:
        raise UserError(f"{path} is not laid out like ESC-50 (no meta/esc50.csv), so ESC-10 cannot be chosen from it.")
    elif path.is_dir():
        if sounds is not None:
            raise UserError(f"{path} is a folder and brings its sounds: give --sounds with a table only.")
        dataset = _read_folder(path)
    else:
        dataset = _read_file(path, sounds)
    _require_text(dataset)
    return _with_two_classes(dataset)


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
        raise UserError(
            f"of the classes of {dataset.name} fewer than two have at least {n_clips} clips: choose a smaller number."
        )
    clips = tuple(kept for clip in dataset.clips if (kept := _without(clip, small)) is not None)
    note = f"{counted(len(small), 'class', 'classes')} with fewer than {n_clips} clips left out: {some(small)}"
    return dataclasses.replace(dataset, clips=clips, notes=(*dataset.notes, note))


def _sounds_folder(sounds: str | Path) -> Path:
    folder = Path(os.path.abspath(sounds))
    if not folder.is_dir():
        raise UserError(f"--sounds {sounds} is no folder: give the one beneath which the sounds of the table lie.")
    return folder


def _without(clip: Clip, left_out: Container[str]) -> Clip | None:
    """Return a clip without some of its labels; None where it has no others."""
    kept = [label for label in clip.labels if label not in left_out]
    if len(kept) == len(clip.labels):
        return clip
    return dataclasses.replace(clip, label=join_labels(kept)) if kept else None


def _require_text(dataset: Dataset) -> None:
    """Refuse names that neither libsndfile nor a run's tables can take: no UTF-8, and control characters in labels."""
    for clip in dataset.clips:
        try:
            f"{clip.path}{clip.label}{clip.group}".encode()
        except UnicodeEncodeError:
            raise UserError(f"the name of {clip.path!a} is no UTF-8 text: rename the file or its folder.") from None
    for label in dataset.classes:
        if any(letter < " " or letter == "\x7f" for letter in label):
            raise UserError(f"the label {label!a} holds a line break or another control character: rename it.")


def _with_two_classes(dataset: Dataset) -> Dataset:
    """Refuse a data set in which there is nothing to tell apart."""
    classes = dataset.classes
    if len(classes) < 2:
        given = f"only the class '{classes[0]}'" if classes else "no labeled clips"
        raise UserError(f"{dataset.name} has {given}: a classifier needs at least two classes.")
    return dataset


def _read_esc50(path: Path, esc10: bool, sounds: Path | None) -> Dataset:
    """Read the layout of ESC-50 (Piczak, ACM Multimedia 2015); clips of one source recording are a group."""
    table = path / "meta" / "esc50.csv"
    rows = list(csv_rows(table, _ESC50_COLUMNS))
    is_esc10 = [row["esc10"].lower() == "true" for _, row in rows]
    if esc10:
        rows = [row for row, keep in zip(rows, is_esc10, strict=True) if keep]
    if not rows:
        raise UserError(f"{table} lists no clips{' of ESC-10' if esc10 else ''}: unpack ESC-50 again.")
    folder = SoundFolder(table, sounds, own=path)
    clips = tuple(
        Clip(
            folder.inside(f"audio/{row['filename']}", line),
            row["category"],
            whole_number(table, line, "fold", row["fold"]),
            group=row["src_file"],
        )
        for line, row in rows
    )
    return Dataset("ESC-10" if esc10 or all(is_esc10) else "ESC-50", folder.root, clips, "esc50")


def _read_file(path: Path, sounds: Path | None) -> Dataset:
    """Read one table or one label file."""
    root = sounds or path.parent
    if path.suffix.lower() in {".txt", ".csv", ".tsv"} and is_raven(path):
        return Dataset(path.stem, root, tuple(read_raven(path, sounds)), "annotations")
    if has_table_name(path):
        return Dataset(path.stem, root, tuple(read_table(path, sounds)), "table")
    if path.suffix.lower() == ".txt" and is_audacity(path):
        return Dataset(path.stem, root, tuple(read_audacity(path, sounds)), "annotations")
    raise UserError(
        f"{path} is neither a folder nor a table: give a folder with one sub-folder per class, a table "
        "(CSV, TSV, JSONL), a Raven selection table, or an Audacity label track beside its recording."
    )


def _read_folder(path: Path) -> Dataset:
    """Read sounds with annotations where there are any, else one class per sub-folder."""
    files = sorted(_visible_files(path), key=lambda file: file.as_posix())
    sounds = [file for file in files if is_audio(file)]
    if not sounds:
        raise UserError(f"{path} holds no sounds: give a folder with one sub-folder of sound files per class.")
    annotations = _annotations(path, files, sounds)
    if annotations:
        return _read_annotations(path, sounds, annotations)
    if tables := [file for file in files if len(file.parts) == 1 and is_table(path / file)]:
        raise UserError(
            f"{path} holds the table {tables[0]} beside the sounds: give {path / tables[0]} to use its labels, or "
            "move it away to use one sub-folder per class."
        )
    in_classes = [file for file in sounds if len(file.parts) > 1]
    if not in_classes:
        raise UserError(
            f"the sounds of {path} have no labels: put those of each class into a sub-folder of its own, or "
            "write a table with the columns path and label."
        )
    clips = tuple(Clip(file.as_posix(), file.parts[0]) for file in in_classes)
    classes = {clip.label for clip in clips}
    if {name.lower() for name in classes} <= _SPLIT_NAMES:
        raise UserError(
            f"the sub-folders of {path} are {some(sorted(classes))}, which are no classes: give one of "
            "them, or write a table with the columns path, label and fold."
        )
    notes = []
    if empty := sorted(_visible_folders(path) - classes):
        notes.append(f"{counted(len(empty), 'folder')} without sounds left out: {some(empty)}")
    if n_outside := len(sounds) - len(in_classes):
        notes.append(f"{counted(n_outside, 'sound file')} outside the class folders left out")
    if n_other := len(files) - len(sounds):
        notes.append(f"{counted(n_other, 'other file')} left out")
    return Dataset(path.name, path, clips, "folder", tuple(notes))


def _read_annotations(path: Path, sounds: list[Path], annotations: list[Path]) -> Dataset:
    """Read every label file of a folder; their paths become relative to it."""
    clips: dict[str, Clip] = {}
    for file in annotations:
        read = read_raven if is_raven(path / file) else read_audacity
        for clip in read(path / file):
            moved = dataclasses.replace(clip, path=normalized((file.parent / clip.path).as_posix()))
            if clips.setdefault(moved.id, moved) != moved:
                raise UserError(
                    f"{path / file}: {moved.id} is marked '{moved.label}', and '{clips[moved.id].label}' in "
                    "another label file; a clip has one label, so delete one of the two."
                )
    unlabeled = sorted({file.as_posix() for file in sounds} - {clip.path for clip in clips.values()})
    n_unlabeled = counted(len(unlabeled), "recording")
    notes = [f"{n_unlabeled} without labels left out: {some(unlabeled)}"] if unlabeled else []
    return Dataset(path.name, path, tuple(clips.values()), "annotations", tuple(notes))


def _annotations(path: Path, files: list[Path], sounds: list[Path]) -> list[Path]:
    """Return the files that are Raven tables, or Audacity tracks with their recording beside them."""
    recordings = {file.with_suffix("") for file in sounds}
    texts = [file for file in files if file.suffix.lower() == ".txt"]
    return [f for f in texts if is_raven(path / f) or (f.with_suffix("") in recordings and is_audacity(path / f))]


def _visible_files(path: Path) -> Iterable[Path]:
    """List the files below a folder, relative to it, without hidden ones and the Mac's second halves."""
    seen = set()  # a link that leads back to a folder above it would be walked round and round
    for folder, folders, files in os.walk(path, followlinks=True):
        seen.add(os.path.realpath(folder))
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and name != "__MACOSX"
            and os.path.realpath(os.path.join(folder, name)) not in seen
        ]
        yield from (Path(folder, name).relative_to(path) for name in files if not name.startswith("."))


def _visible_folders(path: Path) -> set[str]:
    """Name the folders right below a folder that may hold a class."""
    return {e.name for e in path.iterdir() if e.is_dir() and not e.name.startswith(".") and e.name != "__MACOSX"}
