import numpy as np
import torch

from cohear.data.decoding import quantize as quantize_on_host
from cohear.dsp.quantization import dequantize, quantize


def test_the_numbers_are_those_of_the_store():
    generator = torch.Generator().manual_seed(0)
    waveforms = torch.randn(5, 3_000, generator=generator) * torch.tensor([[1.0], [1e-4], [30.0], [0.1], [1e-20]])
    steps, scales = quantize(waveforms)
    for clip in range(5):
        expected_steps, expected_scale = quantize_on_host(waveforms[clip].numpy())
        np.testing.assert_array_equal(steps[clip].numpy(), expected_steps)
        assert scales[clip] == np.float32(expected_scale)


def test_the_error_is_half_a_step_of_the_loudest_sample():
    waveforms = torch.randn(2, 1_000, generator=torch.Generator().manual_seed(0))
    errors = (dequantize(*quantize(waveforms)) - waveforms).abs().amax(1)
    assert (errors <= waveforms.abs().amax(1) * 2**-16 * 1.01).all()


def test_silence_stays_silent():
    steps, scales = quantize(torch.zeros(1, 10))
    assert not dequantize(steps, scales).any()
