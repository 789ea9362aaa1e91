"""Sound files of every kind against what was written; what is wrong with a file is refused by name."""

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.signal

from cohear.data import audio_files
from cohear.data.audio_decoding import decode, decode_channels, decode_segments, resample
from cohear.data.audio_files import probe
from cohear.errors import UserError
from made_stores import write as write_at
from made_stores import write_m4a

RATE = 22050


def write(path: Path, waveform: np.ndarray, sample_rate: int = RATE, **kwargs) -> Path:
    return write_at(path, waveform, sample_rate, **kwargs)


def tone(duration_s: float = 1.0, frequency_hz: float = 440.0, sample_rate: int = RATE) -> np.ndarray:
    time_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "kwargs", "tolerance"),
    [
        *((name, {}, 1e-4) for name in ("a.flac", "a.aiff", "a.w64")),
        *((name, {}, 0.02) for name in ("a.ogg", "a.mp3")),
        ("a.opus", {"format": "OGG", "subtype": "OPUS", "sample_rate": 48000}, 0.02),
    ],
)
def test_every_format_gives_the_tone_that_was_written(tmp_path, name, kwargs, tolerance):
    waveform = tone(2.0, sample_rate=kwargs.get("sample_rate", RATE))
    path = write(tmp_path / name, waveform, **kwargs)
    decoded = decode(path)
    assert len(decoded.waveform) == len(waveform)
    middle = slice(len(waveform) // 4, -len(waveform) // 4)  # codecs smear the ends
    np.testing.assert_allclose(decoded.waveform[middle], waveform[middle], atol=tolerance)
    info = probe(path)
    assert (info.duration_s, info.sample_rate, info.n_channels) == (2.0, decoded.sample_rate, 1)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_segment_equals_that_part_of_the_whole(tmp_path, name):
    noise = np.random.default_rng(1).normal(0, 0.1, 3 * RATE).astype(np.float32)
    path = write(tmp_path / name, noise + tone(3.0))
    whole = decode(path).waveform
    for start_s, end_s in ((0.0, 0.5), (0.713, 1.9), (2.0, None)):
        expected = whole[round(start_s * RATE) : None if end_s is None else round(end_s * RATE)]
        # MP3 rounds differently after a seek.
        np.testing.assert_allclose(decode(path, start_s, end_s).waveform, expected, atol=1e-6)


def test_segments_that_are_none_are_refused(tmp_path):
    path = write(tmp_path / "a.wav", tone(1.0))
    with pytest.raises(UserError, match=r"a\.wav lasts 1\.00 s, so no segment can begin at 3 s"):
        decode(path, 3.0, 4.0)


def test_resampling_agrees_with_a_chirp_at_the_other_rate():
    chirp = scipy.signal.chirp(np.arange(44100) / 44100, 100, 1, 8000).astype(np.float32)
    expected = scipy.signal.chirp(np.arange(22050) / 22050, 100, 1, 8000)
    np.testing.assert_allclose(resample(chirp, 44100, 22050)[500:-500], expected[500:-500], atol=1e-3)
    assert resample(chirp, 44100, 44100) is chirp


def test_m4a_is_decoded_by_pyav(tmp_path):
    path = write_m4a(tmp_path / "a.m4a", np.stack([tone(2.0, 440, 44100), tone(2.0, 1000, 44100)]))
    decoded = decode(path)
    assert (decoded.sample_rate, decoded.n_channels) == (44100, 2)
    assert probe(path).duration_s == pytest.approx(2.0, abs=0.05)
    spectrum = np.abs(np.fft.rfft(decoded.waveform[22050:66150]))
    assert sorted(spectrum.argsort()[-2:]) == [440, 1000]  # one second: bins of 1 Hz
    np.testing.assert_allclose(spectrum[[440, 1000]] / 22050, 0.25, atol=0.01)  # half of 0.5 each
    channels = decode_channels(path).waveforms
    assert np.abs(np.fft.rfft(channels[:, 22050:66150])).argmax(axis=1).tolist() == [440, 1000]
    np.testing.assert_array_equal(channels.mean(axis=0), decoded.waveform)
    (tmp_path / "b.m4a").write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match=r"b\.m4a cannot be decoded by FFmpeg"):
        decode(tmp_path / "b.m4a")


