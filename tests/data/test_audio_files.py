import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile

from cohear.data.audio_files import decode, is_audio, probe, resample
from cohear.errors import UserError

RATE = 22050


def tone(duration_s: float = 1.0, frequency_hz: float = 440.0, sample_rate: int = RATE) -> np.ndarray:
    time_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def write(path: Path, waveform: np.ndarray, sample_rate: int = RATE, **kwargs) -> Path:
    soundfile.write(path, waveform, sample_rate, **kwargs)
    return path


def cut(path: Path, part: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    return path


def test_wav_of_16_bits_is_decoded_exactly(tmp_path):
    steps = np.random.default_rng(0).integers(-32768, 32768, RATE).astype(np.int16)
    decoded = decode(write(tmp_path / "a.wav", steps))
    np.testing.assert_array_equal(decoded.waveform * 32768, steps)
    assert (decoded.sample_rate, decoded.n_channels, decoded.shortfall_s) == (RATE, 1, 0.0)


@pytest.mark.parametrize(
    ("name", "kwargs", "tolerance"),
    [
        ("a.flac", {}, 1e-4),
        ("a.aiff", {}, 1e-4),
        ("a.ogg", {}, 0.02),
        ("a.opus", {"format": "OGG", "subtype": "OPUS", "sample_rate": 48000}, 0.02),
        ("a.mp3", {}, 0.02),
    ],
)
def test_every_format_gives_the_tone_that_was_written(tmp_path, name, kwargs, tolerance):
    waveform = tone(2.0, sample_rate=kwargs.get("sample_rate", RATE))
    decoded = decode(write(tmp_path / name, waveform, **kwargs))
    assert len(decoded.waveform) == len(waveform)
    middle = slice(len(waveform) // 4, -len(waveform) // 4)  # codecs smear the ends
    np.testing.assert_allclose(decoded.waveform[middle], waveform[middle], atol=tolerance)


def test_channels_are_averaged(tmp_path):
    left, right = tone(), tone(frequency_hz=1000)
    decoded = decode(write(tmp_path / "a.wav", np.stack([left, right], axis=1), subtype="FLOAT"))
    np.testing.assert_allclose(decoded.waveform, (left + right) / 2, atol=1e-7)
    assert decoded.n_channels == 2


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_segment_equals_that_part_of_the_whole(tmp_path, name):
    noise = np.random.default_rng(1).normal(0, 0.1, 3 * RATE).astype(np.float32)
    path = write(tmp_path / name, noise + tone(3.0))
    whole = decode(path).waveform
    for start_s, end_s in ((0.0, 0.5), (0.713, 1.9), (2.0, None)):
        part = decode(path, start_s, end_s).waveform
        first = round(start_s * RATE)
        expected = whole[first : None if end_s is None else round(end_s * RATE)]
        np.testing.assert_allclose(part, expected, atol=1e-6)  # MP3 rounds differently after a seek


def test_probe_reads_length_rate_and_channels(tmp_path):
    info = probe(write(tmp_path / "a.wav", np.zeros((RATE // 2, 2))))
    assert (info.duration_s, info.sample_rate, info.n_channels) == (0.5, RATE, 2)


def test_hidden_files_and_texts_are_no_audio():
    assert is_audio(Path("a.WAV"))
    assert is_audio(Path("a.m4a"))
    assert not is_audio(Path("._a.wav"))
    assert not is_audio(Path("a.txt"))


def test_resampling_agrees_with_scipy_on_a_chirp():
    time_s = np.arange(44100) / 44100
    chirp = scipy.signal.chirp(time_s, 100, 1, 8000).astype(np.float32)
    resampled = resample(chirp, 44100, 22050)
    expected = scipy.signal.chirp(np.arange(22050) / 22050, 100, 1, 8000)
    np.testing.assert_allclose(resampled[500:-500], expected[500:-500], atol=1e-3)


def test_resampling_to_the_same_rate_changes_nothing():
    waveform = tone()
    assert resample(waveform, RATE, RATE) is waveform


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.mp3", "a.flac", "a.au", "a.w64", "a.rf64"])
def test_half_a_file_is_refused_with_its_name(tmp_path, name):
    noise = np.random.default_rng(2).normal(0, 0.1, 4 * RATE)
    path = cut(write(tmp_path / name, noise), 0.5)
    with pytest.raises(UserError, match=rf"{name} (gives only [12]\.\d\d of 4\.0\d s|is damaged or cut short)"):
        decode(path)


def test_nearly_whole_file_is_used_and_its_shortfall_told(tmp_path):
    decoded = decode(cut(write(tmp_path / "a.wav", tone(4.0)), 0.97))
    assert decoded.shortfall_s == pytest.approx(0.12, abs=0.001)
    assert len(decoded.waveform) == pytest.approx(0.97 * 4 * RATE, abs=50)


def test_segment_of_half_a_file_is_used_where_it_is_there(tmp_path):
    path = cut(write(tmp_path / "a.wav", tone(4.0)), 0.5)
    assert decode(path, 0.5, 1.5).shortfall_s == 0.0
    with pytest.raises(UserError, match=r"gives only 0\.50 of 1\.50 s from 1\.5 s on"):
        decode(path, 1.5, 3.0)


def claiming(path: Path, n_bytes: int, subtype: str = "PCM_16") -> Path:
    """Write a second of sound whose header declares another number of bytes."""
    content = bytearray(write(path, tone(1.0), subtype=subtype).read_bytes())
    position = content.index(b"data") + 4
    content[position : position + 4] = struct.pack("<I", n_bytes)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("n_bytes", "subtype"),
    [
        *((n, "PCM_16") for n in (0xFFFFFFFF, 0xFFFFFFDB, 0x7FFFFFFF, 0x80000000, 0x7FFFFF00, 0x7FFFF000, 0x7FFF0000)),
        (0x7FFFF000 // 3 * 3, "PCM_24"),  # as SoX rounds it
    ],
)
def test_wav_of_unknown_length_is_used_whole(tmp_path, n_bytes, subtype):
    decoded = decode(claiming(tmp_path / "a.wav", n_bytes, subtype))
    assert (len(decoded.waveform), decoded.shortfall_s) == (RATE, 0.0)


@pytest.mark.parametrize("n_bytes", [4_000_000_000, 0xFFFFFFFF - 1000, 0x80000002, 0x7FFFF002, 0x7FFFEFFC, 90_000])
def test_wav_that_claims_more_than_there_is_is_refused(tmp_path, n_bytes):
    path = claiming(tmp_path / "a.wav", n_bytes)
    with pytest.raises(UserError, match=rf"a\.wav gives only 1\.00 of {n_bytes // 2 / RATE:.2f} s: it is cut short"):
        decode(path)


def test_mp3_of_varying_rate_without_length_is_not_cut_silently(tmp_path):
    # The first frame is a Xing frame with the length; without it, libsndfile guesses from the bit rate of the next,
    # which is lower here than that of the rest: it would stop early.
    noise = np.random.default_rng(3).normal(0, 0.2, 4 * 44100)
    content = write(tmp_path / "a.mp3", noise * np.linspace(0.001, 1, len(noise)), 44100).read_bytes()
    position = content.index(content[:2], 4)
    (tmp_path / "b.mp3").write_bytes(content[position:])
    guessed_s = soundfile.info(tmp_path / "b.mp3").duration
    if abs(guessed_s - 4) < 0.1:
        pytest.skip("this encoder writes a constant rate")
    with pytest.raises(UserError, match=r"b\.mp3 gives only"):
        decode(tmp_path / "b.mp3")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.wav does not exist"):
        decode(tmp_path / "nowhere.wav")


def test_folder_in_place_of_a_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="is a folder where a sound file was expected"):
        decode(tmp_path)


def test_empty_file_is_named(tmp_path):
    (tmp_path / "a.wav").touch()
    with pytest.raises(UserError, match=r"a\.wav is empty"):
        decode(tmp_path / "a.wav")


def test_file_without_samples_is_named(tmp_path):
    with pytest.raises(UserError, match=r"a\.wav holds no samples"):
        decode(write(tmp_path / "a.wav", np.zeros(0)))


def test_text_named_wav_is_refused(tmp_path):
    (tmp_path / "a.wav").write_text("these are words\n" * 20)
    with pytest.raises(UserError, match=r"a\.wav cannot be read as sound .*ffmpeg -i"):
        decode(tmp_path / "a.wav")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused_with_their_place(tmp_path, bad):
    waveform = tone()
    waveform[RATE // 4] = bad
    with pytest.raises(UserError, match=r"a\.wav holds NaN or infinite samples \(the first at 0\.250 s\)"):
        decode(write(tmp_path / "a.wav", waveform, subtype="FLOAT"))


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("bad", [1.1e6, -1e38, 3.3e38])
def test_samples_far_beyond_full_scale_are_refused_with_their_place(tmp_path, bad, n_channels):
    waveform = np.stack([tone()] * n_channels, axis=1)
    waveform[RATE // 4] = [bad, -bad][:n_channels]  # channels that make up for each other are no better
    said = r"a\.wav holds samples far beyond full scale, which is 1 \(the first, -?[\d.e+]+, at 0\.250 s\): export it"
    with np.errstate(all="raise"), pytest.raises(UserError, match=said):
        decode(write(tmp_path / "a.wav", waveform, subtype="FLOAT"))
    waveform[RATE // 4] = 32768  # the loudest of 16 bits that were left undivided
    assert decode(write(tmp_path / "a.wav", waveform, subtype="FLOAT")).waveform.max() == 32768


def test_what_libsndfile_says_is_worded(tmp_path):
    content = bytearray(write(tmp_path / "a.wav", tone()).read_bytes())
    for place, number, said in (
        (24, 0, "its header declares no sample rate that there is"),
        (24, 4_000_000_000, "its header declares no sample rate that there is"),
        (20, 1, "its header declares no number of channels that there is"),
        (20, 1 + (2000 << 16), "its header declares no number of channels that there is"),
        (16, 3, "its header is damaged"),
    ):
        broken = content.copy()
        broken[place : place + 4] = struct.pack("<I", number)
        (tmp_path / "b.wav").write_bytes(broken)
        with pytest.raises(UserError) as error:
            decode(tmp_path / "b.wav")
        assert f"b.wav cannot be read as sound ({said}): " in str(error.value)
    for name in ("a.mp3", "b.wav"):
        (tmp_path / name).write_bytes(b"hello there " * 100)
        with pytest.raises(UserError, match=rf"{name} cannot be read as sound \(it is of no format that is known\): "):
            decode(tmp_path / name)


def test_segment_beyond_the_end_is_refused(tmp_path):
    path = write(tmp_path / "a.wav", tone(1.0))
    with pytest.raises(UserError, match=r"a\.wav lasts 1\.00 s, so no segment can begin at 3 s"):
        decode(path, 3.0, 4.0)
    with pytest.raises(ValueError, match="0 <= start_s < end_s"):
        decode(path, 0.5, 0.5)


def test_m4a_is_decoded_by_pyav(tmp_path):
    av = pytest.importorskip("av")
    stereo = np.stack([tone(2.0, 440, 44100), tone(2.0, 1000, 44100)])
    with av.open(str(tmp_path / "a.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(stereo, format="fltp", layout="stereo")
        frame.sample_rate = 44100
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    decoded = decode(tmp_path / "a.m4a")
    assert (decoded.sample_rate, decoded.n_channels) == (44100, 2)
    assert probe(tmp_path / "a.m4a").duration_s == pytest.approx(2.0, abs=0.05)
    spectrum = np.abs(np.fft.rfft(decoded.waveform[22050:66150]))
    assert sorted(spectrum.argsort()[-2:]) == [440, 1000]  # one second: bins of 1 Hz
    np.testing.assert_allclose(spectrum[[440, 1000]] / 22050, 0.25, atol=0.01)  # half of 0.5 each
    segment = decode(tmp_path / "a.m4a", 0.5, 1.0).waveform
    np.testing.assert_array_equal(segment, decoded.waveform[22050:44100])
    (tmp_path / "b.m4a").write_bytes((tmp_path / "a.m4a").read_bytes()[:2000])
    with pytest.raises(UserError, match=r"b\.m4a cannot be decoded by FFmpeg"):
        decode(tmp_path / "b.m4a")


def test_m4a_without_pyav_says_how_to_convert(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "a.m4a").write_bytes(b"anything")
    with pytest.raises(UserError, match=r"pip install 'cohear\[media\]'.*ffmpeg -i /.*/a\.m4a /.*/a\.wav\)"):
        decode(tmp_path / "a.m4a")
