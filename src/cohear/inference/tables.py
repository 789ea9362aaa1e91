"""What was heard as text: CSV and JSON lines for programs, label tracks for Audacity and Raven.

Label tracks are what `cohear.data.annotations` reads: beside their recordings they are annotations to be corrected by
ear and trained on. It reads one label per segment; a track with several for the same window is only to be looked at.
Embeddings become a .npy file, written window by window: those of hours need not lie in memory.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import numpy as np

from cohear.inference.answers import Heard, Prediction
from cohear.runtime import disk
from cohear.runtime.files import explain_disk_errors, replacing

CSV_COLUMNS = ("path", "start_s", "end_s", "label", "probability")

TRACK_ENDINGS = {"audacity": ".txt", "raven": ".Table.1.selections.txt"}
"""How the name of a label track goes on after that of its recording."""

_RAVEN_COLUMNS = (
    *("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)"),
    *("Annotation", "Probability", "Begin File", "Begin Path"),
)


def csv_line(values: Iterable[object], delimiter: str = ",") -> str:
    """Write one line, with its end; values that hold the delimiter, quotes or line ends are quoted."""
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="\n").writerow(values)
    return line.getvalue()


def csv_row(path: str | Path, row: Prediction) -> str:
    """Write a line of the table whose columns are `CSV_COLUMNS`: times to the millisecond."""
    return csv_line([path, f"{row.start_s:.3f}", f"{row.end_s:.3f}", row.label, f"{row.probability:.4f}"])


def json_row(path: str | Path, row: Prediction) -> str:
    """Write the same as an object on a line of its own, times and probabilities to six digits."""
    start_s, end_s, probability = (round(value, 6) for value in (row.start_s, row.end_s, row.probability))
    values = (str(path), start_s, end_s, row.label, probability)
    return json.dumps(dict(zip(CSV_COLUMNS, values, strict=True)), ensure_ascii=False) + "\n"


def audacity_track(rows: Iterable[Prediction]) -> str:
    """Write lines of start, end and label; Audacity has no place for the probability."""
    return "".join(f"{row.start_s:.6f}\t{row.end_s:.6f}\t{_in_one_cell(row.label)}\n" for row in rows)


def raven_table(rows: Iterable[Prediction], recording: Path, top_hz: float) -> str:
    """Write a selection table of one recording, the probability in a column of its own.

    Args:
        rows: windows or events.
        recording: its file.
        top_hz: up to where selections reach, Hz.
    """
    lines = [csv_line(_RAVEN_COLUMNS, "\t")]
    for number, row in enumerate(rows, start=1):
        times = (f"{row.start_s:.6f}", f"{row.end_s:.6f}")
        where = (recording.name, recording.absolute())
        values = (number, "Spectrogram 1", 1, *times, 0, f"{top_hz:g}", row.label, f"{row.probability:.4f}", *where)
        lines.append(csv_line([_in_one_cell(str(value)) for value in values], "\t"))
    return "".join(lines)


def _in_one_cell(text: str) -> str:
    """Replace what would begin another cell or line."""
    return re.sub(r"[\t\r\n]", " ", text)


def keep_embeddings(heard: Iterator[Heard], path: Path) -> Iterator[Heard]:
    """Pass windows on, and keep their embeddings: once all have passed, `np.load(path)` gives `[window, feature]`.

    Args:
        heard: the windows of a recording; where there are none there is no file.
        path: ends in .npy; its folder is made where it is missing.

    Raises:
        UserError: where the disk is full or the place cannot be written.
    """
    first = next(heard, None)
    if first is None:
        return
    n_windows, n_features = 0, len(first.embedding)
    with ExitStack() as stack:
        with explain_disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(replacing(path))
            disk.write(file, _header((n_windows, n_features)))
        for window in chain([first], heard):
            with explain_disk_errors(path):
                disk.write(file, window.embedding.tobytes())
            n_windows += 1
            yield window
        with explain_disk_errors(path):
            file.seek(0)
            disk.write(file, _header((n_windows, n_features)))


def _header(shape: tuple[int, int]) -> bytes:
    """Return the header of an array; NumPy makes it as long for any number of rows, so that arrays can grow."""
    dtype = np.lib.format.dtype_to_descr(np.dtype(np.float32))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": shape})
    return header.getvalue()
