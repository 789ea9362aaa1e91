"""Sounds to begin with, against the table of a tiny data set."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from cohear.app.examples import examples
from cohear.data.audio_files import decode
from cohear.errors import UserError
from cohear.experiments.predictions import round_predictions, write_predictions
from cohear.experiments.presets import preset
from cohear.experiments.run_folder import RunRecord
from tiny import SAMPLE_RATE, write_tones


@pytest.fixture
def hearing(classifier):
    return dataclasses.replace(classifier, sample_rate=SAMPLE_RATE, clip_s=0.6)


@pytest.fixture
def run(tmp_path):
    """What remains of a run that was tested on fold 1 of two."""
    table = write_tones(tmp_path / "data", n_clips=2)
    _write_run(tmp_path / "run", table, [f"tone{label}-1-{take}.wav" for label in (2, 1, 0) for take in (0, 1)])
    return tmp_path / "run"


def _write_run(folder: Path, data: Path, paths: list[str]) -> None:
    record = RunRecord(
        config=preset("small"), model="Combination-CL", identity="i", experiment="e", numerics=2, data_path=str(data),
        dataset="tones", data_fingerprint="f", classes=("tone0", "tone1", "tone2"), clip_s=0.6, track="end",
    )  # fmt: skip
    record.write(folder)
    n = len(paths)
    labels, answers = np.zeros(n, np.int64), np.log(np.full((n, 3), 1 / 3))
    write_predictions(folder, round_predictions(record.classes, tuple(paths), ("",) * n, labels, answers, np.zeros(n)))


def test_a_run_offers_a_test_clip_of_each_label(hearing, run):
    whose, offered = examples(hearing, run)
    assert whose == "clips that it was tested on"
    assert [example.name for example in offered] == ["tone0", "tone1", "tone2"]
    for label, example in enumerate(offered):
        excerpt = example.take()
        assert excerpt.name == f"tone{label}-1-0.wav"
        np.testing.assert_array_equal(excerpt.waveform, decode(run.parent / "data" / excerpt.name).waveform)


def test_of_annotated_recordings_the_tested_segments_are_offered(hearing, run, tmp_path):
    table = tmp_path / "data" / "segments.csv"
    table.write_text("path,label,start,end\ntone0-1-0.wav,a,0.1,0.3\ntone0-1-0.wav,b,0.3,0.5\ntone1-1-0.wav,b,0,0.5\n")
    tested = ["tone0-1-0.wav#0.3-0.5", "tone0-1-0.wav#0.1-0.3#0.1-0.2"]  # the last a window of the first segment
    _write_run(tmp_path / "segments", table, tested)
    _, offered = examples(hearing, tmp_path / "segments")
    assert [example.name for example in offered] == ["a", "b"]
    for example, (start_s, end_s) in zip(offered, ((0.1, 0.2), (0.3, 0.5)), strict=True):
        waveform = decode(tmp_path / "data" / "tone0-1-0.wav", start_s, end_s).waveform
        taken = example.take()
        np.testing.assert_array_equal(taken.waveform[: taken.n_sound], waveform)


@pytest.mark.parametrize("gone", ["data", "clips", "answers"])
def test_where_something_is_gone_sounds_are_made_up(hearing, run, gone):
    if gone == "data":
        (run.parent / "data").rename(run.parent / "moved")
    if gone == "clips":
        for clip in (run.parent / "data").glob("*-1-*.wav"):
            clip.unlink()
    if gone == "answers":
        (run / "predictions.safetensors").unlink()
    whose, offered = examples(hearing, run)
    assert whose == "made-up sounds"
    assert len(offered) == 10
    excerpt = next(example for example in offered if example.name == "siren").take()
    assert excerpt.name == "made-up siren"
    assert len(excerpt.waveform) == 0.6 * SAMPLE_RATE
    assert np.abs(excerpt.waveform).max() > 0.05


def test_a_packed_model_brings_no_sounds(hearing, tmp_path):
    assert examples(hearing, tmp_path / "model.cohear")[0] == "made-up sounds"


def test_a_clip_that_goes_away_later_is_a_sentence(hearing, run):
    _, offered = examples(hearing, run)
    (run.parent / "data" / "tone2-1-0.wav").unlink()
    with pytest.raises(UserError, match=r"^tone2-1-0\.wav does not exist"):
        offered[2].take()
