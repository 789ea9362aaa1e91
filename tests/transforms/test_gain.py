import jaxtyping
import numpy as np
import pytest
import torch

from cohear.transforms import Gain
from cohear.transforms.gain import GainParameters


def test_each_clip_changes_its_level_by_its_decibels():
    clips = torch.randn(4, 1_000, generator=torch.Generator().manual_seed(0))
    gain_db = np.array([-12.0, 0.0, 3.5, 40.0])
    changed = Gain().apply(clips, GainParameters(gain_db))
    found_db = 10 * torch.log10(changed.square().mean(1) / clips.square().mean(1))
    np.testing.assert_allclose(found_db, gain_db, atol=1e-4)
    assert torch.equal(changed[1], clips[1])


def test_gains_fill_their_range_evenly():
    gain_db = Gain((-6.0, 2.0)).draw(np.arange(4_000, dtype=np.uint64)).gain_db
    counts, _ = np.histogram(gain_db, bins=8, range=(-6, 2))
    assert counts.sum() == 4_000
    assert counts.min() > 420  # 500 with a standard deviation of 21


def test_a_gain_is_told_in_words():
    assert GainParameters(np.array([3.21, -12.0])).describe() == ["gain +3.2 dB", "gain -12.0 dB"]


def test_what_cannot_be_done_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ValueError, match="a gain from 3 to -3 dB: give two finite numbers, the smaller one first"):
        Gain((3.0, -3.0))
    with pytest.raises(ValueError, match="a gain from nan to 3 dB"):
        Gain((float("nan"), 3.0))
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    parameters = GainParameters(np.zeros(2))
    for shape in ((2,), (2, 0), (3, 10)):
        with pytest.raises(ValueError, match="with parameters of 2 clips: give waveforms"):
            Gain().apply(torch.zeros(shape), parameters)
    with pytest.raises(ValueError, match=r"torch\.int16: give floating-point samples"):
        Gain().apply(torch.zeros(2, 10, dtype=torch.int16), parameters)
