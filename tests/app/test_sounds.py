"""Which sounds are offered, and which part of a file is heard, against `decode` and places known by hand."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cohear.app import sounds
from cohear.app.sounds import examples, excerpt_of_file
from cohear.data.audio_decoding import decode
from cohear.errors import UserError
from cohear.runs.predictions import round_predictions, write_predictions
from cohear.runs.run import Run
from made_models import changed
from run_folders_made import write_run
from tiny import SAMPLE_RATE, write_tones

RATE = 16000


def _noise(n_samples, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal(n_samples).astype(np.float32)


def test_of_a_long_file_the_loudest_part_is_heard_at_any_rate_and_in_stereo(classifier, tmp_path):
    sound = 0.01 * np.stack([_noise(3 * 48000, seed) for seed in (1, 2)], 1)
    sound[72000:96000] *= 50  # from 1.5 to 2 s
    sound[48000:72000] *= 2  # so that the window ends there
    soundfile.write(tmp_path / "street.wav", sound, 48000)
    excerpt = excerpt_of_file(classifier, tmp_path / "street.wav")
    assert excerpt.n_sound == len(excerpt.waveform) == RATE
    assert excerpt.origin.startswith("3.00 s at 48000 Hz, the mean of 2 channels")
    assert "loudest part, 1 s from 1.0" in excerpt.origin
    energies = np.square(excerpt.waveform.reshape(2, -1)).sum(1)
    assert energies[1] > 100 * energies[0] > 0


def test_a_short_file_is_heard_whole_and_filled_up_as_in_training(classifier, tmp_path):
    soundfile.write(tmp_path / "knock.wav", _noise(4000), RATE, subtype="FLOAT")
    padded = excerpt_of_file(classifier, tmp_path / "knock.wav")
    np.testing.assert_array_equal(padded.waveform[:4000], decode(tmp_path / "knock.wav").waveform)
    assert not padded.waveform[4000:].any()
    assert (padded.n_sound, padded.name) == (4000, "knock.wav")
    repeated = excerpt_of_file(changed(classifier, short="repeat"), tmp_path / "knock.wav")
    np.testing.assert_array_equal(repeated.waveform, np.tile(padded.waveform[:4000], 4))
    assert repeated.n_sound == RATE


def test_what_cannot_be_heard_is_named_without_its_folder(classifier, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "whole.wav", _noise(3 * RATE), RATE)
    (tmp_path / "part.wav").write_bytes((tmp_path / "whole.wav").read_bytes()[:50000])
    (tmp_path / "text.wav").write_text("hello")
    for name in ("gone.wav", "part.wav", "text.wav"):
        with pytest.raises(UserError, match=f"^{name}") as refusal:
            excerpt_of_file(classifier, tmp_path / name)
        assert str(tmp_path) not in str(refusal.value)
    soundfile.write(tmp_path / "night.flac", np.zeros(601 * 1000, np.int16), 1000)
    monkeypatch.setattr(sounds, "decode", None)  # it is not decoded
    with pytest.raises(UserError, match=r"^night\.flac .*10 minutes"):
        excerpt_of_file(classifier, tmp_path / "night.flac")


@pytest.fixture
def hearing(classifier):
    return changed(classifier, sample_rate=SAMPLE_RATE, clip_s=0.6)


@pytest.fixture
def run(tmp_path):
    """What remains of a run that was tested on fold 1 of two."""
    table = write_tones(tmp_path / "data", n_clips=2)
    _write_run(tmp_path / "run", table, [f"tone{label}-1-{take}.wav" for label in (2, 1, 0) for take in (0, 1)])
    return tmp_path / "run"


def _write_run(folder: Path, data: Path, paths: list[str]) -> None:
    made, n = Run(write_run(folder, classes=("tone0", "tone1", "tone2"))), len(paths)
    made.write_record(dataclasses.replace(made.record, data_path=str(data)))
    labels, said = np.zeros(n, np.int64), np.log(np.full((n, 3), 1 / 3))
    answers = round_predictions(made.record.classes, tuple(paths), ("",) * n, labels, labels, said, np.zeros(n))
    write_predictions(folder, answers)


def test_a_run_offers_a_test_clip_of_each_label(hearing, run):
    _, offered = examples(hearing, run)
    assert list(offered) == ["tone0", "tone1", "tone2"]
    for label, take in offered.items():
        excerpt = take()
        assert excerpt.name == f"{label}-1-0.wav"
        np.testing.assert_array_equal(excerpt.waveform, decode(run.parent / "data" / excerpt.name).waveform)
    (run.parent / "data" / "tone2-1-0.wav").unlink()
    with pytest.raises(UserError, match=r"^tone2-1-0\.wav"):
        offered["tone2"]()


def test_of_annotated_recordings_the_tested_segments_are_offered(hearing, run, tmp_path):
    table = tmp_path / "data" / "segments.csv"
    table.write_text("path,label,start,end\ntone0-1-0.wav,a,0.1,0.3\ntone0-1-0.wav,b,0.3,0.5\ntone1-1-0.wav,b,0,0.5\n")
    tested = ["tone0-1-0.wav#0.3-0.5", "tone0-1-0.wav#0.1-0.3#0.1-0.2"]  # the last a window of the first segment
    _write_run(tmp_path / "segments", table, tested)
    _, offered = examples(hearing, tmp_path / "segments")
    for label, (start_s, end_s) in {"a": (0.1, 0.3), "b": (0.3, 0.5)}.items():
        taken = offered.pop(label)()
        waveform = decode(tmp_path / "data" / "tone0-1-0.wav", start_s, end_s).waveform
        np.testing.assert_array_equal(taken.waveform[: taken.n_sound], waveform)
    assert not offered


@pytest.mark.parametrize("gone", ["data", "clips", "run"])
def test_where_something_is_gone_sounds_are_made_up(hearing, run, gone):
    if gone == "data":
        (run.parent / "data").rename(run.parent / "moved")
    if gone == "clips":
        for clip in (run.parent / "data").glob("*-1-*.wav"):
            clip.unlink()
    _, offered = examples(hearing, run.parent / "model.cohear" if gone == "run" else run)
    assert len(offered) == 10
    excerpt = offered["siren"]()
    assert len(excerpt.waveform) == 0.6 * SAMPLE_RATE
    assert np.abs(excerpt.waveform).max() > 0.05
