from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile

from cohear.data.measured_responses import read_responses
from cohear.errors import UserError


def write(path: Path, samples: np.ndarray, sample_rate: int = 8000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, sample_rate, subtype="FLOAT")


def decaying(rt60_s: float, sample_rate: int, n_samples: int) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal(n_samples)
    low = scipy.signal.sosfilt(scipy.signal.butter(8, 3000, fs=sample_rate, output="sos"), noise)
    return 0.1 * low * 10 ** (-3 * np.arange(n_samples) / sample_rate / rt60_s)


def test_a_folder_is_read_in_the_order_of_names_with_zeros_after_what_is_short(tmp_path):
    long, short = decaying(0.3, 8000, 3000), decaying(0.3, 8000, 1000)
    write(tmp_path / "b.wav", long)
    write(tmp_path / "a" / "z.wav", short)
    (tmp_path / ".DS_Store").write_bytes(b"x")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "notes.txt").write_bytes(b"x")
    bank = read_responses(tmp_path, 8000)
    assert (bank.names, bank.sample_rate) == (("a/z.wav", "b.wav"), 8000)
    np.testing.assert_array_equal(bank.responses, np.float32([np.pad(short, (0, 2000)), long]))


def test_other_rates_are_resampled_and_keep_their_reverberation_time(tmp_path):
    response = decaying(0.4, 48000, 24000)
    write(tmp_path / "hall.wav", response, 48000)
    bank = read_responses(tmp_path, 8000)
    expected = scipy.signal.resample_poly(response, 1, 6)
    assert np.abs(bank.responses[0] - expected).max() < 0.01 * np.abs(expected).max()
    assert bank.rt60_s[0] == pytest.approx(0.4, rel=0.1)  # of one piece of noise


def test_channels_are_averaged(tmp_path):
    left, right = np.float32([1, 0.5, 0]), np.float32([0, 0.5, 0.25])
    write(tmp_path / "stereo.wav", np.stack([left, right], axis=1))
    np.testing.assert_array_equal(read_responses(tmp_path, 8000).responses[0], (left + right) / 2)


def test_whatever_is_no_folder_of_responses_is_refused_in_one_sentence(tmp_path):
    def refused(folder: str, message: str) -> None:
        with pytest.raises(UserError, match=rf"^[^\n]*{message}[^\n]*$"):
            read_responses(tmp_path / folder, 8000)

    refused("missing", "missing is no folder: give a folder")
    (tmp_path / "empty").mkdir()
    refused("empty", "empty holds no sound file")
    write(tmp_path / "silent" / "a.wav", np.zeros(100))
    refused("silent", r"a\.wav is silent")
    write(tmp_path / "mixed" / "a.wav", np.ones(100))
    (tmp_path / "mixed" / "license.txt").write_text("free")
    refused("mixed", r"license\.txt is no sound file: leave only")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "a.wav").write_bytes(b"not a sound at all")
    refused("damaged", r"a\.wav cannot be read as sound")
