import numpy as np
import pytest
import scipy.signal
import scipy.stats
import torch

from cohear import keys
from cohear.dsp.noise import colored_noise, gaussian_noise, random_bits

SOME_KEYS = keys.fold_in(keys.key(0, "noise"), np.arange(5))


@pytest.mark.parametrize("n", [1, 2, 1001])
def test_the_bits_are_those_of_the_host(n: int):
    extremes = np.array([0, 2**64 - 1, 2**63], np.uint64)
    all_keys = np.concatenate((SOME_KEYS, extremes))
    found = random_bits(all_keys, n).numpy()
    np.testing.assert_array_equal(found.view(np.uint64), keys.random_bits(all_keys, n))


def test_gaussian_noise_has_the_distribution_that_it_is_named_for():
    noise = gaussian_noise(SOME_KEYS[:1], 200_000)[0].numpy()
    # Standard errors: mean 0.0022, variance 0.0032, skewness 0.0055, excess kurtosis 0.011.
    assert abs(noise.mean()) < 0.008
    assert abs(noise.var() - 1) < 0.012
    assert abs(scipy.stats.skew(noise)) < 0.02
    assert abs(scipy.stats.kurtosis(noise)) < 0.04
    assert scipy.stats.kstest(noise, "norm").pvalue > 0.01
    assert 4 < np.abs(noise).max() < 6.8


@pytest.mark.parametrize(("color", "slope_db"), [("white", 0.0), ("pink", -3.0103), ("brown", -6.0206)])
def test_the_spectrum_falls_with_the_slope_of_its_color(color, slope_db: float):
    noise = colored_noise(SOME_KEYS, 2**17, color, 44100).numpy()
    frequencies_hz, power = scipy.signal.welch(noise, 44100, nperseg=8192, window="blackmanharris")
    is_fitted = (frequencies_hz > 60) & (frequencies_hz < 15_000)
    octaves = np.log2(frequencies_hz[is_fitted])
    # Weight 1/f: each octave counts the same, however many bins it has; polyfit takes the square root of weights.
    slope, _ = np.polyfit(octaves, 10 * np.log10(power.mean(0)[is_fitted]), 1, w=frequencies_hz[is_fitted] ** -0.5)
    assert slope == pytest.approx(slope_db, abs=0.15)


@pytest.mark.parametrize(("color", "share"), [("pink", 1 / (1 + np.log(4000 / 20))), ("brown", 1 / (2 - 20 / 4000))])
def test_below_20_hz_there_is_as_much_energy_as_the_documentation_derives(color, share: float):
    noise = colored_noise(keys.fold_in(keys.key(0, "noise"), np.arange(20)), 40_000, color, 8000).double()
    power = torch.fft.rfft(noise).abs().square().mean(0)  # 5 s at 8 kHz: bins 0.2 Hz apart
    assert float(power[:100].sum() / power.sum()) == pytest.approx(share, rel=0.08)
    assert float(noise.square().mean()) == pytest.approx(1, abs=0.05)
    assert float(noise.mean(1).abs().max()) < 1e-6
