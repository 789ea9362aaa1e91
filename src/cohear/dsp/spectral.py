"""Lengths for which a Fourier transform is fast, and signals made of frames."""

import functools

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor


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


def overlap_add(frames: Float[Tensor, "batch frame n_fft"], hop_length: int) -> Float[Tensor, "batch time"]:
    """Add frames that begin `hop_length` samples apart; `n_fft` is a multiple of `hop_length`.

    Example:
        >>> import torch
        >>> overlap_add(torch.ones(1, 3, 2), hop_length=1)
        tensor([[1., 2., 2., 1.]])
    """
    n_clips, n_frames, n_fft = frames.shape
    n_parts = n_fft // hop_length
    # Cut each frame into hops: part p of frame l lands in hop l + p, so the sum has one shifted term per part.
    parts = frames.view(n_clips, n_frames, n_parts, hop_length)
    hops = frames.new_zeros(n_clips, n_frames + n_parts - 1, hop_length)
    for part in range(n_parts):
        hops[:, part : part + n_frames] += parts[:, :, part]
    return hops.view(n_clips, -1)
