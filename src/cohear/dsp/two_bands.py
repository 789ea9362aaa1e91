"""Two bands of a signal: the lowest octaves at a low sample rate, and the rest.

The low band is the signal decimated by a whole factor; a crossover tells which part of it counts. What counts, put
back at the full rate and subtracted from the signal, leaves the high band, so that the two bands add up to the signal
whatever the crossover's slope. Decimation and its inverse are one symmetric Kaiser filter in polyphase form (Crochiere
and Rabiner, "Multirate Digital Signal Processing", 1983, chapter 3): a product of two small matrices.

Frequencies here are in cycles per sample of the low rate. The crossover falls from 3/16 to 1/4. The
decimation filter passes up to 1/4 and stops, by more than 90 dB, from 3/4 on, which is what folds back onto 1/4.
Between, the low band holds aliases; nobody looks at it there.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from cohear.dsp.spectral import fast_length
from cohear.tensors import keep_tensors

CROSSOVER = (3 / 16, 1 / 4)
"""Where the low band begins to fade and where it ends, cycles per sample of the low rate."""
_N_SIDE_TAPS = 7  # low-rate samples on each side that the decimation filter spans
_KAISER_BETA = 10.0  # 100 dB
_RINGING = 256  # low-rate samples after which the crossover filter has died away
_CORRELATION_STEP, _CORRELATION_SPAN = 48, 192  # low-rate samples: how often, and over how many, it is measured
_USUAL_DISAGREEMENT = 0.5  # of noise; there the correction is exact


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
    """Weight a low-rate signal by the crossover: all of it below 3/16, nothing above 1/4, zero phase."""
    n = fast_length(low.shape[1] + _RINGING)
    return torch.fft.irfft(torch.fft.rfft(low, n) * _crossover(n, low.dtype, low.device), n)[:, : low.shape[1]]


def join(
    low: Float[Tensor, "batch low_time"], high: Float[Tensor, "batch time"], factor: int
) -> Float[Tensor, "batch time"]:
    """Put the bands of a signal together again after something has happened to each, and keep the level.

    Where the bands cross they come with the weights g and 1 - g, which add up to one for a tone, whose two parts agree.
    Parts with the correlation r, those of noise, have together the power 1 - 2 g (1 - g) (1 - r), as in `crossfade`:
    without more ado a notch of 1 dB. The gain that makes up for it is, close to a disagreement d = 1 - r of 1/2,

        1 + d k(f),   k = 2 ((1 - g (1 - g))^(-1/2) - 1),

    so the crossover's part of the sum, filtered by k, is added d times; for a tone, where d = 0, not at all. The
    correlation is measured in that part, over some frames. The gradient takes it as a constant.

    Args:
        low: at the low rate, not yet weighted by the crossover; its sample n stands at sample n * factor of the other.
        high: what the signal held beyond the crossover, at the full rate; the time axis is a multiple of `factor`.
        factor: the full rate over the low one.
    """
    n_low = low.shape[1]
    n = fast_length(n_low + _RINGING)
    weights = _crossover(n, low.dtype, low.device)
    # Transforms of several signals at once cost little more than one.
    spectrum, high_spectrum = torch.fft.rfft(torch.stack((low, decimate(high, factor))), n)
    both = weights * (1.0 - weights)
    d = _USUAL_DISAGREEMENT
    kernel = ((1.0 - 2.0 * both * d).rsqrt() - 1.0) / d
    weighted = spectrum * weights
    parts = torch.stack((weighted, (weighted + high_spectrum) * kernel, spectrum * both, high_spectrum * weights))
    share, correction, low_share, high_share = torch.fft.irfft(parts, n)[..., :n_low]
    with torch.no_grad():
        disagreement = 1.0 - _running_correlation(low_share, high_share)
    return high + interpolate(share + disagreement * correction, factor)


def _running_correlation(
    first: Float[Tensor, "batch low_time"], second: Float[Tensor, "batch low_time"]
) -> Float[Tensor, "batch low_time"]:
    products = torch.stack((first * second, first.square(), second.square()), dim=1)
    step, span = _CORRELATION_STEP, _CORRELATION_SPAN
    products = functional.pad(products, (span // 2, span // 2 + -first.shape[1] % step))
    agreement, power, other_power = functional.avg_pool1d(products, span, step).unbind(1)
    smallest = torch.finfo(first.dtype).tiny
    correlations = (agreement / (power * other_power).sqrt().clamp(min=smallest)).clamp(0.0, 1.0)
    size = (correlations.shape[1] - 1) * step + 1
    smooth = functional.interpolate(correlations[:, None], size=size, mode="linear", align_corners=True)[:, 0]
    return smooth[:, : first.shape[1]]


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
