import numpy as np
import pytest
import torch

from cohear.dsp.resample import block_lengths, resample

SEMITONES = (-12.0, -2.5, -0.5, -0.1, 0.1, 0.5, 2.5, 7.3, 12.0)
N_SAMPLES = 20_000


def bump(n: np.ndarray, frequency: float) -> np.ndarray:
    """A tone in a wide Gaussian: band-limited, and known between the samples; frequency in cycles per sample."""
    return np.exp(-(((n - N_SAMPLES / 2) / 1500) ** 2)) * np.cos(2 * np.pi * frequency * n + 1.0)


@pytest.mark.parametrize("semitones", SEMITONES)
def test_a_signal_is_read_between_its_samples(semitones: float):
    factor = 2 ** (semitones / 12)
    waveform = torch.from_numpy(bump(np.arange(N_SAMPLES), 0.05))[None]
    found = resample(waveform, np.array([factor]))[0].numpy()
    assert len(found) == np.ceil(N_SAMPLES / factor)
    expected = bump(np.arange(len(found)) * factor, 0.05)
    # The factor is met within 1e-5: at the middle of the clip, where the bump is, a drift by a tenth of a sample.
    drift = 2 * np.pi * 0.05 * N_SAMPLES / 2 * 1e-5
    assert np.abs(found - expected).max() < drift + 1e-6


@pytest.mark.parametrize("n_new", [100, 8_000, 220_500, 1_000_000])
def test_block_lengths_are_within_two_hundredths_of_a_cent(n_new: int):
    for semitones in [*SEMITONES, 0.001, *np.random.default_rng(0).uniform(-12, 12, 40)]:
        factor = 2 ** (float(semitones) / 12)
        n_in, n_out = block_lengths(n_new, factor)
        assert n_in % 2 == n_out % 2 == 0
        assert abs(1200 * np.log2(n_in / n_out / factor)) < 0.02


def test_blocks_continue_each_other():
    n_samples, factor, frequency = 200_000, 2 ** (1.7 / 12), 0.1234
    tone = torch.cos(2 * torch.pi * frequency * torch.arange(n_samples, dtype=torch.float64))
    n_in, n_out = block_lengths(round(n_samples / factor), factor)
    assert n_samples > 3 * n_in  # several blocks
    found = resample(tone[None], np.array([factor]))[0].numpy()[2_000:-2_000]
    n = np.arange(2_000, 2_000 + len(found))
    assert np.abs(found - np.cos(2 * np.pi * frequency * n_in / n_out * n)).max() < 1e-6
