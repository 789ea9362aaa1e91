import numpy as np
import pytest
import torch

from cohear.transforms import Clipping
from cohear.transforms.clipping import ClippingParameters


def test_each_clip_is_cut_relative_to_its_own_peak():
    clips = torch.randn(4, 1_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    clips *= torch.tensor([[1.0], [1e-3], [50.0], [0.3]])
    threshold_db = np.array([0.0, -1.5, -12.0, -20.0])
    found = Clipping().apply(clips, ClippingParameters(threshold_db)).numpy()
    for clip, cut, threshold in zip(clips.numpy(), found, threshold_db, strict=True):
        limit = np.abs(clip).max() * 10 ** (threshold / 20)
        np.testing.assert_allclose(cut, np.clip(clip, -limit, limit), atol=1e-12)
    np.testing.assert_array_equal(found[0], clips[0])
    assert (found[3] != clips[3].numpy()).mean() > 0.5


def test_the_gradient_follows_the_threshold_to_the_peak():
    clip = torch.tensor([[0.5, -4.0, 3.0, -1.0]]).requires_grad_()
    halved = Clipping().apply(clip, ClippingParameters(20 * np.log10(np.array([0.5]))))
    torch.testing.assert_close(halved, torch.tensor([[0.5, -2.0, 2.0, -1.0]]))
    (gradient,) = torch.autograd.grad(halved[0] @ torch.tensor([1.0, 10.0, 100.0, 1000.0]), clip)
    # Cut samples are half the peak, and the peak is minus the second sample: 10 * 0.5 - 100 * 0.5.
    torch.testing.assert_close(gradient, torch.tensor([[1.0, -45.0, 0.0, 1000.0]]))


def test_a_threshold_is_told_in_words():
    parameters = ClippingParameters(np.array([-6.04, 0.0]))
    assert parameters.describe() == ["clipped 6.0 dB below the peak", "clipped 0.0 dB below the peak"]


def test_impossible_thresholds_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match="a clipping threshold 3 dB above the peak: give at most 0 dB"):
        Clipping((-6.0, 3.0))
    with pytest.raises(ValueError, match="a clipping threshold from 0 to -6 dB: give two finite numbers"):
        Clipping((0.0, -6.0))
