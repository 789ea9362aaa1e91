"""`cohear predict` on what people have: long recordings, folders, damage; tables, events, label tracks, embeddings."""

import json
import shutil
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

import cohear as package
from cohear.data.annotations import read_audacity, read_raven
from cohear.evaluation.calibration import Calibration, write_calibration
from cohear.metrics.thresholds import Threshold
from cohear.runs.run import Run


def times_and_labels(rows: list[dict[str, str]]) -> list[tuple[float, float, str]]:
    return [(float(row["start_s"]), float(row["end_s"]), row["label"]) for row in rows]


@pytest.fixture(scope="module")
def pond(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two recordings: the tones of all classes, 1.2 s each, and of one, at other rates."""
    folder = tmp_path_factory.mktemp("pond")
    time_s = np.arange(9600) / 8000
    tones = [0.3 * np.sin(2 * np.pi * 300 * 2**label * time_s) for label in range(3)]
    noise = 0.05 * np.random.default_rng(0).standard_normal(3 * 9600)
    soundfile.write(folder / "june.wav", np.concatenate(tones) + noise, 8000)
    (folder / "far").mkdir()
    soundfile.write(folder / "far" / "july.flac", np.repeat(tones[0] + noise[:9600], 2), 16000)
    return folder


def test_a_table_has_one_best_label_per_window_or_as_many_as_are_asked_for(cohear, trained, pond):
    said = cohear("predict", trained, pond / "june.wav", pond)  # a file that is named twice is heard once
    assert said.status == 0
    assert said.out.splitlines()[0] == "path,start_s,end_s,label,probability"
    of_june = [row for row in said.rows if row["path"] == str(pond / "june.wav")]
    assert len(of_june) == 6
    assert times_and_labels(of_june) == [
        (pytest.approx(0.6 * index), pytest.approx(0.6 * (index + 1)), row["label"])
        for index, row in enumerate(of_june)
    ]
    top = cohear("predict", trained, pond / "far", "--top", 3, "--hop-s", 0.25).rows
    assert [float(row["start_s"]) for row in top[::3]] == [0.0, 0.25, 0.5, pytest.approx(0.6)]
    for index in range(0, len(top), 3):
        probabilities = [float(row["probability"]) for row in top[index : index + 3]]
        assert sorted(row["label"] for row in top[index : index + 3]) == ["tone0", "tone1", "tone2"]
        assert probabilities == sorted(probabilities, reverse=True)
        assert sum(probabilities) == pytest.approx(1, abs=2e-4)
    lines = [json.loads(line) for line in cohear("predict", trained, pond, "--format", "jsonl").out.splitlines()]
    rows = cohear("predict", trained, pond).rows
    assert [[line["path"], line["label"]] for line in lines] == [[row["path"], row["label"]] for row in rows]


def test_predict_agrees_with_the_predictions_of_the_run(cohear, tones, trained):
    known = Run(trained).predictions
    rows = cohear("predict", trained, *(tones.parent / path for path in known.paths)).rows
    assert [row["label"] for row in rows] == [known.classes[index] for index in known.predicted]


def test_events_join_the_windows_of_labels_that_have_a_threshold(cohear, copied, pond):
    thresholds = {label: Threshold(0.0, 0.95, 0.9, 9) for label in ("tone0", "tone2")}
    write_calibration(copied, Calibration(thresholds=thresholds, precision=0.9, n_clips=9))
    windows = times_and_labels(cohear("predict", copied, pond / "june.wav", "--hop-s", 0.3).rows)
    said = cohear("predict", copied, pond / "june.wav", "--hop-s", 0.3, "--events")
    assert said.status == 0
    table = {words[0]: words for line in said.err.splitlines() if (words := line.split())}
    assert table["tone1"][1:5] == ["0", "0", "s", "-"]
    assert table["tone0"][-3:] == ["0.000", "9", "answers"]
    events = times_and_labels(said.rows)
    assert {label for _, _, label in events} <= {"tone0", "tone2"}
    covered = {(start, label) for start, _, label in windows if label != "tone1"}
    assert covered == {
        (start, label) for start, _, label in windows for a, b, its in events if a <= start < b and its == label
    }
    assert cohear("predict", copied, pond, "--events", "--threshold", 1).rows == []
    page = pond.parent / "heard.html"
    said = cohear("predict", copied, pond, "--events", "--html", page)
    assert f"page: {page}" in said.err
    assert page.read_text().count("<rect class=event") == len(said.rows) > 0
    assert cohear("predict", copied, pond, "--html", page).refuses("--events")


@pytest.mark.parametrize("format", ["audacity", "raven"])
def test_label_tracks_beside_the_recordings_are_read_as_annotations(cohear, trained, pond, tmp_path, format):
    beside = shutil.copytree(pond, tmp_path / "pond")
    words = ("predict", trained, beside, "--format", format, "--out", beside)
    said = cohear(*words)
    assert (said.status, said.out) == (0, "")
    read, ending = (read_audacity, ".txt") if format == "audacity" else (read_raven, ".Table.1.selections.txt")
    rows = cohear("predict", trained, beside).rows
    for recording in (beside / "june.wav", beside / "far/july.flac"):
        clips = read(recording.with_name(f"{recording.stem}{ending}"))
        assert {clip.path for clip in clips} == {recording.name}
        expected = times_and_labels([row for row in rows if row["path"] == str(recording)])
        assert [(clip.start_s, clip.end_s, clip.label) for clip in clips] == expected
    assert cohear(*words).refuses("is there already")
    nothing = ("predict", trained, pond, "--format", format, "--out", tmp_path / "none", "--events", "--threshold", 1)
    said = cohear(*nothing)
    assert (said.status, [*(tmp_path / "none").rglob("*.txt")]) == (0, [])  # else nobody's silence would be reviewed
    assert "2 recordings" in said.err


def test_embeddings_are_kept_beside_the_table(cohear, trained, pond, tmp_path):
    rows = cohear("predict", trained, pond, "--embeddings", tmp_path / "made", "--hop-s", 0.3).rows
    classifier = package.load(trained)
    for recording, name in ((pond / "june.wav", "june.npy"), (pond / "far" / "july.flac", "far/july.npy")):
        kept = np.load(tmp_path / "made" / name)
        assert len(kept) == sum(row["path"] == str(recording) for row in rows)
        np.testing.assert_array_equal(kept, classifier.embed(recording, hop_s=0.3))


def test_what_can_be_heard_is_kept_and_what_cannot_is_named(cohear, trained, pond, tmp_path):
    content = (pond / "june.wav").read_bytes()
    (tmp_path / "half.wav").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "notes.txt").write_text("not looked at")
    soundfile.write(tmp_path / "huge.wav", np.full(8000, 1e38, np.float32), 8000, subtype="FLOAT")
    shutil.copy(pond / "june.wav", tmp_path / "whole.wav")
    assert cohear("predict", trained, tmp_path / "text.wav").refuses("text.wav")
    said = cohear("predict", trained, tmp_path, tmp_path / "gone.wav", "--format", "audacity", "--out", tmp_path / "t")
    assert said.status == 2
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == ["half.txt", "whole.txt"]
    *lines, last = said.err.splitlines()
    assert all(any(name in line for line in lines) for name in ("half.wav", "text.wav", "huge.wav", "gone.wav"))
    assert "4 of 5 files" in last
    page = tmp_path / "heard.html"
    files = (tmp_path / "half.wav", tmp_path / "whole.wav")
    said = cohear("predict", trained, *files, "--events", "--threshold", 0, "--html", page)
    assert said.status == 2
    assert "In 2 recordings, 5.40 s" in page.read_text()  # 1.8 s of the half, 3.6 s of the whole
    assert page.read_text().count("<rect class=event") == len(said.rows) > len({row["path"] for row in said.rows}) == 2
    alone = cohear("predict", trained, tmp_path / "half.wav")
    assert alone.status == 2
    assert float(alone.rows[-1]["end_s"]) == pytest.approx(1.8, abs=0.01)


def test_recordings_that_cannot_be_judged_have_no_events(cohear, trained, pond, tmp_path):
    waveform, _ = soundfile.read(pond / "june.wav")
    noise = 1e-4 * np.random.default_rng(0).standard_normal(len(waveform))
    soundfile.write(tmp_path / "cancels.wav", np.stack((waveform, noise - waveform), 1), 8000, subtype="FLOAT")
    soundfile.write(tmp_path / "few.wav", waveform[:4], 8000)
    soundfile.write(tmp_path / "loud.wav", 32 * waveform, 8000, subtype="FLOAT")
    soundfile.write(tmp_path / "still.wav", np.zeros(8000), 8000)
    shutil.copy(pond / "june.wav", tmp_path / "whole.wav")
    said = cohear("predict", trained, tmp_path, "--events", "--threshold", 0)
    assert said.status == 0
    assert {Path(row["path"]).name for row in said.rows} == {"whole.wav"}
    assert all(name in said.err for name in ("cancels.wav", "few.wav", "loud.wav", "still.wav"))
    assert "--background" in said.err  # these tones have no label for 'none of these'


def test_ten_minutes_are_heard_in_the_memory_of_one(cohear, trained, tmp_path):
    n_bytes = 2 * 600 * 44100
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", n_bytes + 36, b"WAVE", b"fmt ", 16, 1, 1, 44100, 88200, 2, 16, b"data", n_bytes
    )
    with open(tmp_path / "long.wav", "wb") as file:
        file.write(header)
        file.truncate(len(header) + n_bytes)  # a hole in the file, which reads as silence
    tracemalloc.start()
    said = cohear("predict", trained, tmp_path / "long.wav")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(said.rows) == 1000
    assert said.rows[-1]["end_s"] == "600.000"
    assert peak_bytes < 4 * 60 * 44100  # of its floats there are ten times as many
