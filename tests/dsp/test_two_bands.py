import pytest
import torch

from cohear.dsp.two_bands import below_crossover, decimate, interpolate, join


def tone(frequency: float, n: int = 16_000) -> torch.Tensor:
    return torch.cos(2 * torch.pi * frequency * torch.arange(n, dtype=torch.float64) + 0.3)[None]


@pytest.mark.parametrize("factor", [2, 4, 16, 32])
def test_decimation_keeps_the_passband_and_its_place(factor: int):
    for low_frequency in (0.0, 0.05, 0.2, 0.25):
        low = decimate(tone(low_frequency / factor), factor)[0]
        expected = tone(low_frequency, len(low))[0]
        assert (low - expected)[10:-10].abs().max() < 1e-4


@pytest.mark.parametrize("low_frequency", [0.75, 0.9, 1.0, 1.2, 2.3])
def test_what_would_fold_back_below_a_quarter_is_stopped(low_frequency: float):
    low = decimate(tone(low_frequency / 16), 16)[0, 10:-10]
    assert 20 * torch.log10(low.abs().max()) < -90


@pytest.mark.parametrize(
    ("low_frequency", "share"), [(0.02, 1.0), (0.1875, 1.0), ((0.1875 * 0.25) ** 0.5, 0.5), (0.25, 0.0), (5.0, 0.0)]
)
def test_the_low_band_holds_the_share_that_the_crossover_says(low_frequency: float, share: float):
    waveform = tone(low_frequency / 16)
    below = interpolate(below_crossover(decimate(waveform, 16)), 16)
    assert below.shape == waveform.shape
    assert (below - share * waveform)[0, 4_000:-4_000].abs().max() < 2e-4


def test_bands_that_do_not_agree_keep_their_level_where_they_cross():
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 4, 160_000, generator=generator, dtype=torch.float64).unbind()
    low = decimate(first, 16)
    high = second - interpolate(below_crossover(decimate(second, 16)), 16)
    power = torch.fft.rfft(join(low, high, 16)).abs().square().mean(0) / 160_000
    middle = slice(round(0.205 / 16 * 160_000), round(0.23 / 16 * 160_000))  # of the crossover, 3/16 to 1/4
    assert abs(10 * torch.log10(power[middle].mean())) < 1.0  # without correction -3 dB
