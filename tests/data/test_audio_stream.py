"""Blocks put together against the whole file decoded and resampled; what is wrong with a file, after what is right."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cohear.data import audio_stream
from cohear.data.audio_files import decode, resample
from cohear.data.audio_stream import AudioStream
from cohear.errors import UserError

RATE = 22050


def noise(duration_s: float, sample_rate: int, n_channels: int = 1) -> np.ndarray:
    random = np.random.default_rng(0)
    return 0.1 * random.standard_normal((round(duration_s * sample_rate), n_channels)).astype(np.float32)


def write(path: Path, waveform: np.ndarray, sample_rate: int, **kwargs) -> Path:
    soundfile.write(path, waveform, sample_rate, **kwargs)
    return path


@pytest.mark.parametrize(
    ("name", "sample_rate", "n_channels"),
    [
        *((name, rate, 1) for name in ("a.wav", "a.flac") for rate in (8000, 44100, 48000, 96000)),
        *(("a.ogg", 8000, 1), ("a.ogg", 44100, 2), ("a.ogg", 96000, 1)),
        *(("a.mp3", 8000, 1), ("a.mp3", 44100, 1), ("a.mp3", 48000, 2)),
        *(("a.wav", 22050, 3), ("a.opus", 48000, 2)),
    ],
)
def test_blocks_are_the_whole_file_decoded_and_resampled(tmp_path, monkeypatch, name, sample_rate, n_channels):
    monkeypatch.setattr(audio_stream, "_BLOCK", 7001)
    kwargs = {"format": "OGG", "subtype": "OPUS"} if name == "a.opus" else {}
    path = write(tmp_path / name, noise(1.3, sample_rate, n_channels), sample_rate, **kwargs)
    whole = decode(path)
    stream = AudioStream(path, RATE)
    blocks = list(stream)
    assert len(blocks) > 2
    np.testing.assert_allclose(np.concatenate(blocks), resample(whole.waveform, sample_rate, RATE), atol=1e-6)
    assert (stream.source_rate, stream.damage, stream.shortfall_s) == (sample_rate, None, 0.0)
    assert stream.declared_s == pytest.approx(1.3, abs=0.05)


def test_blocks_of_a_media_file_are_the_whole_file_too(tmp_path):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "a.m4a"), "w") as container:
        sound = container.add_stream("aac", rate=44100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(noise(1, 44100, 2).T), format="fltp", layout="stereo")
        frame.sample_rate = 44100
        for packet in [*sound.encode(frame), *sound.encode(None)]:
            container.mux(packet)
    whole = decode(tmp_path / "a.m4a")
    blocks = np.concatenate(list(AudioStream(tmp_path / "a.m4a", RATE)))
    np.testing.assert_allclose(blocks, resample(whole.waveform, 44100, RATE), atol=1e-6)


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


def test_few_samples_that_become_many_come_in_small_blocks(tmp_path):
    path = write(tmp_path / "a.wav", noise(100, 100), 100)
    assert max(len(block) for block in AudioStream(path, 96000)) < 1 << 20  # of 9.6 million


def test_what_is_no_sound_is_refused_before_it_is_heard(tmp_path):
    (tmp_path / "a.wav").write_text("no sound")
    with pytest.raises(UserError, match=r"a\.wav cannot be read as sound"):
        AudioStream(tmp_path / "a.wav", RATE)
    with pytest.raises(UserError, match="does not exist"):
        AudioStream(tmp_path / "b.wav", RATE)


@pytest.mark.parametrize(("name", "least_s"), [("a.wav", 1.99), ("a.flac", 1.4), ("a.mp3", 1.4)])
def test_of_half_a_file_its_half_is_heard_and_the_damage_told(tmp_path, name, least_s):
    path = write(tmp_path / name, noise(4, RATE), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    stream = AudioStream(path, RATE)
    heard_s = sum(len(block) for block in stream) / RATE
    assert least_s < heard_s < 2.3
    assert str(path) in str(stream.damage)


def test_nearly_whole_file_is_heard_and_its_shortfall_told(tmp_path):
    path = write(tmp_path / "a.wav", noise(4, RATE), RATE)
    path.write_bytes(path.read_bytes()[: round(0.97 * path.stat().st_size)])
    stream = AudioStream(path, RATE)
    assert sum(len(block) for block in stream) / RATE == pytest.approx(0.97 * 4, abs=1e-3)
    assert stream.shortfall_s == pytest.approx(0.12, abs=1e-3)
    assert stream.damage is None


def test_samples_before_one_that_is_no_number_are_heard(tmp_path):
    waveform = noise(2, RATE)
    waveform[RATE, 0] = np.nan
    stream = AudioStream(write(tmp_path / "a.wav", waveform, RATE, subtype="FLOAT"), RATE)
    np.testing.assert_array_equal(np.concatenate(list(stream)), waveform[:RATE, 0])
    assert "NaN or infinite samples (the first at 1.000 s)" in str(stream.damage)


def test_samples_before_one_far_beyond_full_scale_are_heard(tmp_path):
    waveform = noise(2, RATE, 2)
    waveform[RATE] = (1e38, -1e38)
    stream = AudioStream(write(tmp_path / "a.wav", waveform, RATE, subtype="FLOAT"), RATE)
    np.testing.assert_array_equal(np.concatenate(list(stream)), waveform[:RATE].mean(axis=1))
    assert "far beyond full scale, which is 1 (the first, 1e+38, at 1.000 s)" in str(stream.damage)


def test_what_gives_not_one_sample_is_told(tmp_path):
    empty = AudioStream(write(tmp_path / "a.wav", np.zeros(0), RATE), RATE)
    assert list(empty) == []
    assert "holds no samples" in str(empty.damage)
    short = AudioStream(write(tmp_path / "b.wav", np.zeros(1), 96000), 8000)
    assert list(short) == []
    assert "is shorter than a sample at 8000 Hz" in str(short.damage)
