"""Convolution of long signals with long responses, each signal with a response of its own, in blocks.

Signal and response are both cut into blocks of P samples and each block is transformed once, to a length of 2P. An
output block is the sum, over the parts of the response, of that part's spectrum times the spectrum of the signal one
block earlier per part, transformed back once; its second half is free of wrap-around (uniformly partitioned
overlap-save: Stockham 1966; Wefers, "Partitioned convolution algorithms for real-time auralization", 2015, chapter 4).
One transform of the whole clip would need fewer operations, but leaves the processor's cache and takes longer.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

_N_PARTS = 3  # of a response; about where the time of transforms equals that of products


def convolve(
    waveforms: Float[Tensor, "batch time"], responses: Float[Tensor, "batch tap"], n_skipped: int = 0
) -> Float[Tensor, "batch time"]:
    """Convolve each clip with its response: result[t] = sum_r response[r] waveform[t + n_skipped - r].

    Args:
        waveforms: the signals; time before and after them is silent.
        responses: one per clip.
        n_skipped: which tap falls on time zero, >= 0.

    Example:
        >>> convolve(torch.tensor([[1.0, 0.0, 2.0]]), torch.tensor([[1.0, 0.5]])).abs().round(decimals=4)
        tensor([[1.0000, 0.5000, 2.0000]])
    """
    n_samples = waveforms.shape[1] + n_skipped
    responses = responses[:, :n_samples]  # what comes later is never heard
    n_taps = responses.shape[1]
    n = 1 << max(6, round(math.log2(n_taps / _N_PARTS)))
    n_blocks, n_parts = -(-n_samples // n), -(-n_taps // n)
    # Block b of the output takes the signal from a block before its beginning.
    padded = functional.pad(waveforms, (n, n_blocks * n - waveforms.shape[1]))
    signal = torch.fft.rfft(padded.unfold(1, 2 * n, n))
    parts = functional.pad(responses, (0, n_parts * n - n_taps)).unflatten(1, (n_parts, n))
    response = torch.fft.rfft(parts, 2 * n)
    total = signal * response[:, :1]
    for part in range(1, min(n_parts, n_blocks)):
        total[:, part:].addcmul_(signal[:, :-part], response[:, part : part + 1])
    return torch.fft.irfft(total, 2 * n)[..., n:].flatten(1)[:, n_skipped:n_samples]
