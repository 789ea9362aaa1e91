"""Noise that is a function of a key: white, pink or brown, the same on every device.

The bits are those of `cohear.keys.random_bits`, made by Philox-4x32-10 in integer arithmetic where the noise is needed,
so that only a key per clip travels. Logarithm and cosine may differ between devices in their last bit.
"""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt64
from torch import Tensor

from cohear.dsp.spectral import fast_length
from cohear.tensors import on_device

Color = Literal["white", "pink", "brown"]

AMPLITUDE_EXPONENTS: dict[Color, float] = {"white": 0.0, "pink": -0.5, "brown": -1.0}
"""Amplitude goes with this power of frequency: 0, -3 and -6 dB per octave."""

LOWEST_HZ = 20.0
"""Below it, where nothing is heard, a spectrum is flat; `colored_noise` says why."""

_LOW = 0xFFFFFFFF


def random_bits(
    keys: UInt64[np.ndarray, " batch"], n: int, device: torch.device | str = "cpu"
) -> Int64[Tensor, "batch {n}"]:
    """Draw `n` words of 64 random bits for each key, the bits of `cohear.keys.random_bits` as signed integers.

    Example:
        >>> from cohear import keys
        >>> one_key = np.array([7], np.uint64)
        >>> np.array_equal(random_bits(one_key, 3).numpy().view(np.uint64), keys.random_bits(one_key, 3))
        True
    """
    w0, w1, w2, w3 = _philox(keys, (n + 1) // 2, torch.device(device))
    return torch.stack((w0 | w1 << 32, w2 | w3 << 32), dim=2).flatten(1)[:, :n]


def gaussian_noise(
    keys: UInt64[np.ndarray, " batch"], n: int, device: torch.device | str = "cpu"
) -> Float32[Tensor, "batch {n}"]:
    """Draw `n` independent numbers of mean zero and variance one for each key.

    Box and Muller: for u and v uniform, sqrt(-2 ln u) cos(2 pi v) and the same with the sine are independent and
    Gaussian. With u a multiple of 2**-32, moved by half a step away from zero, no number is beyond 6.8.

    Args:
        keys: one per row.
        n: numbers per key; those of a smaller `n` are the first of a greater one.
        device: where they are made.
    """
    w0, w1, w2, w3 = (word.to(torch.float32) for word in _philox(keys, (n + 3) // 4, torch.device(device)))
    pairs = []
    for u, v in ((w0, w1), (w2, w3)):
        radius = u.add_(0.5).mul_(2.0**-32).log_().mul_(-2).sqrt_()
        angle = v.mul_(2 * torch.pi * 2.0**-32)
        pairs += [radius * angle.cos(), radius * angle.sin()]
    return torch.stack(pairs, dim=2).flatten(1)[:, :n]


def colored_noise(
    keys: UInt64[np.ndarray, " batch"],
    n: int,
    color: Color,
    sample_rate: int,
    device: torch.device | str = "cpu",
) -> Float32[Tensor, "batch {n}"]:
    """Make `n` samples of Gaussian noise of mean zero and expected variance one for each key.

    The power of pink noise goes with 1/f, that of brown noise with 1/f**2, down to 20 Hz; below, it is flat. Were it
    not, of 5 s of pink noise at 44.1 kHz, whose lowest frequency is 0.2 Hz, ln(20 / 0.2) / ln(22050 / 0.2) = 40 % of
    the energy would be below what can be heard, and of brown noise 1 - 0.2 / 20 = 99 %; an SNR would say little. Flat,
    the part below is 20 * 1/20 = 1 against ln(22050 / 20) = 7.0 above, an eighth, and for brown noise
    20 / 20**2 = 1/20 against 1/20 - 1/22050, a half.

    Args:
        keys: one per clip.
        n: samples, >= 1.
        color: of the spectrum.
        sample_rate: Hz, > 0.
        device: where the noise is made.
    """
    # A CPU takes one clip at a time: faster in its caches, and rounding does not depend on the size of the batch.
    n_at_once = 1 if torch.device(device).type == "cpu" else max(1, len(keys))
    noise = torch.empty(len(keys), n, dtype=torch.float32, device=device)
    for start in range(0, len(keys), n_at_once):
        rows = slice(start, start + n_at_once)
        if color == "white":
            noise[rows] = gaussian_noise(keys[rows], n, device)
        else:
            noise[rows] = _shaped_noise(keys[rows], n, AMPLITUDE_EXPONENTS[color], sample_rate, device)
    return noise


def _shaped_noise(
    keys: UInt64[np.ndarray, " batch"], n: int, exponent: float, sample_rate: int, device: torch.device | str
) -> Float32[Tensor, "batch {n}"]:
    """Make noise whose amplitude goes with a power of frequency.

    Independent Gaussian coefficients are what the transform of white noise is, so one inverse transform suffices.
    """
    # At least four samples, so that there is a frequency between zero and half the sample rate.
    n_fft = fast_length(max(n, 4))
    frequencies_hz = torch.fft.rfftfreq(n_fft, 1 / sample_rate, dtype=torch.float32, device=device)
    amplitudes = frequencies_hz.clamp_min(LOWEST_HZ) ** exponent
    # No offset; and half the sample rate, one frequency of many, has no phase that could be random.
    amplitudes[[0, -1]] = 0.0
    # A coefficient a (x + iy) and its mirror image give a sample the variance 2 * 2 a**2 / n_fft**2: together one.
    amplitudes *= n_fft / (2 * amplitudes.square().sum().sqrt())
    parts = gaussian_noise(keys, n_fft + 2, device).unflatten(1, (-1, 2)) * amplitudes[:, None]
    with torch.autocast(parts.device.type, enabled=False):
        return torch.fft.irfft(torch.view_as_complex(parts), n_fft)[:, :n]


def _philox(keys: UInt64[np.ndarray, " batch"], n: int, device: torch.device) -> tuple[Int64[Tensor, "batch {n}"], ...]:
    """Encrypt the counters 0 to n - 1 as `cohear.keys.random_bits` does; 32-bit words in 64-bit integers.

    Of a word only the lower half counts, so what lies above is cleared where it would be seen: before it is
    multiplied, and at the end. Products beyond 63 bits wrap around to negative numbers, whose bits are the right ones.
    """
    halves = np.stack((keys & np.uint64(_LOW), keys >> np.uint64(32))).astype(np.int64)
    k0, k1 = on_device(halves, device)[:, :, None]
    c0 = torch.arange(n, device=device).repeat(len(keys), 1)
    c1, c2, c3 = torch.zeros_like(c0), torch.zeros_like(c0), torch.ones_like(c0)  # the last word: drawing
    for _ in range(10):
        c0.bitwise_and_(_LOW).mul_(0xD2511F53)
        c2.bitwise_and_(_LOW).mul_(0xCD9E8D57)
        c1.bitwise_xor_(k0).bitwise_xor_(c2 >> 32)
        c3.bitwise_xor_(k1).bitwise_xor_(c0 >> 32)
        c0, c1, c2, c3 = c1, c2, c3, c0
        k0, k1 = (k0 + 0x9E3779B9) & _LOW, (k1 + 0xBB67AE85) & _LOW
    return tuple(word.bitwise_and_(_LOW) for word in (c0, c1, c2, c3))
