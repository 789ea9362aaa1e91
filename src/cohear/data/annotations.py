r"""Labeled segments of long recordings: Raven selection tables and Audacity label tracks.

A Raven table is a text separated by tabs, with `Begin Time (s)` and `End Time (s)`; it names its recording in
`Begin File` or by its own name (`pond.Table.1.selections.txt` lies beside `pond.wav`). An Audacity label
track is a text with lines `start\tend\tlabel`, exported beside its recording under the same name; a line that
begins with a backslash gives the frequencies of the label before and is skipped.
"""

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PureWindowsPath

from cohear.data.audio_files import is_audio, probe
from cohear.data.clips import Clip
from cohear.data.tables import WAY_OUT, BadLines, Row, SoundFolder, csv_rows, read_text
from cohear.errors import UserError

_RAVEN_TIMES = ("begin time (s)", "end time (s)")
_RAVEN_OFFSET = "file offset (s)"
_RAVEN_LABELS = ("species", "annotation", "label", "code", "common name")
_RAVEN_NAME = re.compile(r"((\.Table\.\d+)?\.selections|\.BirdNET\.selection\.table)$", re.IGNORECASE)
_AUDACITY_LINE = re.compile(r"-?\d+([.,]\d+)?\t-?\d+([.,]\d+)?\t")
_BLANK_BYTES = 64
_LIKE_A_TRACK = re.compile(r"\s*\d+([.,]\d+)?\s+\d+([.,]\d+)?(\s|$)")


def is_raven(path: Path) -> bool:
    """Tell by its header whether a text file is a Raven selection table."""
    return _RAVEN_TIMES[0] in _first_line(path).lower().split("\t")


def is_audacity(path: Path) -> bool:
    """Tell by its first line whether a text file is an Audacity label track."""
    return bool(_AUDACITY_LINE.match(_first_line(path)))


def read_raven(
    path: Path,
    sounds: Path | None = None,
    bad: BadLines | None = None,
    beside: Mapping[str, str] | None = None,
) -> list[Clip]:
    """Read the clips of a Raven selection table.

    Args:
        path: the table.
        sounds: the folder of the recordings; None is the table's own.
        bad: takes lines that cannot be used; None refuses them.
        beside: the sound files of that folder by their stems, from `by_stem`; None looks for them.

    Raises:
        UserError: where a column or value is missing or wrong, the recording is not there, a path leads out of the
            folder, or times run on from recording to recording and nothing says by how much.
    """
    folder, noted = SoundFolder(path, sounds), bad or BadLines()
    found, has_offsets = [], False
    for row in csv_rows(path, _RAVEN_TIMES):
        label_column = next((name for name in _RAVEN_LABELS if name in row.texts), None)
        if label_column is None:
            raise row.refused("there is no label (Species, Annotation, Label, Code or Common Name)")
        with noted.noted():
            label, (start_s, end_s) = row.text(label_column), row.segment(*_RAVEN_TIMES, needed=True)
            # In a table over several files the times run on from file to file; the offset is within the file.
            offset_s = row.number(_RAVEN_OFFSET)
            if offset_s is not None:
                start_s, end_s, has_offsets = offset_s, offset_s + (end_s or 0.0) - (start_s or 0.0), True
            recording = _raven_recording(folder, row, beside)
            found.append((f"{path}, line {row.line}", Clip(recording, (label,), start_s=start_s, end_s=end_s)))
    if not has_offsets and _run_on(folder.root, [clip for _, clip in found]):
        raise UserError(
            f"{path} is of several recordings, and its times run on from one to the next: export it again with the "
            "column File Offset (s)."
        )
    clips = one_label_each(found, noted)  # Raven lists a selection once for each of its views, waveform and spectrogram
    if bad is None:
        noted.settle()
    return clips


def _run_on(root: Path, clips: Sequence[Clip]) -> bool:
    """Tell whether each recording's times begin only after the lengths of all recordings before it.

    That may be chance, unless a time lies beyond the end of its own.
    """
    spans: dict[str, tuple[float, float]] = {}
    for clip in clips:
        first_s, last_s = spans.get(clip.path, (math.inf, 0.0))
        spans[clip.path] = min(clip.start_s or 0.0, first_s), max(clip.start_s or 0.0, last_s)
    before_s, is_beyond = 0.0, False
    for path, (first_s, last_s) in sorted(spans.items(), key=lambda item: item[1]):
        if first_s < before_s:
            return False
        try:
            length_s = probe(root / path).duration_s
        except UserError:  # it is told where it is decoded
            return False
        before_s, is_beyond = before_s + length_s, is_beyond or last_s > length_s
    return len(spans) > 1 and is_beyond


