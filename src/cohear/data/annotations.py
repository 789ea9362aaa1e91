r"""Labeled segments of long recordings: Raven selection tables and Audacity label tracks.

A Raven table is a text separated by tabs, with `Begin Time (s)` and `End Time (s)`; it names its recording in
`Begin File` or by its own name (`pond.Table.1.selections.txt` lies beside `pond.wav`). An Audacity label
track is a text with lines `start\tend\tlabel`, exported beside its recording under the same name; a line that
begins with a backslash gives the frequencies of the label before and is skipped.
"""

import re
from pathlib import Path, PureWindowsPath

from cohear.data.audio_files import is_audio
from cohear.data.clips import Clip
from cohear.data.containment import SoundFolder
from cohear.data.tables import Row, csv_rows, number, read_text, require_segment
from cohear.errors import UserError

_RAVEN_BEGIN, _RAVEN_END, _RAVEN_OFFSET = "begin time (s)", "end time (s)", "file offset (s)"
_RAVEN_LABELS = ("species", "annotation", "label", "code", "common name")
_RAVEN_NAME = re.compile(r"(\.Table\.\d+)?\.selections$", re.IGNORECASE)
_AUDACITY_LINE = re.compile(r"\d+([.,]\d+)?\t\d+([.,]\d+)?\t")


def is_raven(path: Path) -> bool:
    """Tell by its header whether a text file is a Raven selection table."""
    return _RAVEN_BEGIN in _first_line(path).lower().split("\t")


def is_audacity(path: Path) -> bool:
    """Tell by its first line whether a text file is an Audacity label track."""
    return bool(_AUDACITY_LINE.match(_first_line(path)))


def read_raven(path: Path, sounds: Path | None = None) -> list[Clip]:
    """Read the clips of a Raven selection table.

    Args:
        path: the table.
        sounds: the folder of the recordings; None is the table's own.

    Raises:
        UserError: where a column or value is missing or wrong, the recording is not there, or a path leads out of the
            folder.
    """
    folder = SoundFolder(path, sounds)
    clips: dict[str, Clip] = {}
    for line, row in csv_rows(path, (_RAVEN_BEGIN, _RAVEN_END)):
        label_column = next((name for name in _RAVEN_LABELS if name in row), None)
        if label_column is None:
            raise UserError(
                f"{path} has no column for the label (Species, Annotation, Label, Code or Common Name): its "
                f"columns are {', '.join(row)}."
            )
        if not row[label_column]:
            raise UserError(f"{path}, line {line}, column {label_column}: the value is missing.")
        start_s = number(path, line, "Begin Time (s)", row[_RAVEN_BEGIN])
        end_s = number(path, line, "End Time (s)", row[_RAVEN_END])
        require_segment(path, line, start_s, end_s)
        if row.get(_RAVEN_OFFSET):
            # In a table over several files the times run on from file to file; the offset is within the file.
            offset_s = number(path, line, "File Offset (s)", row[_RAVEN_OFFSET])
            start_s, end_s = offset_s, offset_s + end_s - start_s
        clip = Clip(_raven_recording(folder, line, row), row[label_column], start_s=start_s, end_s=end_s)
        # Raven lists a selection once for each of its views, waveform and spectrogram.
        if clips.setdefault(clip.id, clip) != clip:
            raise _two_labels(path, line, clip, clips[clip.id])
    return list(clips.values())


def read_audacity(path: Path, sounds: Path | None = None) -> list[Clip]:
    """Read the clips of an Audacity label track.

    Args:
        path: the track.
        sounds: the folder of its recording; None is the track's own.

    Raises:
        UserError: where a line is wrong or the recording is not there.
    """
    folder = SoundFolder(path, sounds)
    recording = _recording(folder.root, path.stem)
    if recording is None:
        place = "beside it" if sounds is None else f"in {folder.root}"
        raise UserError(f"{path} labels a recording {path.stem}.wav (or .flac, .mp3, ...), which is not {place}.")
    clips: dict[str, Clip] = {}
    for line, text in enumerate(read_text(path).split("\n"), start=1):
        if not text.strip() or text.startswith("\\"):
            continue
        start, end, label, *_ = (*text.split("\t"), "", "")
        start_s, end_s = number(path, line, "start", start), number(path, line, "end", end)
        require_segment(path, line, start_s, end_s)
        if not label.strip():
            raise UserError(f"{path}, line {line}: the label is missing; name it or delete it in Audacity.")
        clip = Clip(recording, label.strip(), start_s=start_s, end_s=end_s)
        if clips.setdefault(clip.id, clip) != clip:
            raise _two_labels(path, line, clip, clips[clip.id])
    return list(clips.values())


def _first_line(path: Path) -> str:
    """Return the first line of a plain file, or nothing where it is none."""
    if not path.is_file():
        return ""
    try:
        with open(path, "rb") as file:
            return file.readline(4096).decode("utf-8-sig", errors="replace").rstrip("\r\n")
    except OSError:
        return ""


def _two_labels(path: Path, line: int, clip: Clip, other: Clip) -> UserError:
    """Refuse a segment that is two things at once."""
    return UserError(
        f"{path}, line {line}: {clip.id} is marked '{clip.label}' and '{other.label}'; a clip has one "
        "label, so delete one of the two."
    )


def _raven_recording(folder: SoundFolder, line: int, row: Row) -> str:
    """Find the recording of a selection: by `Begin File`, by `Begin Path`, or by the table's own name."""
    table, full_path = folder.table, row.get("begin path", "")
    # Raven often runs on Windows, and the table then travels with the sounds to another machine.
    name = row.get("begin file") or PureWindowsPath(full_path).name
    if not name:
        stem = _RAVEN_NAME.sub("", table.stem)
        found = _recording(folder.root, stem)
        if found is None:
            raise UserError(
                f"{table} does not say which recording it labels: give it a column 'Begin File', or put "
                f"{stem}.wav (or .flac, .mp3, ...) beside it."
            )
        return found
    if (folder.root / (path := folder.inside(name, line))).is_file():
        return path
    if full_path.startswith("/") and (folder.root / (path := folder.inside(full_path, line))).is_file():
        return path
    raise UserError(f"{table}, line {line}, column Begin File: {name} is not in {folder.root}: {folder.way_out}.")


def _recording(root: Path, stem: str) -> str | None:
    """Return the name of the sound file in a folder that has this stem."""
    return next((p.name for p in sorted(root.iterdir()) if p.stem == stem and is_audio(p)), None)
