"""Waveforms as people have them (NumPy arrays, torch tensors, lists, integers) as float32 in [-1, 1]."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32

from cohear.errors import UserError

GivenWaveforms = np.ndarray | torch.Tensor | Sequence[np.ndarray | torch.Tensor]
"""One waveform `[time]`, or a batch `[batch time]` or a list of waveforms of any lengths."""

_FEWEST_SAMPLES = 64
"""What is shorter is no sound, but a stereo recording `[time channel]` taken for a batch."""


def read_waveforms(given: GivenWaveforms) -> tuple[list[Float32[np.ndarray, " _"]], bool]:
    """Read one waveform or a batch of them, and say whether it was a batch.

    Args:
        given: floats, full scale [-1, 1], or signed integers, full scale that of their type.

    Raises:
        UserError: where there are more axes than two, a waveform is shorter than 64 samples, or a sample is no number.
    """
    if isinstance(given, list | tuple):
        return [_read(each) for each in given], True
    array = _array(given)
    if array.ndim == 2:
        return [_read(row) for row in array], True
    return [_read(array)], False


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
    return waveform
