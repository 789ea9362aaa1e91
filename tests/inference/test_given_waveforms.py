"""Arrays of every kind against the floats that they mean."""

import numpy as np
import pytest
import torch

from cohear.errors import UserError
from cohear.inference.given_waveforms import read_waveforms

WAVEFORM = np.linspace(-1, 0.999, 100)
RATE = 8000


@pytest.mark.parametrize(
    ("given", "atol"),
    [
        (WAVEFORM, 1e-7),
        (WAVEFORM.astype(np.float32), 0),
        (np.round(WAVEFORM * 32768).astype(np.int16), 1 / 32768),
        (np.round(WAVEFORM * 2**31).astype(np.int32), 1e-7),
        (torch.from_numpy(WAVEFORM).requires_grad_(), 1e-7),
        (torch.from_numpy(WAVEFORM).to(torch.bfloat16), 1e-2),
    ],
    ids=["float64", "float32", "int16", "int32", "tensor", "bfloat16"],
)
def test_full_scale_is_one_whatever_the_type(given, atol):
    (waveform,), is_batch = read_waveforms(given, RATE, RATE)
    assert waveform.dtype == np.float32
    np.testing.assert_allclose(waveform, WAVEFORM, atol=atol + 1e-7)
    assert not is_batch


def test_two_axes_and_lists_are_batches():
    batch = np.stack([WAVEFORM, -WAVEFORM])
    for given in (batch, torch.from_numpy(batch), list(batch), tuple(torch.from_numpy(batch))):
        waveforms, is_batch = read_waveforms(given, RATE, RATE)
        assert is_batch
        np.testing.assert_allclose(waveforms, batch, atol=1e-7)
    waveforms, _ = read_waveforms([WAVEFORM, WAVEFORM[:70]], RATE, RATE)
    assert [len(waveform) for waveform in waveforms] == [100, 70]
    assert read_waveforms([], RATE, RATE) == ([], True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((44100, 2)), r"the shape \[2\].*mean of its channels"),
        (np.zeros((2, 2, 100)), r"the shape \[2, 2, 100\]"),
        ([np.array(0.1), np.array(0.2)], r"the shape \[\]"),
        (np.zeros(100, np.uint8), "a waveform of uint8"),
        (np.zeros(100, complex), "a waveform of complex128"),
        (np.where(np.arange(100) == 7, np.nan, 0), r"NaN or infinite samples \(the first is 7\)"),
        (32768 * WAVEFORM, "floats up to 32768 is far beyond full scale, which is 1; divide it"),
        (["a.wav", "b.wav"], "give one file at a time"),
    ],
)
def test_what_is_no_waveform_is_refused(given, message):
    with pytest.raises(UserError, match=message):
        read_waveforms(given, RATE, RATE)


def test_floats_a_little_too_loud_are_taken_as_they_are():
    (waveform,), _ = read_waveforms(3 * WAVEFORM, RATE, RATE)
    np.testing.assert_allclose(waveform, 3 * WAVEFORM, atol=1e-6)


@pytest.mark.parametrize("sample_rate", [0, -8000, 99, 10**9])
def test_rates_that_nobody_records_at_are_refused(sample_rate):
    with pytest.raises(UserError, match=f"a sample rate of {sample_rate} Hz cannot be heard; give 100 to 1000000 Hz"):
        read_waveforms(WAVEFORM, sample_rate, RATE)
