"""Gain, clipping, filters and time shift against numpy and scipy."""

import numpy as np
import pytest
import scipy.signal
import torch

from cohear.transforms import Clipping, Gain, HighPass, LowPass, TimeShift
from cohear.transforms.filters import HighPassParameters, LowPassParameters
from cohear.transforms.level import ClippingParameters, GainParameters
from cohear.transforms.time_shift import TimeShiftParameters


@pytest.fixture
def clips() -> torch.Tensor:
    clips = torch.randn(4, 40_001, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return clips * torch.tensor([[1.0], [1e-3], [50.0], [0.3]])


def test_each_clip_changes_its_level_by_its_decibels(clips: torch.Tensor):
    gain_db = np.array([-12.0, 0.0, 3.5, 40.0])
    changed = Gain().apply(clips, GainParameters(gain_db))
    found_db = 10 * torch.log10(changed.square().mean(1) / clips.square().mean(1))
    np.testing.assert_allclose(found_db, gain_db, atol=1e-6)
    assert torch.equal(changed[1], clips[1])


def test_each_clip_is_cut_relative_to_its_own_peak(clips: torch.Tensor):
    threshold_db = np.array([0.0, -1.5, -12.0, -20.0])
    found = Clipping().apply(clips, ClippingParameters(threshold_db)).numpy()
    limits = np.abs(clips.numpy()).max(axis=1, keepdims=True) * 10 ** (threshold_db[:, None] / 20)
    np.testing.assert_allclose(found, np.clip(clips.numpy(), -limits, limits), atol=1e-12)
    np.testing.assert_array_equal(found[0], clips[0])


def test_the_gradient_follows_the_threshold_to_the_peak():
    clip = torch.tensor([[0.5, -4.0, 3.0, -1.0]]).requires_grad_()
    halved = Clipping().apply(clip, ClippingParameters(20 * np.log10(np.array([0.5]))))
    (gradient,) = torch.autograd.grad(halved[0] @ torch.tensor([1.0, 10.0, 100.0, 1000.0]), clip)
    # Cut samples are half the peak, and the peak is minus the second sample: 10 * 0.5 - 100 * 0.5.
    torch.testing.assert_close(gradient, torch.tensor([[1.0, -45.0, 0.0, 1000.0]]))


@pytest.mark.parametrize(
    ("kind", "filters", "parameters"),
    [("lowpass", LowPass, LowPassParameters), ("highpass", HighPass, HighPassParameters)],
)
def test_a_filter_equals_a_butterworth_filter_run_forward_and_backward(kind: str, filters, parameters, clips):
    cutoffs_hz = np.array([60.0, 400.0, 5_000.0, 15_000.0])
    found = filters((50.0, 16_000.0)).apply(clips, parameters(cutoffs_hz)).numpy()
    # The references begin and end with samples that scipy makes up; up to there the longest response has decayed.
    middle = slice(5_000, -5_000)
    for clip, cutoff_hz in enumerate(cutoffs_hz):
        sections = scipy.signal.butter(2, cutoff_hz, kind, fs=44100, output="sos")
        expected = scipy.signal.sosfiltfilt(sections, clips[clip].numpy())
        np.testing.assert_allclose(found[clip, middle], expected[middle], atol=1e-6)


@pytest.mark.parametrize("place", [0, 3_999])
def test_nothing_wraps_around(place: int):
    transform = HighPass((50.0, 50.0))
    clip, longer = torch.zeros(1, 4_000, dtype=torch.float64), torch.zeros(1, 60_000, dtype=torch.float64)
    clip[0, place] = longer[0, 30_000 + place] = 1.0
    found, expected = (transform.apply(x, transform.draw(np.zeros(1, np.uint64)))[0] for x in (clip, longer))
    torch.testing.assert_close(found, expected[30_000:34_000], atol=1e-9, rtol=0)


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        ("silence", [[1, 2, 3, 4], [0, 1, 2, 3], [3, 4, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]),
        ("wrap", [[1, 2, 3, 4], [4, 1, 2, 3], [3, 4, 1, 2], [1, 2, 3, 4], [2, 3, 4, 1]]),
    ],
)
def test_what_a_clip_leaves_is_silent_or_comes_back_at_the_other_end(fill, expected: list[list[int]]):
    clips = torch.tensor([[1.0, 2.0, 3.0, 4.0]]).repeat(5, 1)
    shifts = TimeShiftParameters(np.array([0, 1, -2, 4, -5]) / 10)
    assert TimeShift(0.5, sample_rate=10, fill=fill).apply(clips, shifts).tolist() == expected
