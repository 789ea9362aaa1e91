import jaxtyping
import numpy as np
import pytest
import torch

from cohear.transforms import TimeShift
from cohear.transforms.time_shift import TimeShiftParameters

CLIPS = torch.tensor([[1.0, 2.0, 3.0, 4.0]]).repeat(5, 1)
SHIFTS = TimeShiftParameters(np.array([0, 1, -2, 4, -5]) / 10)


def test_what_a_clip_leaves_is_silent():
    found = TimeShift(0.5, sample_rate=10).apply(CLIPS, SHIFTS)
    assert found.tolist() == [[1, 2, 3, 4], [0, 1, 2, 3], [3, 4, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_what_leaves_at_one_end_comes_back_at_the_other():
    found = TimeShift(0.5, sample_rate=10, fill="wrap").apply(CLIPS, SHIFTS)
    assert found.tolist() == [[1, 2, 3, 4], [4, 1, 2, 3], [3, 4, 1, 2], [1, 2, 3, 4], [2, 3, 4, 1]]


def test_every_whole_number_of_samples_is_drawn_equally_often():
    shift_s = TimeShift(0.003, sample_rate=1000).draw(np.arange(7_000, dtype=np.uint64)).shift_s
    shifts, counts = np.unique(shift_s, return_counts=True)
    np.testing.assert_allclose(shifts, np.arange(-3, 4) / 1000)
    assert counts.min() > 880  # 1000 with a standard deviation of 29


def test_seconds_are_whole_samples_at_any_rate():
    clip = torch.zeros(1, 44_100)
    clip[0, 22_050] = 1.0
    for n in (-21_999, -3, 1, 17_777, 22_000):
        found = TimeShift().apply(clip, TimeShiftParameters(np.array([n / 44_100])))
        assert found[0].nonzero().tolist() == [[22_050 + n]]


def test_a_shift_is_told_in_words():
    assert TimeShiftParameters(np.array([0.2134, -0.1])).describe() == ["0.213 s later", "0.100 s earlier"]


def test_impossible_shifts_are_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=r"a shift of up to 1e-05 s at 44100 Hz: give at least one sample"):
        TimeShift(1e-5)
    with pytest.raises(ValueError, match="a sample rate of 0 Hz: give a positive number"):
        TimeShift(sample_rate=0)
    with pytest.raises(ValueError, match="fill 'mean': give 'silence' or 'wrap'"):
        TimeShift(fill="mean")  # type: ignore[arg-type]
