"""Waveforms on their way to the network.

As people have them (NumPy arrays, torch tensors, lists, integers) they are read; a recording that comes in blocks
is cut into windows, of which as much is kept as a window and a block are long.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32

from cohear.data.audio_decoding import LOUDEST, resample
from cohear.errors import UserError

GivenWaveforms = np.ndarray | torch.Tensor | Sequence[np.ndarray | torch.Tensor]
"""One waveform `[time]`, or a batch `[batch time]` or a list of waveforms of any lengths."""

_RATES_HZ = (100, 1_000_000)
"""What recorders write lies between."""
_FEWEST_SAMPLES = 64
"""What is shorter is no sound, but a stereo recording `[time channel]` taken for a batch."""


def read_waveforms(
    given: object, sample_rate: int | None, wanted_rate: int
) -> tuple[list[Float32[np.ndarray, " _"]], bool]:
    """Read one waveform or a batch of them at the rate that is wanted, and say whether it was a batch.

    Args:
        given: should be `GivenWaveforms`: floats, full scale [-1, 1], or signed integers, full scale that of their
            type.
        sample_rate: Hz, 100 to 1 000 000, of what is given.
        wanted_rate: Hz, of what is returned.

    Raises:
        UserError: where the rate is missing or out of its range, there are more axes than two, a
            waveform is shorter than 64 samples, or a sample is no number or far beyond full scale.
    """
    if sample_rate is None:
        raise UserError("waveforms do not say their sample rate; give sample_rate=, in Hz")
    low, high = _RATES_HZ
    if not low <= sample_rate <= high:
        raise UserError(f"a sample rate of {sample_rate} Hz cannot be heard; give {low} to {high} Hz")
    if not isinstance(given, list | tuple):
        given = _array(given)
    is_batch = isinstance(given, list | tuple) or given.ndim == 2
    waveforms = [_read(each) for each in given] if is_batch else [_read(given)]
    return [resample(waveform, sample_rate, wanted_rate) for waveform in waveforms], is_batch


def _array(given: object) -> np.ndarray:
    if isinstance(given, torch.Tensor):
        given = given.detach().cpu()
        given = given.float() if given.is_floating_point() else given  # NumPy has no bfloat16
    return np.asarray(given)


def _read(given: object) -> Float32[np.ndarray, " time"]:
    array = _array(given)
    if array.ndim != 1 or len(array) < _FEWEST_SAMPLES:
        raise UserError(
            f"a waveform of the shape {list(array.shape)} cannot be heard; give [time] or [batch, time] with at least "
            f"{_FEWEST_SAMPLES} samples each, and of a stereo recording the mean of its channels"
        )
    if np.issubdtype(array.dtype, np.signedinteger):
        waveform = (array / -float(np.iinfo(array.dtype).min)).astype(np.float32)
    elif np.issubdtype(array.dtype, np.floating):
        waveform = array.astype(np.float32)
    else:
        raise UserError(f"a waveform of {array.dtype} cannot be heard; give floats in [-1, 1] or signed integers")
    if not np.isfinite(waveform).all():
        raise UserError(f"a waveform holds NaN or infinite samples (the first is {np.isfinite(waveform).argmin()})")
    if (loudest := np.abs(waveform).max()) > LOUDEST:
        raise UserError(
            f"a waveform of floats up to {loudest:g} is far beyond full scale, which is 1; divide it by the full scale "
            "of its integers, 32768 for 16 bits"
        )
    return waveform


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
