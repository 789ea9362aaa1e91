"""Tables of clips: CSV, TSV or JSON lines with the columns `path` and `label`.

The columns `fold`, `group`, `start` and `end` (seconds) are optional. Paths are relative to the table's
folder or the one that `--sounds` names, and do not leave it. Other columns are ignored. Every error names file, line
and column.

A table in which a label holds a semicolon, or is a JSON list, is multi-label: each of its labels is a list of classes
separated by semicolons, and an empty one says that the clip is of none of them. (In a CSV separated by semicolons such
a list stands in double quotes.)
"""

import csv
import io
import json
import math
import os
import posixpath
import re
import unicodedata
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np

from cohear.data.clips import SEPARATOR, Clip, Clips, join_labels, normalized, split_labels
from cohear.errors import UserError, nearest
from cohear.runtime.files import read_plain

_REQUIRED, _OPTIONAL = ("path", "label"), ("fold", "group", "start", "end")

WAY_OUT = "put the sounds beneath it, or name the folder to which paths are relative by --sounds DIR"
"""What to do where a sound is not in the folder."""

_OTHER_NAMES = {
    "path": ("file", "filename", "file_name", "slice_file_name", "fname", "filepath", "begin file", "in file"),
    "label": (
        "class",
        "category",
        "species",
        "annotation",
        "common name",
        "manual id",
        "primary_label",
        "scientific name",
    ),
}
"""How other tools call the columns."""
_N_TOLD, _MOST_LISTED = 3, 100
"""Bad lines that are told one by one, in a refusal and where they are left out."""

_MOST = 10**9
"""Of a number: more than thirty years in seconds, and more folds than clips."""

_TOLD_SEPARATOR = re.compile(r"\"?sep=(.)\"?[,;\t]*\r?\n", re.IGNORECASE)
_FOLDER = re.compile(r"^/.*/(?=[^/]*, line \d)")
"""Before the name of a table."""
_MOST_BYTES = 4096
"""Of a path. To follow one of a million folders takes minutes."""


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    table: Path
    line: int
    texts: dict[str, str]
    """By column, whose names are in small letters; a line may end early."""

    def text(self, column: str) -> str:
        """Return the value of a column, which must be there.

        Raises:
            UserError: where it is not.
        """
        if text := self.texts.get(column):
            return text
        raise self.refused("the value is missing", column)

    def number(self, column: str) -> float | None:
        """Read a number from 0 to 1e9, with a decimal point or comma; None where there is none.

        Raises:
            UserError: where it is another text.
        """
        if not (text := self.texts.get(column)):
            return None
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            value = math.nan
        if not 0 <= value <= _MOST:
            raise self.refused(f"'{text}' is not a number from 0 to {_MOST}", column)
        return value

    def whole_number(self, column: str) -> int | None:
        """Read a whole number from 0 to 1e9; spreadsheets like to write 1 as 1.0.

        Raises:
            UserError: where it is another text.
        """
        value = self.number(column)
        if value is not None and value != int(value):
            raise self.refused(f"'{self.texts[column]}' is not a whole number", column)
        return None if value is None else int(value)

    def segment(
        self, start: str = "start", end: str = "end", *, needed: bool = False
    ) -> tuple[float | None, float | None]:
        """Read where a segment begins and ends, in seconds, from two columns; None is an end of the recording.

        Raises:
            UserError: where they are no numbers, or `needed` and missing, or the segment has no length.
        """
        for column in (start, end) if needed else ():
            self.text(column)
        start_s, end_s = self.number(start), self.number(end)
        if end_s is not None and end_s <= (start_s or 0.0):
            raise self.refused(f"the segment ends at {end_s:g} s, not after its start at {start_s or 0:g} s")
        return start_s, end_s

    def refused(self, problem: str, column: str = "") -> UserError:
        """Word what is wrong with this line."""
        return UserError(f"{self.table}, line {self.line}{f', column {column}' if column else ''}: {problem}.")


