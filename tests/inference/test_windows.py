"""Windows of blocks against windows of the whole."""

import numpy as np
import pytest

from cohear.inference.windows import cut_windows


def windows_of_whole(waveform: np.ndarray, n_samples: int, hop_samples: int) -> list[tuple[int, list[float]]]:
    last = max(0, len(waveform) - n_samples)
    starts = sorted({*range(0, last + 1, hop_samples), last})
    return [(start, waveform[start : start + n_samples].tolist()) for start in starts]


@pytest.mark.parametrize("block", [1, 7, 10, 64, 1000])
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