def read_audacity(
    path: Path,
    sounds: Path | None = None,
    bad: BadLines | None = None,
    beside: Mapping[str, str] | None = None,
) -> list[Clip]:
    """Read the clips of an Audacity label track.

    Args:
        path: the track.
        sounds: the folder of its recording; None is the track's own.
        bad: takes lines that cannot be used; None refuses them.
        beside: as for `read_raven`.

    Raises:
        UserError: where a line is wrong or the recording is not there.
    """
    folder, noted = SoundFolder(path, sounds).root, bad or BadLines()
    recording = _recording(folder, path.stem, beside)
    if recording is None:
        raise UserError(
            f"{path} labels a recording {path.stem}.wav (or .flac, .mp3, ...), which is not in {folder}: give the "
            "track the name of its recording."
        )
    found = []
    for line, text in enumerate(read_text(path).split("\n"), start=1):
        if not text.strip() or text.startswith("\\"):
            continue
        row = Row(path, line, dict(zip(("start", "end", "label"), map(str.strip, text.split("\t")), strict=False)))
        with noted.noted():
            start_s, end_s = row.segment(needed=True)
            found.append((f"{path}, line {line}", Clip(recording, (row.text("label"),), start_s=start_s, end_s=end_s)))
    clips = one_label_each(found, noted)
    if bad is None:
        noted.settle()
    return clips


def reviewed_recording(path: Path, beside: Mapping[str, str]) -> str | None:
    """Return the recording of a label file without labels, which says that somebody listened and heard nothing.

    That is a Raven table of a header alone, or an empty text, by the name of the recording beside it.

    Args:
        path: whatever a folder holds; what is no file that can be read says nothing.
        beside: names of the sound files beside it, by their stems.
    """
    if is_raven(path):
        is_empty = not any(True for _ in csv_rows(path, _RAVEN_TIMES))
        return beside.get(_RAVEN_NAME.sub("", path.stem)) if is_empty else None
    try:
        is_small = path.is_file() and path.stat().st_size < _BLANK_BYTES
        is_empty = is_small and not path.read_bytes().strip(b"\xef\xbb\xbf \t\r\n")
    except OSError:
        return None
    return beside.get(path.stem) if is_empty else None


def why_no_track(path: Path, sounds: Mapping[str, str]) -> str | None:
    """Say why what looks like a label track, or bears the name of a recording, cannot be used; None where it does not.

    Args:
        path: of a label file that is neither a Raven table nor an Audacity track of a recording.
        sounds: names of the sound files beside it, by their stems.
    """
    first, likeness = _first_line(path), "looks like an Audacity label track, but"
    if not _LIKE_A_TRACK.match(first) or path.suffix.lower() != ".txt":
        has_name = any(path.name[: dot.start()] in sounds for dot in re.finditer(r"\.", path.name))
        kinds = "neither a Raven table nor an Audacity label track (start, tab, end, tab, label) in UTF-8"
        return f"has the name of a recording, but is {kinds}" if first and has_name else None
    if not _AUDACITY_LINE.match(first):
        return f"{likeness} {'its labels have no text' if chr(9) in first else 'blanks stand where tabs are needed'}"
    if not first.split("\t", 2)[2].strip():
        return f"{likeness} its labels have no text"
    alike = [stem for stem, name in sounds.items() if path.name.startswith((name, stem))] or list(sounds)
    rename = f"; rename it to {alike[0]}.txt" if len(alike) == 1 else ""
    return f"{likeness} there is no recording {path.stem}.wav (or .flac, .mp3, ...) beside it{rename}"


def one_label_each(found: Iterable[tuple[str, Clip]], bad: BadLines) -> list[Clip]:
    """Return segments, each once.

    Args:
        found: segments, each with where it is listed.
        bad: takes lines that give a segment another label than one before.
    """
    clips: dict[str, Clip] = {}
    for where, clip in found:
        if (other := clips.setdefault(clip.id, clip)) != clip:
            with bad.noted():
                raise UserError(f"{where}: {clip.id} is marked '{clip.label}' and '{other.label}', and has one label")
    return list(clips.values())


def by_stem(names: Iterable[str]) -> dict[str, str]:
    """Return the names of the sound files among those of a folder by their stems; of several alike the first."""
    sounds = filter(is_audio, map(Path, sorted(names, reverse=True)))
    return {sound.stem: sound.name for sound in sounds}


def _first_line(path: Path) -> str:
    """Return the first line of a plain file that is not empty, or nothing where it is none."""
    if not path.is_file():
        return ""
    try:
        with open(path, "rb") as file:
            return file.read(4096).decode("utf-8-sig", errors="replace").lstrip("\r\n").partition("\n")[0].rstrip("\r")
    except OSError:
        return ""


def _raven_recording(folder: SoundFolder, row: Row, beside: Mapping[str, str] | None) -> str:
    """Find the recording of a selection: by `Begin File`, by `Begin Path`, or by the table's own name."""
    full_path = row.texts.get("begin path", "")
    # Raven often runs on Windows, and the table then travels with the sounds to another machine.
    name = row.texts.get("begin file") or PureWindowsPath(full_path).name
    if not name:
        stem = _RAVEN_NAME.sub("", row.table.stem)
        if found := _recording(folder.root, stem, beside):
            return found
        raise row.refused(f"there is no 'Begin File', nor a recording {stem}.wav (.flac, .mp3, ...) beside the table")
    for there in (name, full_path) if full_path.startswith("/") else (name,):
        if os.path.isfile(folder.root / (path := folder.inside(row, there))):  # a name too long is none
            return path
    raise row.refused(f"{name} is not in {folder.root}: {WAY_OUT}", "Begin File")


def _recording(root: Path, stem: str, beside: Mapping[str, str] | None) -> str | None:
    """Return the name of the sound file in a folder that has this stem."""
    return (by_stem(os.listdir(root)) if beside is None else beside).get(stem)
