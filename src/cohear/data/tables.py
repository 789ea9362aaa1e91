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
import itertools
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from cohear.data.clips import SEPARATOR, Clip, join_labels, split_labels
from cohear.data.containment import SoundFolder
from cohear.errors import UserError, nearest
from cohear.runtime.reading import read_plain

_REQUIRED, _OPTIONAL = ("path", "label"), ("fold", "group", "start", "end")

_MOST_BYTES, _MOST_COLUMNS = 2**28, 1000
_MOST = 10**9
"""Of a number: more than thirty years in seconds, and more folds than clips."""

Row = dict[str, str]
"""Texts by column, the names of the columns in small letters."""


def has_table_name(path: Path) -> bool:
    """Tell by its name whether a file may be a table."""
    return path.suffix.lower() in {".csv", ".tsv", ".jsonl"}


def is_table(path: Path) -> bool:
    """Tell by its name and columns whether a file is a table of clips."""
    if not has_table_name(path):
        return False
    try:
        _, first = next(_rows(path), (0, {}))
    except UserError:
        return False
    return all(column in first for column in _REQUIRED)


def read_table(path: Path, sounds: Path | None = None) -> list[Clip]:
    """Read the clips of a table, in its order.

    Args:
        path: a file whose name ends in .csv, .tsv or .jsonl.
        sounds: the folder to which paths are relative; None is the table's own.

    Raises:
        UserError: where a column or value is missing or wrong, a path leads out of the folder, or a clip is listed
            twice.
    """
    folder = SoundFolder(path, sounds)
    clips: list[Clip] = []
    lines: dict[str, int] = {}
    rows = list(_rows(path))
    multi_label = any(SEPARATOR in row.get("label", "") for _, row in rows)
    for line, row in rows:
        clip = _clip(folder, line, row, multi_label)
        if clip.id in lines:
            one = f"line, with its labels separated by '{SEPARATOR}'" if multi_label else "line and one label"
            raise UserError(
                f"{path}, line {line}: {clip.id} is listed already in line {lines[clip.id]}; a clip has one {one}, "
                "so remove one of the two."
            )
        lines[clip.id] = line
        clips.append(clip)
    if not clips:
        raise UserError(f"{path} lists no clips: it needs a line per clip with at least path and label.")
    return clips


def csv_rows(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[tuple[int, Row]]:
    """Read a table with a header, separated by commas, semicolons or tabs; yield line numbers and rows.

    Args:
        path: a UTF-8 text.
        required: columns that the header must have, in small letters.
        optional: columns that an error about the header mentions.

    Raises:
        UserError: where the file is no UTF-8 text, a required column is missing, or a line has too many
            values.
    """
    text = read_text(path)
    first_line = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(",;\t", key=first_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header: list[str] = []
    try:
        for values in reader:
            values = [value.strip() for value in values]
            if not any(values):
                continue
            if not header:
                header = [name.lower() for name in values]
                _require_columns(path, header, required, optional)
            elif any(values[len(header) :]):
                raise UserError(
                    f"{path}, line {reader.line_num}: {len(values)} values for {len(header)} columns; put a "
                    "value that holds the separator in double quotes."
                )
            else:  # spreadsheets drop empty values at the end of a line
                yield (
                    reader.line_num,
                    dict(itertools.zip_longest(header, values[: len(header)], fillvalue="")),
                )
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: no valid CSV ({error}).") from None


def read_text(path: Path) -> str:
    """Read a text file, with or without a byte order mark.

    Raises:
        UserError: where it is missing, no plain file, larger than 256 MiB, or no UTF-8 text.
    """
    try:
        data = read_plain(path, _MOST_BYTES)
        return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig").read()
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: save it again with the encoding UTF-8.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from None


def number(path: Path, line: int, column: str, text: str) -> float:
    """Read a number from 0 to 1e9, with a decimal point or comma.

    Raises:
        UserError: naming file, line and column.
    """
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = math.nan
    if not 0 <= value <= _MOST:
        raise UserError(f"{path}, line {line}, column {column}: '{text}' is not a number from 0 to {_MOST}.")
    return value


def whole_number(path: Path, line: int, column: str, text: str) -> int:
    """Read a whole number from 0 to 1e9; spreadsheets like to write 1 as 1.0.

    Raises:
        UserError: naming file, line and column.
    """
    value = number(path, line, column, text)
    if value != int(value):
        raise UserError(f"{path}, line {line}, column {column}: '{text}' is not a whole number.")
    return int(value)


def require_segment(path: Path, line: int, start_s: float, end_s: float | None) -> None:
    """Refuse a segment that has no length.

    Raises:
        UserError: naming file and line.
    """
    if end_s is not None and end_s <= start_s:
        raise UserError(f"{path}, line {line}: the segment ends at {end_s:g} s, not after its start at {start_s:g} s.")


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Read the lines of a table of clips."""
    return _json_rows(path) if path.suffix.lower() == ".jsonl" else csv_rows(path, _REQUIRED, _OPTIONAL)


def _json_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Read one object per line; null counts as missing, a list of labels becomes a text."""
    for line, text in enumerate(read_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise UserError(f'{path}, line {line}: not a JSON object such as {{"path": "a.wav", "label": "dog"}}.')
        values = {name.strip().lower(): value for name, value in row.items() if value is not None}
        if isinstance(labels := values.get("label"), list) and all(isinstance(label, str | int) for label in labels):
            values["label"] = f"{SEPARATOR.join(map(str, labels))}{SEPARATOR}"
        for column in (*_REQUIRED, *_OPTIONAL):
            if isinstance(values.get(column), (list, dict)):
                raise UserError(f"{path}, line {line}, column {column}: one value is needed, not {values[column]}.")
        yield line, {name: str(value) for name, value in values.items()}


def _require_columns(path: Path, header: list[str], required: Sequence[str], optional: Sequence[str]) -> None:
    """Refuse a header that lacks a column, has one twice, or has too many."""
    if len(header) > _MOST_COLUMNS:
        raise UserError(f"{path} has {len(header)} columns, and a table has at most {_MOST_COLUMNS}: leave some out.")
    for column in required:
        if column not in header:
            also = f"; {', '.join(optional)} are optional" if optional else ""
            raise UserError(
                f"{path} has no column '{column}'{nearest(column, header)}: its columns are "
                f"{', '.join(header)}, and {' and '.join(required)} are needed{also}."
            )
    if twice := [name for name, n_times in Counter(header).items() if name and n_times > 1]:
        raise UserError(f"{path} has the column '{twice[0]}' twice: rename or remove one.")


def _clip(folder: SoundFolder, line: int, row: Row, multi_label: bool) -> Clip:
    """Make a clip of the texts of one line."""
    path = folder.table
    for column in _REQUIRED:
        may_be_empty = multi_label and column == "label" and column in row
        if not row.get(column) and not may_be_empty:
            raise UserError(f"{path}, line {line}, column {column}: the value is missing.")
    fold, start, end = row.get("fold"), row.get("start"), row.get("end")
    start_s = number(path, line, "start", start) if start else None
    end_s = number(path, line, "end", end) if end else None
    require_segment(path, line, start_s or 0.0, end_s)
    return Clip(
        path=folder.inside(row["path"], line),
        label=join_labels(split_labels(row["label"])) if multi_label else row["label"],
        fold=whole_number(path, line, "fold", fold) if fold else None,
        group=row.get("group") or None,
        start_s=start_s,
        end_s=end_s,
        multi_label=multi_label,
    )
