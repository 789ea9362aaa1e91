import numpy as np
import pytest
import soundfile

from cohear.data.audio_decoding import decode, decode_channels
from cohear.data.audio_writing import write_audio
from cohear.errors import UserError


@pytest.fixture
def stereo() -> np.ndarray:
    """Two channels of multiples of 2**-15, as 16 bits have them, both ends of the range among them."""
    steps = np.random.default_rng(0).integers(-9000, 9000, (2, 200_000))
    steps[0, :2] = -32768, 32767
    return (steps / 32768).astype(np.float32)


@pytest.mark.parametrize("ending", [".wav", ".FLAC"])
def test_16_bits_come_back_exactly_channel_by_channel(tmp_path, stereo, ending):
    path = tmp_path / f"sound{ending}"
    written = write_audio(path, stereo, 44100)
    assert (written.over_db, written.is_float) == (0.0, False)
    decoded = decode_channels(path)
    assert decoded.sample_rate == 44100
    assert np.array_equal(decoded.waveforms, stereo)
    assert np.array_equal(decode(path).waveform, stereo.mean(axis=0))


def test_ogg_sounds_alike_and_keeps_its_length(tmp_path):
    tones = np.sin(np.arange(100_000) * np.array([[0.05], [0.11]])).astype(np.float32) / 2
    write_audio(tmp_path / "sound.ogg", tones, 22050)
    np.testing.assert_allclose(decode_channels(tmp_path / "sound.ogg").waveforms, tones, atol=0.05)


def test_full_scale_in_16_bits_is_one_step_below_one(tmp_path):
    write_audio(tmp_path / "sound.wav", np.array([[1.0, -1.0]], np.float32), 8000)
    assert soundfile.read(tmp_path / "sound.wav", dtype="int16")[0].tolist() == [32767, -32768]


@pytest.mark.parametrize(("ending", "is_float", "level"), [(".wav", True, 2), (".flac", False, 1)])
def test_what_is_beyond_full_scale_is_kept_or_turned_down(tmp_path, stereo, ending, is_float, level):
    written = write_audio(tmp_path / f"sound{ending}", 2 * stereo, 44100)
    assert written.over_db == pytest.approx(20 * np.log10(2))
    assert written.is_float == is_float
    assert np.array_equal(decode_channels(tmp_path / f"sound{ending}").waveforms, level * stereo)


@pytest.mark.parametrize(("name", "n_channels"), [("sound.flac", 9), ("sound.mp3", 2)])
def test_what_a_format_cannot_hold_is_refused_and_leaves_nothing(tmp_path, name, n_channels):
    with pytest.raises(UserError, match=r"\.wav"):
        write_audio(tmp_path / name, np.zeros((n_channels, 10), np.float32), 44100)
    assert list(tmp_path.iterdir()) == []
