import numpy as np
import pytest
import torch
from scipy.fft import next_fast_len
from scipy.signal import fftconvolve

from cohear.dsp.spectral import convolve, even_lengths, fast_length


def greatest_factor(n: int) -> int:
    divisor = 2
    while divisor < n:
        n, divisor = (n // divisor, divisor) if n % divisor == 0 else (n, divisor + 1)
    return n


def test_even_lengths_are_all_even_numbers_with_small_factors():
    expected = [n for n in range(2, 3001, 2) if greatest_factor(n) <= 31]
    assert even_lengths(3000, greatest_prime=31).tolist() == expected


@pytest.mark.parametrize("n", [1, 2, 3, 100, 2**14 + 1, 264_599, 1_000_001])
def test_a_fast_length_is_even_has_factors_up_to_seven_and_is_hardly_longer_than_scipys(n: int):
    found = fast_length(n)
    assert (found % 2, greatest_factor(found) <= 7) == (0, True)
    assert n <= found <= 1.05 * next_fast_len(n, real=True) + 2


@pytest.mark.parametrize("n_skipped", [0, 1, 700])
@pytest.mark.parametrize(
    ("n_samples", "n_taps"), [(1, 1), (5, 900), (3_000, 1), (3_000, 64), (5_000, 2_000), (1_000, 5_000)]
)
def test_a_convolution_equals_that_of_scipy(n_samples: int, n_taps: int, n_skipped: int):
    rng = np.random.default_rng(0)
    waveforms, responses = rng.standard_normal((3, n_samples)), rng.standard_normal((3, n_taps))
    found = convolve(torch.from_numpy(waveforms), torch.from_numpy(responses), n_skipped).numpy()
    full = np.pad(fftconvolve(waveforms, responses, axes=1), ((0, 0), (0, n_skipped + n_samples)))
    np.testing.assert_allclose(found, full[:, n_skipped : n_skipped + n_samples], atol=1e-9)


def test_the_gradients_are_right():
    generator = torch.Generator().manual_seed(0)
    waveforms = torch.randn(2, 150, generator=generator, dtype=torch.float64, requires_grad=True)
    responses = torch.randn(2, 200, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *arguments: convolve(*arguments, 3), (waveforms, responses), fast_mode=True)
