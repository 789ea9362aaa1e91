"""Tables and label tracks, read again by others: csv, json, and the reader of annotations; embeddings, by NumPy."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cohear.data.annotations import is_audacity, is_raven, read_audacity, read_raven
from cohear.data.clips import Clip
from cohear.inference.answers import Heard, Prediction
from cohear.inference.tables import (
    CSV_COLUMNS,
    TRACK_ENDINGS,
    audacity_track,
    csv_line,
    csv_row,
    json_row,
    keep_embeddings,
    raven_table,
)

ROWS = [Prediction(0.0, 1.5, 'frog, "green"', 0.91234567), Prediction(7261.0001, 7262.25, "Kröte", 0.5)]


def test_csv_and_json_are_read_again_whatever_the_names_hold():
    path = Path('a "pond", june/1.wav')
    text = csv_line(CSV_COLUMNS) + "".join(csv_row(path, row) for row in ROWS)
    read = list(csv.DictReader(io.StringIO(text)))
    assert read[0] == {
        "path": str(path),
        "start_s": "0.000",
        "end_s": "1.500",
        "label": 'frog, "green"',
        "probability": "0.9123",
    }
    assert read[1]["label"] == "Kröte"
    assert json.loads(json_row(path, ROWS[0])) == {
        "path": str(path), "start_s": 0.0, "end_s": 1.5, "label": 'frog, "green"', "probability": 0.912346,
    }  # fmt: skip


@pytest.mark.parametrize("format", ["audacity", "raven"])
def test_label_tracks_beside_their_recordings_are_annotations(tmp_path, format):
    recording = tmp_path / "pond.june.flac"
    recording.touch()
    path = tmp_path / f"pond.june{TRACK_ENDINGS[format]}"
    text = audacity_track(ROWS) if format == "audacity" else raven_table(ROWS, recording, 11025.0)
    path.write_text(text, encoding="utf-8")
    assert (is_audacity(path), is_raven(path)) == (format == "audacity", format == "raven")
    clips = read_audacity(path) if format == "audacity" else read_raven(path)
    assert clips == [Clip("pond.june.flac", (row.label,), start_s=row.start_s, end_s=row.end_s) for row in ROWS]


def test_a_raven_table_elsewhere_finds_its_recording(tmp_path):
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "pond.wav").touch()
    path = tmp_path / "pond.Table.1.selections.txt"
    path.write_text(raven_table(ROWS[1:], tmp_path / "sounds" / "pond.wav", 4000))
    assert [clip.path for clip in read_raven(path)] == ["sounds/pond.wav"]
    header, row = (line.split("\t") for line in path.read_text().splitlines())
    assert dict(zip(header, row, strict=True))["High Freq (Hz)"] == "4000"
    assert dict(zip(header, row, strict=True))["Probability"] == "0.5000"


def test_a_label_stays_in_its_cell():
    rows = [Prediction(0, 1, "frog\tor\ntoad", 0.5)]
    assert audacity_track(rows) == "0.000000\t1.000000\tfrog or toad\n"
    assert raven_table(rows, Path("a.wav"), 4000).count("\n") == 2


EMBEDDINGS = np.random.default_rng(0).standard_normal((1001, 3)).astype(np.float32)


def windows(embeddings: np.ndarray) -> Iterator[Heard]:
    return (Heard(i, i + 1.0, np.zeros(2, np.float32), embedding) for i, embedding in enumerate(embeddings))


def test_embeddings_are_kept_in_the_order_of_windows(tmp_path):
    path = tmp_path / "made" / "a.npy"
    passed = list(keep_embeddings(windows(EMBEDDINGS), path))
    assert [window.start_s for window in passed] == list(range(1001))
    kept = np.load(path, allow_pickle=False)
    assert kept.dtype == np.float32
    np.testing.assert_array_equal(kept, EMBEDDINGS)


def test_there_is_no_file_before_all_windows_have_passed_nor_where_there_are_none(tmp_path):
    passing = keep_embeddings(windows(EMBEDDINGS), tmp_path / "a.npy")
    next(passing)
    passing.close()
    assert list(keep_embeddings(windows(EMBEDDINGS[:0]), tmp_path / "b.npy")) == []
    assert list(tmp_path.iterdir()) == []
