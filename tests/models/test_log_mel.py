"""Reference: librosa, edges included."""

import librosa
import numpy as np
import pytest
import soundfile
import torch

from cohear.models import LogMel
from cohear.models.kaldi_log_mel import KaldiLogMel
from cohear.models.log_mel import mel_filters

RATE = 44100


def librosas(waveform: np.ndarray) -> np.ndarray:
    power = librosa.feature.melspectrogram(
        y=waveform, sr=RATE, n_fft=1024, hop_length=600, n_mels=128, pad_mode="constant"
    )
    return librosa.power_to_db(power, top_db=None)


def tone(frequency_hz: float, amplitude: float, duration_s: float = 1.0) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(int(duration_s * RATE)) / RATE)


def ours(waveform: np.ndarray) -> np.ndarray:
    return LogMel()(torch.from_numpy(waveform)).numpy()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_white_noise_is_within_a_ten_thousandth_of_a_decibel_of_librosa(seed):
    noise = (0.1 * np.random.default_rng(seed).standard_normal(2 * RATE)).astype(np.float32)
    assert np.abs(ours(noise) - librosas(noise)).max() < 1e-4


@pytest.mark.parametrize("frequency_hz", [60, 440, 3000, 15000])
@pytest.mark.parametrize("amplitude", [1.0, 0.01])
def test_tones_are_within_a_thousandth_of_a_decibel_even_in_their_quietest_bands(frequency_hz, amplitude):
    waveform = tone(frequency_hz, amplitude).astype(np.float32)
    assert np.abs(ours(waveform) - librosas(waveform.astype(np.float64))).max() < 1e-3


@pytest.mark.parametrize(
    ("rate", "n_fft", "n_mels"), [(44100, 1024, 128), (22050, 1024, 64), (8000, 256, 16), (16000, 501, 40)]
)
def test_filters_are_librosas(rate, n_fft, n_mels):
    expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, dtype=np.float64)
    np.testing.assert_allclose(mel_filters(rate, n_fft, n_mels), expected, rtol=1e-9, atol=1e-12)


def test_bands_that_may_be_empty_read_the_floor():
    front_end = KaldiLogMel(44100, 256, 100, 1024, 20.0)
    heard = front_end(torch.randn(2, 4410, generator=torch.Generator().manual_seed(0)))
    empty = front_end.filters.sum(1) == 0
    assert 16 < int(empty.sum()) < 1024
    assert heard[:, empty].eq(10 * np.log10(front_end.power_floor)).all()


@pytest.mark.parametrize("n_samples", [1, 100, 599, 600, 220500])
def test_the_number_of_frames_is_librosas(n_samples):
    front_end = LogMel()
    log_mel = front_end(torch.ones(2, 3, n_samples) * 0.1)
    assert log_mel.shape == (2, 3, 128, front_end.n_frames(n_samples)) == (2, 3, 128, 1 + n_samples // 600)


def test_a_whole_batch_at_once_as_on_a_gpu_equals_its_clips_one_by_one():
    waveforms = torch.randn(3, RATE, generator=torch.Generator().manual_seed(0))
    front_end = LogMel()
    torch.testing.assert_close(front_end._log_mel(waveforms), front_end(waveforms), rtol=0, atol=1e-4)


def test_autocast_changes_nothing():
    waveforms = torch.randn(3, RATE, generator=torch.Generator().manual_seed(0))
    front_end = LogMel()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under_autocast = front_end(waveforms)
    assert torch.equal(front_end(waveforms), under_autocast)


@pytest.mark.esc50
def test_real_clips_are_within_a_thousandth_of_a_decibel_of_librosa(esc50):
    for path in sorted((esc50 / "audio").glob("*.wav"))[::40]:
        waveform, _ = soundfile.read(path, dtype="float32")
        assert np.abs(ours(waveform) - librosas(waveform)).max() < 1e-3


@pytest.mark.parametrize(("f_min", "f_max"), [(4000.0, 4000.0), (8000.0, 4000.0), (0.0, 40000.0), (-1.0, None)])
def test_bands_out_of_range_are_refused(f_min, f_max):
    with pytest.raises(ValueError, match=r"f_min.*f_max.*22050"):
        LogMel(f_min=f_min, f_max=f_max)


def test_silence_reads_the_floor_with_finite_gradients():
    silence = torch.zeros(RATE, requires_grad=True)
    log_mel = LogMel()(silence)
    log_mel.sum().backward()
    assert (log_mel == -100).all()
    assert silence.grad is not None
    assert silence.grad.isfinite().all()


def test_bands_without_a_bin_are_refused():
    with pytest.raises(ValueError, match=r"of 128 mel bands hold no frequency bin.*fewer bands"):
        LogMel(sample_rate=44100, n_fft=256, n_mels=128)
