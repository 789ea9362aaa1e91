"""Which part of a file is heard, against `decode` and places known by hand."""

import dataclasses

import numpy as np
import pytest
import soundfile

from cohear.app import excerpts
from cohear.app.excerpts import excerpt_of_file, excerpt_of_segment, take_excerpt
from cohear.data.audio_files import decode
from cohear.errors import UserError

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
    assert excerpt.name == "street.wav"
    assert excerpt.origin.startswith(
        "3.00 s at 48000 Hz, the mean of 2 channels; heard is its loudest part, 1 s from 1.0"
    )
    energies = np.square(excerpt.waveform.reshape(2, -1)).sum(1)
    assert energies[1] > 100 * energies[0] > 0


def test_a_short_file_is_heard_whole_and_filled_up_as_in_training(classifier, tmp_path):
    soundfile.write(tmp_path / "knock.wav", _noise(4000), RATE, subtype="FLOAT")
    padded = excerpt_of_file(classifier, tmp_path / "knock.wav", "Knock")
    np.testing.assert_array_equal(padded.waveform[:4000], decode(tmp_path / "knock.wav").waveform)
    assert not padded.waveform[4000:].any()
    assert (padded.n_sound, padded.name) == (4000, "Knock")
    assert "filled up to 1 s by silence" in padded.origin
    repeating = dataclasses.replace(classifier, short="repeat")
    repeated = excerpt_of_file(repeating, tmp_path / "knock.wav")
    np.testing.assert_array_equal(repeated.waveform, np.tile(padded.waveform[:4000], 4))
    assert repeated.n_sound == RATE


def test_a_segment_is_heard_where_it_lies(classifier, tmp_path):
    sound = _noise(3 * RATE)
    soundfile.write(tmp_path / "pond.wav", sound, RATE, subtype="FLOAT")
    excerpt = excerpt_of_segment(classifier, tmp_path / "pond.wav", 1.5, 2.0)
    np.testing.assert_array_equal(excerpt.waveform[: RATE // 2], sound[24000:32000])
    assert "from 1.5 s of the recording on" in excerpt.origin


def test_silence_is_called_so(classifier):
    assert take_excerpt(classifier, np.zeros(2 * RATE, np.float32), "x", "y").origin.endswith("it is silent.")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.wav", b"", "empty"),
        ("text.wav", b"hello" * 100, "cannot be read as sound"),
        ("text.wav", b"RIFF\x00\x00\x00\x00WAVEfmt ", "cannot be read as sound"),
    ],
)
def test_what_is_no_sound_is_named_without_its_folder(classifier, tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=words) as refusal:
        excerpt_of_file(classifier, tmp_path / name)
    assert str(refusal.value).startswith(name)
    assert str(tmp_path) not in str(refusal.value)


def test_a_file_cut_short_is_refused(classifier, tmp_path):
    soundfile.write(tmp_path / "whole.wav", _noise(3 * RATE), RATE)
    (tmp_path / "part.wav").write_bytes((tmp_path / "whole.wav").read_bytes()[:50000])
    with pytest.raises(UserError, match=r"part\.wav gives only 1\.56 of 3\.00 s"):
        excerpt_of_file(classifier, tmp_path / "part.wav")


def test_hours_are_refused_before_they_are_decoded(classifier, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "night.flac", np.zeros(601 * 1000, np.int16), 1000)
    monkeypatch.setattr(excerpts, "AudioStream", None)
    with pytest.raises(UserError, match=r"night\.flac lasts longer than 10 minutes.*`cohear predict`"):
        excerpt_of_file(classifier, tmp_path / "night.flac")


def test_a_file_that_does_not_declare_its_length_is_cut_off_while_it_is_read(classifier, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "live.wav", _noise(3 * RATE), RATE)
    monkeypatch.setattr(excerpts, "MAX_DURATION_S", 2.0)
    monkeypatch.setattr(excerpts, "_check", lambda path, info: None)
    with pytest.raises(UserError, match=r"live\.wav lasts longer"):
        excerpt_of_file(classifier, tmp_path / "live.wav")


def test_rates_that_no_recorder_writes_are_refused(classifier, tmp_path):
    soundfile.write(tmp_path / "odd.wav", _noise(100), 2**30)
    with pytest.raises(UserError, match="declares a sample rate of 1073741824 Hz, not one of 100 to 10000000 Hz"):
        excerpt_of_file(classifier, tmp_path / "odd.wav")
