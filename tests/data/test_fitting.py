import numpy as np
import pytest

from cohear.data.fitting import choose_clip_s, clip_s_line, fit, window_starts


def test_short_recordings_and_exact_ones_begin_at_zero():
    assert window_starts(1, 100).tolist() == [0]
    assert window_starts(100, 100).tolist() == [0]


def test_of_slightly_longer_recordings_the_middle_is_taken():
    assert window_starts(150, 100).tolist() == [25]


@pytest.mark.parametrize("n_samples", [151, 200, 201, 250, 999, 1000])
def test_windows_cover_long_recordings_without_gap(n_samples):
    starts = window_starts(n_samples, 100)
    is_covered = np.zeros(n_samples, bool)
    for start in starts:
        assert start + 100 <= n_samples
        is_covered[start : start + 100] = True
    assert is_covered.all()
    assert len(starts) == -(-n_samples // 100)


def test_padding_puts_zeros_at_the_end():
    assert fit(np.array([1, 2, 3], np.float32), 5, "pad").tolist() == [1, 2, 3, 0, 0]


def test_repeating_starts_again():
    assert fit(np.array([1, 2, 3], np.float32), 8, "repeat").tolist() == [1, 2, 3, 1, 2, 3, 1, 2]


@pytest.mark.parametrize("short", ["pad", "repeat"])
def test_fitting_waveforms_stay_as_they_are(short):
    waveform = np.arange(4, dtype=np.float32)
    np.testing.assert_array_equal(fit(waveform, 4, short), waveform)


def test_clip_length_follows_the_recordings_within_bounds():
    assert choose_clip_s([1.0] * 90 + [3.04] * 10) == 3.0
    assert choose_clip_s([0.1, 0.2]) == 0.5
    assert choose_clip_s([600.0]) == 5.0
    assert choose_clip_s([5.0] * 2000) == 5.0


def test_what_a_clip_length_means_is_said():
    assert clip_s_line([2.0, 2.0], 2.5) == (
        "clips of 2.5 s, which hold every sound (2.00 s) whole; --set data.clip_s chooses another length"
    )
