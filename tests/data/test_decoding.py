import numpy as np
import pytest

from cohear.data.decoding import StoreSettings, quantize, window_starts


@pytest.mark.parametrize("n_samples", [151, 200, 201, 250, 999, 1000])
def test_windows_cover_long_recordings_without_gap(n_samples):
    starts = window_starts(n_samples, 100)
    is_covered = np.zeros(n_samples, bool)
    for start in starts:
        assert start + 100 <= n_samples
        is_covered[start : start + 100] = True
    assert is_covered.all()
    assert len(starts) == -(-n_samples // 100)


def test_16_bits_are_kept_exactly():
    steps = np.arange(-32768, 32768)
    values, scale = quantize((steps / 32768).astype(np.float32))
    assert (values.tolist(), scale) == (steps.tolist(), 1.0)
    assert quantize(np.zeros(5, np.float32))[1] == 1.0


@pytest.mark.parametrize("peak", [1e-4, 0.7, 3])
def test_other_waveforms_use_the_whole_range(peak):
    waveform = (peak * np.sin(np.arange(1000) / 7)).astype(np.float32)
    values, scale = quantize(waveform)
    np.testing.assert_allclose(values * np.float32(scale) / 32768, waveform, atol=peak / 60000)
    assert np.abs(values).max() == 32767


def test_clip_length_in_samples_is_rounded():
    assert StoreSettings(44100, 2.3).n_samples == 101430  # 2.3 * 44100 is 101429.99...