class SoundFolder:
    """The folder that the paths of a table do not leave, symbolic links followed.

    Args:
        table: what names the sounds.
        chosen: the folder, where a person named it by --sounds.
        own: the folder otherwise; None is that of the table.
    """

    def __init__(self, table: Path, chosen: Path | None = None, own: Path | None = None) -> None:
        self.root = Path(os.path.abspath(chosen or own or table.parent))
        """The folder to which paths are relative; it may itself be reached by a link."""
        self._names = cache(_names_in)
        self._real_folder = cache(os.path.realpath)  # links of a folder are followed once for all files in it
        self._inside: dict[str, str] = {}

    def inside(self, row: Row, name: str) -> str:
        """Return a path as it lies beneath the folder: one name for one place.

        Nothing is opened. Where there is no such file, that of one which differs in case or backslashes alone.

        Args:
            row: of the table, for the error.
            name: relative to the folder, or absolute.

        Raises:
            UserError: where it leads elsewhere, or no file can have that name.
        """
        if name not in self._inside:  # a recording may have thousands of segments
            self._inside[name] = self._look_inside(row, name)
        return self._inside[name]

    def _look_inside(self, row: Row, name: str) -> str:
        try:
            path = os.path.join(self.root, normalized(name))
            folder, last = os.path.split(path)
            if len(path.encode()) > _MOST_BYTES or "\0" in path:
                raise ValueError
            if last == ".." or os.path.islink(path):
                real = os.path.realpath(path)
            else:
                real = os.path.normpath(os.path.join(self._real_folder(folder), last))
        except ValueError:  # a NUL, or half a character
            raise row.refused(f"no file can be named '{name}', correct it") from None
        if not Path(real).is_relative_to(self._real_folder(self.root)):
            raise row.refused(f"'{name}' lies outside {self.root}, links followed: {WAY_OUT}")
        within = posixpath.relpath(path, self.root)
        if within.startswith(".."):
            within = posixpath.relpath(real, self._real_folder(self.root))
        if not os.path.lexists(path) and (there := self._spelled(within)):
            return self.inside(row, there)
        return within

    def _spelled(self, within: str) -> str | None:
        r"""Return the one path that is there and has this name but for case, kind of accents, or `\` for `/`."""
        place = ""
        for part in posixpath.normpath(within.replace("\\", "/")).split("/"):
            names = self._names(os.path.join(self.root, place)).get(_loosely(part), [])
            if part not in names and len(names) != 1:
                return None
            place = posixpath.join(place, part if part in names else names[0])
        return place


