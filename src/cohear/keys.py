"""Randomness without state: numbers are a pure function of a key and a counter.

A key is 64 bits. `fold_in` makes a new key from a key and an integer, so the key of one view of one clip is
`fold_in(fold_in(fold_in(key(seed, "views"), epoch), clip), view)`, whoever computes it, in whatever order, on
whatever device. The generator is Philox-4x32 with ten rounds (Salmon et al., "Parallel random numbers: as easy as
1, 2, 3", SC 2011), the discipline of keys is that of JAX. Everything is vectorised numpy; no global state is read.
"""

import hashlib

import numpy as np
from jaxtyping import Float, Int64, UInt64

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (np.uint32(0x9E3779B9), np.uint32(0xBB67AE85))
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_FOLD, _DRAW = 0, 1  # last counter word: folding and drawing never share a counter

Word = np.ndarray | np.unsignedinteger
"""32-bit words, one or many."""


def philox(counter: tuple[Word, Word, Word, Word], key_words: tuple[Word, Word]) -> tuple[np.ndarray, ...]:
    """Encrypt a 128-bit counter under a 64-bit key: Philox-4x32-10 (Salmon et al. 2011, section 3.3).

    Args:
        counter: four arrays of 32-bit words, broadcast against each other.
        key_words: two arrays of 32-bit words, low word first.

    Returns:
        Four arrays of 32-bit words.
    """
    c0, c1, c2, c3 = (np.asarray(word, np.uint32) for word in counter)
    k0, k1 = (np.asarray(word, np.uint32) for word in key_words)
    with np.errstate(over="ignore"):  # the Weyl sequence of round keys wraps around
        for _ in range(10):
            product0 = _MULTIPLIERS[0] * c0.astype(np.uint64)
            product1 = _MULTIPLIERS[1] * c2.astype(np.uint64)
            c0, c1, c2, c3 = (
                (product1 >> _SHIFT).astype(np.uint32) ^ c1 ^ k0,
                (product1 & _LOW).astype(np.uint32),
                (product0 >> _SHIFT).astype(np.uint32) ^ c3 ^ k1,
                (product0 & _LOW).astype(np.uint32),
            )
            k0, k1 = k0 + _WEYL[0], k1 + _WEYL[1]
    return tuple(np.broadcast_arrays(c0, c1, c2, c3))


def hash_text(text: str) -> int:
    """Map a text to 64 bits (BLAKE2b), the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def key(seed: int, purpose: str) -> UInt64[np.ndarray, ""]:
    """Make the key of one purpose ("views", "order", "weights") under a user's seed.

    Args:
        seed: the user's seed, 0 <= seed < 2**64.
        purpose: what the numbers are for; two purposes never share numbers.
    """
    return fold_in(np.array(seed, np.uint64), hash_text(purpose))


def fold_in(keys: UInt64[np.ndarray, "..."] | np.uint64, data: int | np.ndarray) -> UInt64[np.ndarray, "..."]:
    """Make new keys from keys and integers; keys and integers broadcast against each other.

    Args:
        keys: keys, any shape.
        data: integers in [0, 2**64).
    """
    keys, data = np.asarray(keys, np.uint64), np.asarray(data, np.uint64)
    zero = np.uint32(0)
    low, high, *_ = philox((data & _LOW, data >> _SHIFT, zero, np.uint32(_FOLD)), (keys & _LOW, keys >> _SHIFT))
    return np.asarray(low.astype(np.uint64) | high.astype(np.uint64) << _SHIFT)


def random_bits(keys: UInt64[np.ndarray, "*shape"], n: int) -> UInt64[np.ndarray, "*shape {n}"]:
    """Draw `n` words of 64 random bits for each key."""
    keys = np.asarray(keys, np.uint64)[..., None]
    blocks = np.arange((n + 1) // 2, dtype=np.uint32)
    zero = np.uint32(0)
    w0, w1, w2, w3 = philox((blocks, zero, zero, np.uint32(_DRAW)), (keys & _LOW, keys >> _SHIFT))
    pairs = np.stack(
        (
            w0.astype(np.uint64) | w1.astype(np.uint64) << _SHIFT,
            w2.astype(np.uint64) | w3.astype(np.uint64) << _SHIFT,
        ),
        axis=-1,
    )
    return pairs.reshape(*pairs.shape[:-2], 2 * pairs.shape[-2])[..., :n]


def uniform(keys: UInt64[np.ndarray, "*shape"], n: int) -> Float[np.ndarray, "*shape {n}"]:
    """Draw `n` float64 numbers in [0, 1) for each key, multiples of 2**-53."""
    return (random_bits(keys, n) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def integers(keys: UInt64[np.ndarray, "*shape"], n: int, high: int | np.ndarray) -> Int64[np.ndarray, "*shape {n}"]:
    """Draw `n` integers in [0, high) for each key; 0 < high < 2**32, biased by less than high / 2**53."""
    return np.floor(uniform(keys, n) * high).astype(np.int64)


def permutation(one_key: UInt64[np.ndarray, ""], n: int) -> Int64[np.ndarray, " {n}"]:
    """Draw a permutation of 0 .. n-1 from one key: the order of n random words."""
    return np.argsort(random_bits(one_key, n), kind="stable").astype(np.int64)
