"""A coder that rounds nothing changes nothing; what it rounds and cuts is measured with scipy."""

import numpy as np
import pytest
import torch
from scipy.signal import butter, sosfiltfilt, welch

from cohear.dsp.transform_coder import code

RATE = 22050


def _noise(n: int = RATE, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.from_numpy(np.random.default_rng(seed).standard_normal((1, n))).float()


@pytest.mark.parametrize("n", [1, 511, 512, 513, 5000])
@pytest.mark.parametrize("rate", [8000, 22050])
def test_without_rounding_and_with_every_frequency_the_sound_comes_back(n, rate):
    sound = _noise(n)
    torch.testing.assert_close(code(sound, rate, rate, np.inf), sound, atol=1e-6, rtol=1e-5)


def test_nothing_is_left_above_the_bandwidth_and_all_below():
    sound = _noise(4 * RATE)
    frequencies, before = welch(sound[0], RATE, nperseg=2048)
    _, after = welch(code(sound, RATE, 4000.0, np.inf)[0], RATE, nperseg=2048)
    for above_hz, level_db in ((4200, -45), (6000, -70)):
        assert 10 * np.log10(after[frequencies > above_hz].max() / before.mean()) < level_db
    below = frequencies < 3800
    assert 10 * np.log10(after[below].sum() / before[below].sum()) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("snr_db", [10.0, 15.0, 25.0])
def test_each_band_keeps_the_ratio_asked_for(snr_db):
    """Colored, so that a quantizer with one step for all bands would not pass."""
    sound = torch.from_numpy(np.cumsum(_noise(4 * RATE).numpy(), axis=1) / 30).float()
    error = code(sound, RATE, RATE, snr_db) - sound
    for low, high in ((400, 510), (1720, 2000), (6400, 7700)):
        band = butter(4, (low, high), "bandpass", fs=RATE, output="sos")
        signal, noise = (np.square(sosfiltfilt(band, x[0].numpy())).mean() for x in (sound, error))
        assert 10 * np.log10(signal / noise) == pytest.approx(snr_db, abs=1.5)
