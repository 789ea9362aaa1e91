"""A recording that comes in blocks, cut into windows; as much of it is kept as a window and a block are long."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32


class Window(NamedTuple):
    """A part of a recording."""

    start: int
    """Its first sample."""
    waveform: Float32[np.ndarray, " time"]
    """Shorter than a window where the whole recording is."""


def cut_windows(blocks: Iterable[Float32[np.ndarray, " _"]], n_samples: int, hop_samples: int) -> Iterator[Window]:
    """Cut a recording into windows, in their order, each as soon as it is there.

    A window begins at every multiple of the hop as long as it fits; one more ends with the recording where its tail
    would be left over. A recording shorter than a window is one window; an empty one has none.

    Args:
        blocks: the recording, in blocks of any length.
        n_samples: of a window, > 0.
        hop_samples: from the beginning of a window to that of the next, 1 to `n_samples`.

    Example:
        >>> blocks = [np.zeros(70, np.float32), np.zeros(55, np.float32)]
        >>> [window.start for window in cut_windows(blocks, n_samples=50, hop_samples=30)]
        [0, 30, 60, 75]
    """
    kept, first = np.zeros(0, np.float32), 0  # what is kept, and where in the recording it begins
    waiting: list[np.ndarray] = []
    n_heard = start = 0
    for block in blocks:
        waiting.append(block)
        n_heard += len(block)
        if n_heard < start + n_samples:
            continue
        kept, waiting = np.concatenate([kept, *waiting]), []
        while start + n_samples <= n_heard:
            yield Window(start, kept[start - first : start - first + n_samples])
            start += hop_samples
        # Should the recording end here, its last window begins a window's length before.
        kept, first = kept[n_heard - n_samples - first :], n_heard - n_samples
    last_start = max(0, n_heard - n_samples)
    if n_heard and start < last_start + hop_samples:
        yield Window(last_start, np.concatenate([kept, *waiting])[last_start - first :])
