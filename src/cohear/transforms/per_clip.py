"""One number per clip: drawn between two limits on the host, laid beside the samples of its clip on their device."""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt64
from torch import Tensor

from cohear.keys import uniform
from cohear.tensors import Waveforms, on_device
from cohear.transforms.contract import Parameters, Transform


def keep_tuples(transform: Transform[Any], *names: str) -> None:
    """Turn lists, as JSON has them, into tuples, so that the transform has a hash; to be called when it is made."""
    for name in names:
        object.__setattr__(transform, name, tuple(getattr(transform, name)))


def check_range(name: str, limits: tuple[float, float], unit: str) -> None:
    """Refuse limits that are not finite or in the wrong order.

    Raises:
        ValueError: that names what the limits are of, and its unit.
    """
    low, high = limits
    if not -math.inf < low <= high < math.inf:
        raise ValueError(f"{name} from {low:g} to {high:g} {unit}: give two finite numbers, the smaller one first")


def draw_between(keys: UInt64[np.ndarray, " batch"], limits: tuple[float, float]) -> Float[np.ndarray, " batch"]:
    """Draw one number per key, uniform from the lower limit to the upper."""
    low, high = limits
    return low + (high - low) * uniform(keys, 1)[:, 0]


def check_batch(batch: Waveforms, parameters: Parameters) -> None:
    """Refuse what is not a batch of waveforms with one row of parameters each.

    Raises:
        ValueError: if the shapes do not fit, there is no sample, or the samples are integers.
    """
    if batch.ndim != 2 or not batch.shape[1] or len(batch) != len(parameters):
        raise ValueError(
            f"waveforms of shape {tuple(batch.shape)} with parameters of {len(parameters)} clips: give waveforms "
            "[B, T] with T at least 1, and one row of parameters per clip"
        )
    if not batch.is_floating_point():
        raise ValueError(f"waveforms of {batch.dtype}: give floating-point samples in [-1, 1]")


def exact(batch: Waveforms, parameters: Parameters) -> Waveforms:
    """Check a batch and return it in float32 or wider, so that half precision is rounded only once, at the end."""
    check_batch(batch, parameters)
    return batch.to(torch.promote_types(batch.dtype, torch.float32))


def beside(numbers: Float[np.ndarray, " batch"], samples: Waveforms) -> Float[Tensor, "batch 1"]:
    """Lay numbers beside the samples of their clips: same device and precision, one row per clip."""
    return on_device(numbers, samples.device, samples.dtype)[:, None]


def amplitude(level_db: Float[np.ndarray, " batch"]) -> Float[np.ndarray, " batch"]:
    """Return the factors that change a level by so many dB.

    Example:
        >>> amplitude(np.array([0.0, -20.0])).tolist()
        [1.0, 0.1]
    """
    return 10.0 ** (level_db / 20.0)