def test_segments_of_an_m4a_are_decoded_in_one_pass_that_ends_with_the_last(tmp_path, monkeypatch):
    path = write_m4a(tmp_path / "a.m4a", np.random.default_rng(0).normal(0, 0.1, (2, 6 * 44100)))
    whole, heard = decode(path).waveform, []
    blocks = audio_files.MediaFile.blocks

    def noted(self, first, last):
        for place, block in blocks(self, first, last):
            heard.append(block.shape[1])
            yield place, block

    monkeypatch.setattr(audio_files.MediaFile, "blocks", noted)
    segments = [(2.5, 3.0), (None, 1.0), (0.5, 2.75), (9.0, 10.0)]
    *given, beyond = decode_segments(path, segments)
    for (start_s, end_s), segment in zip(segments, given, strict=False):
        expected = whole[round((start_s or 0) * 44100) : round(end_s * 44100)]
        np.testing.assert_array_equal(segment.waveform, expected)
    assert "no segment can begin at 9 s" in str(beyond)
    assert sum(heard) <= len(whole) + 2048
    heard.clear()
    decode(path, 1.0, 2.0)
    assert sum(heard) < 2.1 * 44100


def test_m4a_without_pyav_says_how_to_convert(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "a.m4a").write_bytes(b"anything")
    with pytest.raises(UserError, match=r"pip install 'cohear\[media]'.*ffmpeg -i /.*/a\.m4a /.*\.wav\)"):
        decode(tmp_path / "a.m4a")


def bytes_of_wave(sample_rate: int = RATE, n_channels: int = 1, n_bytes: int = 2 * RATE) -> bytes:
    """Make a second of silence whose header says something else."""
    described = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, n_channels, sample_rate, 2 * sample_rate, 2, 16)
    return b"RIFF\0\0\0\0WAVE" + described + struct.pack("<4sI", b"data", n_bytes) + bytes(2 * RATE)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be opened"),
        (b"", "is empty"),
        (b"these are words\n" * 20, r"cannot be read as sound .*ffmpeg -i"),
        (bytes_of_wave(sample_rate=0), "cannot be read as sound"),
        (bytes_of_wave(sample_rate=1), "declares a sample rate of 1 Hz"),
        (bytes_of_wave(n_channels=0), "cannot be read as sound"),
        (bytes_of_wave(n_bytes=0), "holds no samples"),
    ],
)
def test_what_is_no_sound_is_refused_by_name(tmp_path, content, said):
    if content is not None:
        (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(UserError, match=rf"a\.wav {said}"):
        decode(tmp_path / "a.wav")


@pytest.mark.parametrize("bad", [np.nan, np.inf, 32767.0, -1e38, 3.3e38])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_samples_that_are_none_are_refused_with_their_place(tmp_path, bad, n_channels):
    waveform = np.stack([tone()] * n_channels, axis=1)
    waveform[RATE // 4] = [bad, -bad][:n_channels]  # channels that make up for each other are no better
    with np.errstate(all="raise"), pytest.raises(UserError, match=r"a\.wav holds .* at 0\.250 s\): export it again"):
        decode(write(tmp_path / "a.wav", waveform, subtype="FLOAT"))
    waveform[RATE // 4] = 90  # pascals may be
    assert decode(write(tmp_path / "a.wav", waveform, subtype="FLOAT")).waveform.max() == 90


def test_a_file_that_goes_while_it_is_opened_is_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(audio_files, "_require_content", lambda path: None)
    with pytest.raises(UserError, match=r"b\.wav cannot be read, its disk does not give it"):
        decode(tmp_path / "b.wav")
