"""Fourier transforms: lengths for which they are fast, and convolution by them."""

import functools
import math

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

_N_PARTS = 3  # of a response; about where the time of transforms equals that of products


@functools.lru_cache(maxsize=8)
def even_lengths(limit: int, greatest_prime: int) -> Int64[np.ndarray, " length"]:
    """List the even numbers up to `limit` without a prime factor above `greatest_prime`, ascending.

    A Fourier transform whose length has small prime factors only is a few times faster than its neighbors; a real
    one also wants to be even.

    Example:
        >>> even_lengths(20, greatest_prime=5)
        array([ 2,  4,  6,  8, 10, 12, 16, 18, 20])
    """
    lengths = np.array([2])
    for prime in range(2, greatest_prime + 1):
        if any(prime % divisor == 0 for divisor in range(2, prime)):
            continue
        powers = [1]
        while powers[-1] * prime <= limit:
            powers.append(powers[-1] * prime)
        lengths = np.outer(lengths, powers).ravel()
        lengths = lengths[lengths <= limit]
    return np.sort(lengths)


def fast_length(n: int) -> int:
    """Return the smallest even number that is at least `n` and has no prime factor above 7.

    Example:
        >>> fast_length(264_599)
        264600
    """
    # Up to the next power of two there is at least that one; and so the lists that are kept are few.
    lengths = even_lengths(1 << max(n, 2).bit_length(), greatest_prime=7)
    return int(lengths[np.searchsorted(lengths, n)])


def convolve(
    waveforms: Float[Tensor, "batch time"], responses: Float[Tensor, "batch tap"], n_skipped: int = 0
) -> Float[Tensor, "batch time"]:
    """Convolve each clip with its response: result[t] = sum_r response[r] waveform[t + n_skipped - r].

    Signal and response are both cut into blocks of P samples and each block is transformed once, to a length of 2P. An
    output block is the sum, over the parts of the response, of that part's spectrum times the spectrum of the signal
    one block earlier per part, transformed back once; its second half is free of wrap-around (uniformly partitioned
    overlap-save: Stockham 1966; Wefers, "Partitioned convolution algorithms for real-time auralization", 2015, chapter
    4). One transform of the whole clip would need fewer operations, but leaves the processor's cache and takes longer.

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
