"""Waveforms in 16 bits and a scale, on any device; the same numbers as the store of decoded clips."""

import torch
from jaxtyping import Float, Float32, Int16
from torch import Tensor

FULL_SCALE = 32768
"""Steps of 16 bits that make a sample of 1."""


def quantize(
    waveforms: Float[Tensor, "batch time"],
) -> tuple[Int16[Tensor, "batch time"], Float32[Tensor, " batch"]]:
    """Round each clip to 16 bits: a sample is its 16-bit value / 32768 * scale, the loudest uses the whole range.

    Example:
        >>> steps, scales = quantize(torch.tensor([[3.0, -1.5, 0.0]]))
        >>> steps.tolist(), round(float(scales), 4)
        ([[32767, -16384, 0]], 3.0001)
    """
    peaks = waveforms.abs().amax(dim=1)
    scales = torch.where(peaks > 0, peaks.double() * FULL_SCALE / (FULL_SCALE - 1), 1.0).float()
    steps = torch.round(waveforms / scales[:, None] * FULL_SCALE).clamp_(1 - FULL_SCALE, FULL_SCALE - 1)
    return steps.to(torch.int16), scales


def dequantize(steps: Int16[Tensor, "batch time"], scales: Float32[Tensor, " batch"]) -> Float32[Tensor, "batch time"]:
    """Return the samples of what `quantize` made."""
    return steps.float() * (scales / FULL_SCALE)[:, None]
