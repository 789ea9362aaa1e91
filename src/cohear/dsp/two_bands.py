"""Two bands of a signal: the lowest octaves at a low sample rate, and the rest.

The low band is the signal decimated by a whole factor; a crossover tells which part of it counts. What counts, put
back at the full rate and subtracted from the signal, leaves the high band, so that the two bands add up to the signal
whatever the crossover's slope. Decimation and its inverse are one symmetric Kaiser filter in polyphase form (Crochiere
and Rabiner, "Multirate Digital Signal Processing", 1983, chapter 3): a product of two small matrices.

Frequencies here are in cycles per sample of the low rate. The crossover falls over the octave from 1/8 to 1/4. The
decimation filter passes up to 1/4 and stops, by more than 90 dB, from 3/4 on, which is what folds back onto 1/4.
Between, the low band holds aliases; nobody looks at it there.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from cohear.dsp.kept_tensors import keep_tensors
from cohear.dsp.spectral import fast_length

CROSSOVER = (1 / 8, 1 / 4)
"""Where the low band begins to fade and where it ends, cycles per sample of the low rate."""
_N_SIDE_TAPS = 7  # low-rate samples on each side that the decimation filter spans
_KAISER_BETA = 10.0  # 100 dB
_RINGING = 256  # low-rate samples after which the crossover filter, half an octave wide, has died away


def decimate(waveforms: Float[Tensor, "batch time"], factor: int) -> Float[Tensor, "batch low_time"]:
    """Return the low band at the low rate: result[n] stands at sample n * factor.

    Args:
        waveforms: the signals; the time axis is a multiple of `factor`.
        factor: the full rate over the low one, >= 2.
    """
    taps = _polyphase(factor, waveforms.dtype, waveforms.device)
    # result[n] = sum_p sum_q h[p factor + q] x[(n + p) factor + q]: all products first, then a sum along diagonals.
    products = waveforms.unflatten(1, (-1, factor)) @ taps.T
    padded = functional.pad(products.mT, (_N_SIDE_TAPS, _N_SIDE_TAPS))
    n_low = products.shape[1]
    return torch.stack([padded[:, p, p : p + n_low] for p in range(len(taps))]).sum(0)


def interpolate(low: Float[Tensor, "batch low_time"], factor: int) -> Float[Tensor, "batch time"]:
    """Put a low-rate signal, empty above 1/4, back at the full rate."""
    # x[n factor + q] = factor sum_p h[q - p factor] low[n + p]: the filter is read backwards, and its gain makes up for
    # the zeros between the samples of the low rate.
    taps = factor * _polyphase(factor, low.dtype, low.device).flip(0)
    padded = functional.pad(low, (_N_SIDE_TAPS, _N_SIDE_TAPS))
    return (padded.unfold(1, len(taps), 1) @ taps).flatten(1)


def below_crossover(low: Float[Tensor, "batch low_time"]) -> Float[Tensor, "batch low_time"]:
    """Weight a low-rate signal by the crossover: all of it below 1/8, nothing above 1/4, zero phase."""
    n = fast_length(low.shape[1] + _RINGING)
    return torch.fft.irfft(torch.fft.rfft(low, n) * _crossover(n, low.dtype, low.device), n)[:, : low.shape[1]]


@keep_tensors(maxsize=16)
def _polyphase(factor: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "part {factor}"]:
    """Cut the filter h[t], |t| <= _N_SIDE_TAPS * factor, into rows h[p factor + q]."""
    n_side = _N_SIDE_TAPS * factor
    times = torch.arange(-n_side, n_side + 1, dtype=torch.float64) / factor
    window = torch.kaiser_window(len(times), periodic=False, beta=_KAISER_BETA, dtype=torch.float64)
    taps = torch.sinc(times) * window
    return functional.pad(taps / taps.sum(), (0, factor - 1)).view(-1, factor).to(device, dtype)


@keep_tensors(maxsize=16)
def _crossover(n: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, " bin"]:
    """Weights that fall as a squared cosine over the logarithm of frequency."""
    begin, end = CROSSOVER
    frequencies = torch.arange(n // 2 + 1, dtype=torch.float64) / n
    octaves = torch.log2(frequencies.clamp(min=begin, max=end) / begin) / math.log2(end / begin)
    return torch.cos(torch.pi / 2 * octaves).square().to(device, dtype)
