import subprocess
import sys
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import soundfile

from cohear.data.recordings import read_recordings
from cohear.dsp.recordings import Recordings
from cohear.errors import UserError


def write(path: Path, waveform: np.ndarray, sample_rate: int = 8000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, waveform, sample_rate)


def test_every_sound_of_a_folder_is_read_in_the_order_of_paths_and_resampled(tmp_path):
    rng = np.random.default_rng(0)
    steps = rng.integers(-9000, 9000, 700).astype(np.int16)
    write(tmp_path / "b.wav", steps)
    write(tmp_path / "a" / "stereo.wav", np.stack((steps, -steps // 2), axis=1)[:300])
    write(tmp_path / "c.flac", np.sin(2 * np.pi * 500 * np.arange(16_000) / 16_000), 16_000)
    write(tmp_path / ".hidden" / "d.wav", steps)
    (tmp_path / ".notes.txt").write_text("rain")
    stereo, mono, tone = read_recordings(tmp_path, 8000).waveforms
    np.testing.assert_array_equal(mono * 32768, steps)
    np.testing.assert_array_equal(stereo * 32768, np.stack((steps, -steps // 2))[:, :300].mean(0))
    expected = np.sin(2 * np.pi * 500 * np.arange(8_000) / 8_000)
    np.testing.assert_allclose(tone[500:-500], expected[500:-500], atol=1e-4)


def test_a_folder_without_usable_sound_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(UserError, match="missing is no folder: give a folder of recordings"):
        read_recordings(tmp_path / "missing", 8000)
    with pytest.raises(UserError, match="holds no sound file: give a folder of recordings"):
        read_recordings(tmp_path, 8000)
    (tmp_path / "notes.txt").write_text("rain")
    with pytest.raises(UserError, match=r"notes\.txt is no sound file: leave only recordings in a folder of them"):
        read_recordings(tmp_path, 8000)
    (tmp_path / "notes.txt").unlink()
    write(tmp_path / "silence.wav", np.zeros(100))
    with pytest.raises(UserError, match=r"silence\.wav is silent"):
        read_recordings(tmp_path, 8000)
    (tmp_path / "noise.wav").write_bytes(b"no sound at all")
    with pytest.raises(UserError, match=r"noise\.wav cannot be read as sound"):
        read_recordings(tmp_path, 8000)
    with pytest.raises(ValueError, match="a sample rate of 0 Hz: give a positive number"):
        read_recordings(tmp_path, 0)


def test_recordings_are_equal_where_what_they_hold_is():
    matrix = np.random.default_rng(0).normal(size=(3, 20)).astype(np.float32)
    recordings = Recordings(matrix, 8000)
    same = Recordings(list(matrix.copy()), 8000)
    assert (recordings == same, hash(recordings) == hash(same), len(recordings)) == (True, True, 3)
    others = [Recordings(matrix, 16_000), Recordings(matrix[:2], 8000), Recordings(matrix.reshape(2, 30), 8000)]
    assert all(recordings != other for other in others)


def test_the_hash_of_recordings_is_the_same_in_every_process():
    code = (
        "import numpy as np; from cohear.dsp.recordings import Recordings; "
        "print(hash(Recordings(np.ones((2, 3), np.float32), 8000)))"
    )
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(elsewhere) == hash(Recordings(np.ones((2, 3), np.float32), 8000))


def test_recordings_do_not_follow_later_changes_of_what_they_were_made_from():
    matrix = np.ones((1, 4), np.float32)
    recordings = Recordings(matrix, 8000)
    matrix[:] = 0
    assert recordings.waveforms[0].tolist() == [1, 1, 1, 1]
    with pytest.raises(ValueError, match="read-only"):
        recordings.waveforms[0][0] = 2


@pytest.mark.parametrize(
    ("waveforms", "sample_rate", "message"),
    [
        ([], 8000, "0 recordings at 8000 Hz: give at least one"),
        ([np.ones(4, np.float32)], 0, "1 recordings at 0 Hz"),
        ([np.ones(4)], 8000, r"shape \(4,\) and type float64: give one row of float32 samples"),
        ([np.ones(0, np.float32)], 8000, r"shape \(0,\)"),
        ([np.array([1, np.nan], np.float32)], 8000, "NaN or infinite samples"),
    ],
)
def test_impossible_recordings_are_refused(waveforms, sample_rate, message, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=message):
        Recordings(waveforms, sample_rate)
