"""Arrays of every kind against the floats that they mean; windows of blocks against windows of the whole."""

import numpy as np
import pytest
import torch

from cohear.errors import UserError
from cohear.inference.waveforms import cut_windows, read_waveforms

WAVEFORM = np.linspace(-1, 0.999, 100)
RATE = 8000


@pytest.mark.parametrize(
    ("given", "atol"),
    [
        (WAVEFORM, 1e-7),
        (np.round(WAVEFORM * 32768).astype(np.int16), 1 / 32768),
        (torch.from_numpy(WAVEFORM).requires_grad_(), 1e-7),
        (torch.from_numpy(WAVEFORM).to(torch.bfloat16), 1e-2),
    ],
    ids=["float64", "int16", "tensor", "bfloat16"],
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
    "given",
    [
        np.zeros((44100, 2)),
        np.zeros((2, 2, 100)),
        [np.array(0.1), np.array(0.2)],
        np.zeros(100, np.uint8),
        np.where(np.arange(100) == 7, np.nan, 0),
        32768 * WAVEFORM,
    ],
    ids=["time channel", "three axes", "numbers", "unsigned", "NaN", "integers as floats"],
)
def test_what_is_no_waveform_is_refused(given):
    with pytest.raises(UserError):
        read_waveforms(given, RATE, RATE)


@pytest.mark.parametrize("sample_rate", [None, 99, 10**9])
def test_rates_that_nobody_records_at_are_refused(sample_rate):
    with pytest.raises(UserError, match="sample"):
        read_waveforms(WAVEFORM, sample_rate, RATE)


def windows_of_whole(waveform: np.ndarray, n_samples: int, hop_samples: int) -> list[tuple[int, list[float]]]:
    last = max(0, len(waveform) - n_samples)
    starts = sorted({*range(0, last + 1, hop_samples), last})
    return [(start, waveform[start : start + n_samples].tolist()) for start in starts]


@pytest.mark.parametrize("block", [1, 7, 64])
@pytest.mark.parametrize(("n_samples", "hop_samples"), [(10, 10), (10, 3), (10, 1), (1, 1), (50, 49)])
def test_windows_of_blocks_are_windows_of_the_whole(block, n_samples, hop_samples):
    for length in (1, 9, 10, 11, 49, 50, 51, 60, 99, 100, 101):
        waveform = np.arange(length, dtype=np.float32)
        blocks = [waveform[start : start + block] for start in range(0, length, block)]
        cut = [(window.start, window.waveform.tolist()) for window in cut_windows(blocks, n_samples, hop_samples)]
        assert cut == windows_of_whole(waveform, n_samples, hop_samples)


def test_a_recording_without_samples_has_no_windows():
    assert list(cut_windows([], 10, 5)) == []
    assert list(cut_windows([np.zeros(0, np.float32)], 10, 5)) == []


def test_a_window_is_given_as_soon_as_it_is_there():
    given = []

    def blocks():
        for number in range(4):
            given.append(number)
            yield np.zeros(10, np.float32)

    windows = cut_windows(blocks(), 10, 10)
    next(windows)
    assert given == [0]
