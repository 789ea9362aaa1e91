import numpy as np
import pytest
import torch
from scipy.signal import fftconvolve

from cohear.dsp.convolution import convolve


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
