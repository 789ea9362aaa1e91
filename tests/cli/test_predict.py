"""`cohear predict` on what people have: long recordings, patterns, damage; tables, events, label tracks, embeddings."""

import csv
import io
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import cohear as package
from cohear.data.annotations import read_audacity, read_raven
from cohear.evaluation.calibration import Calibration, Threshold, write_calibration
from cohear.runtime.sealed_tensors import seal, unseal

COLUMNS = "path,start_s,end_s,label,probability"


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


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


@pytest.fixture(scope="module")
def fitted(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained run with thresholds for two of its labels."""
    folder = tmp_path_factory.mktemp("fitted") / "run"
    shutil.copytree(trained, folder)
    thresholds = {label: Threshold(0.0, 0.95, 0.9, 9) for label in ("tone0", "tone2")}
    write_calibration(folder, Calibration(thresholds=thresholds, precision=0.9, n_clips=9))
    return folder


def test_windows_begin_as_often_as_is_asked(cohear, trained, pond):
    said = cohear("predict", trained, pond / "june.wav", "--hop-s", 0.25)
    assert said.status == 0
    starts = [float(row["start_s"]) for row in table(said.out)]
    assert starts == [0.25 * i for i in range(13)]
    assert cohear("predict", trained, pond / "june.wav", "--hop-s", 0.7).refuses("0.7 s", "0.01 to 0.6 s")


def test_it_says_how_fast_it_was_and_that_every_window_gets_some_label(cohear, trained, fitted, pond):
    said = cohear("predict", trained, pond)
    warning, speed = said.err.splitlines()
    assert warning.startswith("every window gets some label")
    assert speed.startswith("heard 5 s of sound, ")
    assert speed.endswith(" times as fast as it was recorded")
    for options in (("--threshold", 0.5), ("--events", "--threshold", 0.5)):
        assert "some label" not in cohear("predict", trained, pond, *options).err


def test_a_threshold_leaves_out_what_is_less_probable(cohear, trained, pond):
    every = table(cohear("predict", trained, pond, "--top", 3).out)
    probabilities = sorted(float(row["probability"]) for row in every)
    threshold = (probabilities[-4] + probabilities[-5]) / 2
    kept = table(cohear("predict", trained, pond, "--top", 3, "--threshold", threshold).out)
    assert kept == [row for row in every if float(row["probability"]) > threshold]
    assert len(kept) == 4
    assert cohear("predict", trained, pond, "--threshold", 1.5).refuses("'--threshold'")


def test_events_join_the_windows_of_labels_that_have_a_threshold(cohear, trained, fitted, pond):
    assert cohear("predict", trained, pond, "--events").refuses("events need thresholds", "there were none")
    windows = times_and_labels(table(cohear("predict", fitted, pond / "june.wav", "--hop-s", 0.3).out))
    said = cohear("predict", fitted, pond / "june.wav", "--hop-s", 0.3, "--events")
    assert said.status == 0
    assert "no events of tone1: " in said.err
    events = times_and_labels(table(said.out))
    assert {label for _, _, label in events} <= {"tone0", "tone2"}
    covered = {(start, label) for start, end, label in windows if label != "tone1"}
    within = {(start, label) for start, _, label in windows for a, b, its in events if a <= start < b and its == label}
    assert within == covered
    assert cohear("predict", fitted, pond, "--events", "--threshold", 1).out == f"{COLUMNS}\n"


def test_json_lines_say_what_the_table_says(cohear, trained, pond):
    rows = table(cohear("predict", trained, pond).out)
    lines = [json.loads(line) for line in cohear("predict", trained, pond, "--format", "jsonl").out.splitlines()]
    assert [[line["path"], line["label"]] for line in lines] == [[row["path"], row["label"]] for row in rows]
    assert [line["probability"] for line in lines] == pytest.approx(
        [float(row["probability"]) for row in rows], abs=1e-4
    )


@pytest.mark.parametrize("format", ["audacity", "raven"])
def test_label_tracks_beside_the_recordings_are_read_as_annotations(cohear, trained, pond, tmp_path, format):
    beside = tmp_path / "pond"
    shutil.copytree(pond, beside)
    words = ("predict", trained, beside, "--format", format, "--out", beside)
    said = cohear(*words)
    assert (said.status, said.out) == (0, "")
    read, ending = (read_audacity, ".txt") if format == "audacity" else (read_raven, ".Table.1.selections.txt")
    clips = {name: read(beside / f"{name}{ending}") for name in ("june", "far/july")}
    rows = table(cohear("predict", trained, beside).out)
    for recording, of_one in ((beside / "june.wav", clips["june"]), (beside / "far/july.flac", clips["far/july"])):
        expected = [row for row in rows if row["path"] == str(recording)]
        assert {clip.path for clip in of_one} == {recording.name}
        assert [(clip.start_s, clip.end_s, clip.label) for clip in of_one] == times_and_labels(expected)
    assert cohear(*words).refuses("is there already and is not replaced")


def test_formats_and_places_that_contradict_each_other_are_refused(cohear, trained, pond, tmp_path):
    assert cohear("predict", trained, pond, "--format", "raven").refuses("--format raven", "--out DIR")
    assert cohear("predict", trained, pond, "--out", tmp_path).refuses("--out", "--format csv is printed")
    assert cohear("predict", trained, pond, "--format", "xml").refuses("'xml'", "'csv'", "'audacity'")
    (tmp_path / "file").touch()
    assert cohear("predict", trained, pond, "--embeddings", tmp_path / "file").refuses("a file stands where")


def test_embeddings_are_kept_beside_the_table(cohear, trained, pond, tmp_path):
    said = cohear("predict", trained, pond, "--embeddings", tmp_path / "made", "--hop-s", 0.3)
    rows = table(said.out)
    classifier = package.load(trained)
    for recording, name in ((pond / "june.wav", "june.npy"), (pond / "far" / "july.flac", "far/july.npy")):
        kept = np.load(tmp_path / "made" / name)
        assert len(kept) == sum(row["path"] == str(recording) for row in rows)
        np.testing.assert_array_equal(kept, classifier.embed(recording, hop_s=0.3))


def test_a_quoted_pattern_is_the_files_that_it_matches(cohear, trained, pond):
    said = cohear("predict", trained, pond / "**" / "j*.flac")
    assert {row["path"] for row in table(said.out)} == {str(pond / "far" / "july.flac")}
    assert cohear("predict", trained, pond / "*.ogg").refuses("no sound file matches", "*.ogg")


def test_of_a_damaged_recording_what_comes_before_is_kept(cohear, trained, pond, tmp_path):
    content = (pond / "june.wav").read_bytes()
    (tmp_path / "half.wav").write_bytes(content[: len(content) // 2])
    alone = cohear("predict", trained, tmp_path / "half.wav")
    assert alone.status == 2
    assert float(table(alone.out)[-1]["end_s"]) == pytest.approx(1.8, abs=0.01)
    assert alone.err.splitlines()[-1].startswith("cohear: ")
    assert "gives only 1.80 of 3.60 s" in alone.err
    assert "what was heard before is in the table" in alone.err
    (tmp_path / "none.wav").touch()
    shutil.copy(pond / "june.wav", tmp_path / "whole.wav")
    tracks = tmp_path / "tracks"
    said = cohear("predict", trained, tmp_path, "--format", "audacity", "--out", tracks)
    assert said.status == 2
    assert sorted(path.name for path in tracks.iterdir()) == ["half.txt", "whole.txt"]
    assert "left out: " in said.err
    assert "heard in part: " in said.err
    assert said.err.splitlines()[-1] == (
        f"cohear: 1 of 3 files could not be read and 1 of 3 could be read only in part; the others are in '{tracks}'"
    )


def test_what_cannot_be_is_left_out_and_said_and_never_a_missing_row(cohear, trained, pond, tmp_path):
    soundfile.write(tmp_path / "huge.wav", np.full(8000, 1e38, np.float32), 8000, subtype="FLOAT")
    assert cohear("predict", trained, tmp_path / "huge.wav").refuses("huge.wav holds samples far beyond full scale")
    shutil.copy(pond / "june.wav", tmp_path / "whole.wav")
    content = bytearray((pond / "june.wav").read_bytes())
    content[40:44] = struct.pack("<I", 4_000_000_000)
    (tmp_path / "claim.wav").write_bytes(content)
    said = cohear("predict", trained, tmp_path)
    assert said.status == 2
    assert {row["path"] for row in table(said.out)} == {str(tmp_path / name) for name in ("claim.wav", "whole.wav")}
    assert "claim.wav gives only 3.60 of 250000.00 s: it is cut short" in said.err
    assert said.err.splitlines()[-1].startswith(
        "cohear: 1 of 3 files could not be read and 1 of 3 could be read only in part"
    )


@pytest.mark.parametrize("weight", [1e38, np.nan])
def test_a_network_that_gives_no_numbers_is_complained_of(cohear, trained, pond, tmp_path, weight):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    weights, about = unseal((run / "model.safetensors").read_bytes())
    weights["linear.weight"] = np.full_like(weights["linear.weight"], weight)
    (run / "model.safetensors").write_bytes(seal(weights, about))
    assert cohear("predict", run, pond / "june.wav").refuses("june.wav: the network answers with NaN or infinite")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text_is_left_out_and_said(cohear, trained, pond, tmp_path):
    shutil.copy(pond / "june.wav", tmp_path / "whole.wav")
    shutil.copy(pond / "june.wav", tmp_path / os.fsdecode(b"Fr\xf6sche.wav"))  # Latin-1
    said = cohear("predict", trained, tmp_path)
    assert said.status == 2
    assert {row["path"] for row in table(said.out)} == {str(tmp_path / "whole.wav")}
    assert r"Fr\udcf6sche.wav' has a name that is no text: rename it." in said.err


def test_a_recording_nearly_whole_is_heard_and_said_to_be_shorter(cohear, trained, pond, tmp_path):
    content = (pond / "june.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content[: round(0.97 * len(content))])
    said = cohear("predict", trained, tmp_path / "a.wav")
    assert said.status == 0
    assert "a.wav is 0.11 s shorter than it declares" in said.err


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc here")
def test_an_hour_is_heard_in_little_memory(trained, tmp_path):
    n_bytes = 2 * 3600 * 44100
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", n_bytes + 36, b"WAVE", b"fmt ", 16, 1, 1, 44100, 88200, 2, 16, b"data", n_bytes
    )
    with open(tmp_path / "hour.wav", "wb") as file:
        file.write(header)
        file.truncate(len(header) + n_bytes)  # a hole in the file, which reads as silence
    code = (
        "import sys; from cohear.cli import run; status = run(sys.argv[1:]);"
        "print(status, *(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    words = (sys.executable, "-c", code, "predict", trained, tmp_path / "hour.wav", "--hop-s", "0.5")
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(said) == 1 + 7199 + 1 + 1  # the header, windows that begin every half second, the tail, the status
    assert said[-2].split(",")[2] == "3600.000"
    status, peak_kib = said[-1].split()
    assert status == "0"
    assert int(peak_kib) < 1.5 * 2**20