def _names_in(folder: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    with suppress(OSError):
        for name in os.listdir(folder):
            found.setdefault(_loosely(name), []).append(name)
    return found


def _loosely(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


class BadLines:
    """Lines of tables and label tracks that cannot be used: all are said at once, or left out."""

    def __init__(self) -> None:
        self._reasons: list[str] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note why a line is refused, and go on with the next."""
        try:
            yield
        except UserError as error:
            self._reasons.append(_FOLDER.sub("", str(error).rstrip("."), 1))

    def settle(self, *, skip_bad: bool = False) -> tuple[str, ...]:
        """Return a note on what was left out, if anything.

        Raises:
            UserError: where there is any and it is not to be left out.
        """
        n = len(self._reasons)
        if n and not skip_bad:
            what = self._reasons[0] if n == 1 else f"{n} lines cannot be used: {'; '.join(self._reasons[:_N_TOLD])}"
            more = f"; and {n - _N_TOLD} more" if n > _N_TOLD else ""
            raise UserError(f"{what}{more}: mend {'it' if n == 1 else 'them'}, or leave that out with --skip-bad.")
        told = "; ".join(self._reasons[:_MOST_LISTED]) + (f"; and {n - _MOST_LISTED} more" if n > _MOST_LISTED else "")
        return (f"lines left out ({n}): {told}",) if n else ()


def has_table_name(path: Path) -> bool:
    """Tell by its name whether a file may be a table."""
    return path.suffix.lower() in {".csv", ".tsv", ".jsonl"}


def is_table(path: Path) -> bool:
    """Tell by its name and columns whether a file is a table of clips."""
    try:
        return has_table_name(path) and any({*_REQUIRED} <= row.texts.keys() for row in islice(read_rows(path), 1))
    except UserError:
        return False


def read_table(path: Path, sounds: Path | None = None, bad: BadLines | None = None) -> tuple[Clips, bool]:
    """Read the clips of a table, in its order, and whether it is multi-label.

    Args:
        path: a file whose name ends in .csv, .tsv or .jsonl.
        sounds: the folder to which paths are relative; None is the table's own.
        bad: takes lines that cannot be used; None refuses them.

    Raises:
        UserError: where a column or value is missing or wrong, a path leads out of the folder, or a clip is listed
            twice.
    """
    folder, noted = SoundFolder(path, sounds), bad or BadLines()
    multi_label = any(SEPARATOR in row.texts.get("label", "") for row in read_rows(path))
    lines = array("q")

    def read() -> Iterator[Clip]:
        for row in read_rows(path):
            with noted.noted():
                name = row.text("path")
                given, is_guessed = row.texts.get("label", ""), "guess" in row.texts  # a guess: nobody has answered yet
                may_be_none = multi_label and not (is_guessed and not given.strip())
                labels = split_labels(given) if may_be_none else (row.text("label"),)
                group = row.texts.get("group") or None
                clip = Clip(folder.inside(row, name), labels, row.whole_number("fold"), group, *row.segment())
                lines.append(row.line)
                yield clip

    clips = Clips.of(read())
    is_new = np.ones(len(clips), bool)
    for place, before in clips.repeated():
        is_new[place] = False
        with noted.noted():
            several = f"'{join_labels((*clips[before].labels, *clips[place].labels))}'"
            remedy = f"if it has several labels, write them in one line as {several}, else remove one of the two"
            raise Row(path, lines[place], {}).refused(f"{clips[place].id} is listed twice; {remedy}")
    clips = clips.where(is_new)
    if bad is None or not clips:
        noted.settle()
    if not clips:
        raise UserError(f"{path} lists no clips: it needs a line per clip with at least path and label.")
    return clips, multi_label


def csv_rows(path: Path, required: Sequence[str]) -> Iterator[Row]:
    """Read a table with a header, separated by commas, semicolons or tabs.

    Args:
        path: a UTF-8 text.
        required: columns that the header must have, in small letters.

    Raises:
        UserError: where the file is no UTF-8 text, a required column is missing, or a line has too many values.
    """
    text = read_text(path)
    first_line = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter, n_before = max(",;\t", key=first_line.count), 0
    if told := _TOLD_SEPARATOR.match(text):  # Excel's first line
        delimiter, n_before, text = told[1], 1, text[told.end() :]
    lines = (line[0] for line in re.finditer(r".+\n?|\n", text))  # a StringIO takes four bytes a letter
    reader = csv.reader(lines, delimiter=delimiter)
    header: list[str] = []
    try:
        for values in reader:
            values = [value.strip() for value in values]
            row = Row(
                path, reader.line_num + n_before, dict(zip(header, values, strict=False))
            )  # spreadsheets drop empty ends
            if any(values[len(header) :]) and header:
                what = f"{len(values)} values for {len(header)} columns"
                raise row.refused(f"{what}; put a value that holds the separator in double quotes")
            if any(values) and header:
                yield row
            elif any(values):
                header = [name.lower() for name in values]
                _require_columns(path, header, required)
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num + n_before}: no valid CSV ({error}).") from None


def read_text(path: Path) -> str:
    """Read a text file, with or without a byte order mark.

    Raises:
        UserError: where it is missing, no plain file, larger than 256 MiB, or no UTF-8 text.
    """
    try:
        return io.TextIOWrapper(io.BytesIO(read_plain(path)), encoding="utf-8-sig").read()
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: save it again with the encoding UTF-8.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from None


def read_rows(path: Path, required: Sequence[str] = _REQUIRED) -> Iterator[Row]:
    """Read the lines of a table, as `csv_rows`, or as JSON lines, whose values are looked for when they are used."""
    return _json_rows(path) if path.suffix.lower() == ".jsonl" else csv_rows(path, required)


def _json_rows(path: Path) -> Iterator[Row]:
    """Read one object per line; null counts as missing, a list of labels becomes a text."""
    for line, text in enumerate(read_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        try:
            given = json.loads(text)
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict):
            raise UserError(f'{path}, line {line}: not a JSON object such as {{"path": "a.wav", "label": "dog"}}.')
        values = {name.strip().lower(): value for name, value in given.items() if value is not None}
        if isinstance(labels := values.get("label"), list) and all(isinstance(label, str | int) for label in labels):
            values["label"] = f"{SEPARATOR.join(map(str, labels))}{SEPARATOR}"
        row = Row(path, line, {name: str(value) for name, value in values.items()})
        if nested := [name for name in (*_REQUIRED, *_OPTIONAL) if isinstance(values.get(name), list | dict)]:
            raise row.refused("one value is needed", nested[0])
        yield row


def _require_columns(path: Path, header: list[str], required: Sequence[str]) -> None:
    """Refuse a header that lacks a column, or has one twice."""
    for column in required:
        if column not in header:
            other = next((name for name in _OTHER_NAMES.get(column, ()) if name in header), None)
            guess = nearest(column, header) or (f" (rename '{other}' to it)" if other else "")
            there = f"its columns are {', '.join(header)}, and {' and '.join(required)} are needed"
            raise UserError(f"{path} has no column '{column}'{guess}: {there}.")
        if header.count(column) > 1:
            raise UserError(f"{path} has the column '{column}' twice: rename or remove one.")
