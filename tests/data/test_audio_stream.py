"""Blocks put together against the whole file decoded and resampled; what is wrong with a file, after what is right."""

import tracemalloc

import numpy as np
import pytest

from cohear.data import audio_decoding
from cohear.data.audio_decoding import AudioStream, decode, resample
from cohear.errors import UserError
from made_stores import write, write_m4a

RATE = 22050


def noise(duration_s: float, sample_rate: int, n_channels: int = 1) -> np.ndarray:
    random = np.random.default_rng(0)
    return 0.1 * random.standard_normal((round(duration_s * sample_rate), n_channels)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "sample_rate", "n_channels"),
    [
        *(("a.wav", rate, 1) for rate in (8000, 48000, 96000)),
        *(("a.wav", 22050, 3), ("a.flac", 44100, 1), ("a.ogg", 8000, 1), ("a.ogg", 44100, 2)),
        *(("a.mp3", 48000, 2), ("a.opus", 48000, 2), ("a.m4a", 44100, 2)),
    ],
)
def test_blocks_are_the_whole_file_decoded_and_resampled(tmp_path, monkeypatch, name, sample_rate, n_channels):
    monkeypatch.setattr(audio_decoding, "_STREAM_BLOCK", 7001)
    path, waveforms = tmp_path / name, noise(1.3, sample_rate, n_channels)
    if name == "a.m4a":
        write_m4a(path, waveforms.T, sample_rate)
    else:
        write(path, waveforms, sample_rate, **({"format": "OGG", "subtype": "OPUS"} if name == "a.opus" else {}))
    stream = AudioStream(path, RATE)
    blocks = list(stream)
    assert len(blocks) > 2
    expected = resample(decode(path).waveform, sample_rate, RATE)
    np.testing.assert_allclose(np.concatenate(blocks), expected, atol=1e-6)
    assert (stream.info.sample_rate, stream.damage, stream.shortfall_s) == (sample_rate, None, 0.0)
    assert stream.info.duration_s == pytest.approx(1.3, abs=0.05)


def test_memory_does_not_grow_with_the_recording(tmp_path):
    def peak_bytes(duration_s: int) -> int:
        path = write(tmp_path / f"{duration_s}.wav", np.zeros(duration_s * 8000, np.int16), 8000)
        tracemalloc.start()
        n_samples = sum(len(block) for block in AudioStream(path, RATE))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert n_samples == duration_s * RATE
        return peak

    assert peak_bytes(300) < 1.1 * peak_bytes(30)
    few = write(tmp_path / "few.wav", noise(100, 100), 100)
    assert max(len(block) for block in AudioStream(few, 96000)) < 1 << 20  # of 9.6 million


def test_what_is_no_sound_is_refused_before_it_is_heard(tmp_path):
    (tmp_path / "a.wav").write_text("no sound")
    for name in ("a.wav", "b.wav", "\udcff.wav"):
        with pytest.raises(UserError):
            AudioStream(tmp_path / name, RATE)


@pytest.mark.parametrize(("name", "least_s"), [("a.wav", 1.99), ("a.flac", 1.4), ("a.mp3", 1.4)])
def test_of_half_a_file_its_half_is_heard_and_the_damage_told(tmp_path, name, least_s):
    path = write(tmp_path / name, noise(4, RATE), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    stream = AudioStream(path, RATE)
    assert least_s < sum(map(len, stream)) / RATE < 2.3
    assert str(path) in str(stream.damage)


@pytest.mark.parametrize("bad", [(np.nan, 0), (1e38, -1e38)])
def test_samples_before_one_that_is_none_are_heard(tmp_path, bad):
    waveform = noise(2, RATE, 2)
    waveform[RATE] = bad
    stream = AudioStream(write(tmp_path / "a.wav", waveform, RATE, subtype="FLOAT"), RATE)
    np.testing.assert_array_equal(np.concatenate(list(stream)), waveform[:RATE].mean(axis=1))
    assert "at 1.000 s)" in str(stream.damage)


@pytest.mark.parametrize(("n_samples", "said"), [(0, "holds no samples"), (1, "is shorter than a sample")])
def test_what_gives_not_one_sample_is_told(tmp_path, n_samples, said):
    stream = AudioStream(write(tmp_path / "a.wav", np.zeros(n_samples), 96000), 8000)
    assert list(stream) == []
    assert said in str(stream.damage)
