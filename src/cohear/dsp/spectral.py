"""Lengths for which a Fourier transform is fast."""

import functools

import numpy as np
from jaxtyping import Int64


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
