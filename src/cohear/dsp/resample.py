"""Band-limited resampling of a batch, each clip by a factor of its own, through Fourier transforms of blocks.

Take the spectrum of a block of `n_in` samples and read it back as `n_out` samples: the result is the block sampled
at multiples of n_in / n_out, with no filter to design. What no longer fits below the new Nyquist frequency is rolled
off. Blocks overlap, and of each only the middle is kept, which the roll-off's ringing from the ends does not reach
(overlap-save). Short transforms stay in the processor's cache and are several times as fast as one of the whole clip.

The factor is met by choosing two lengths whose transforms are fast, within a hundredth of a cent. Output block b
begins at output sample o_b, which is the input's time o_b n_in / n_out = s_b + d_b, a whole sample and a fraction;
the block is cut at s_b, and a delay by -d_b is the factor exp(2 pi i k d_b / n_in) on bin k of its spectrum. So
blocks continue each other exactly, whatever the lengths.
"""

import functools
import math

import numpy as np
import torch
from jaxtyping import Complex, Float, Int64
from torch import Tensor
from torch.nn import functional

from cohear.dsp.spectral import even_lengths
from cohear.tensors import keep_tensors, on_device

_TOLERANCE = 6e-6  # of the factor: 0.01 cents
_MARGIN = 1024  # output samples at each end of a block that are not kept
_BLOCK_LENGTHS = (8_000, 66_000)  # shorter ones are too coarse for the tolerance, longer ones leave the cache
_BLOCKS_AT_ONCE = 16  # of a long recording; what is kept of them stays small
_ROLL_OFF = 0.02  # width of the roll-off over the cutoff frequency


def resample(
    waveforms: Float[Tensor, "batch time"], factors: Float[np.ndarray, " batch"]
) -> Float[Tensor, "batch new_time"]:
    """Sample each clip at every `factor`-th sample: result[n] = waveform(n * factor).

    Args:
        waveforms: the signals; time before and after them is silent.
        factors: above 1 shortens a clip and raises its pitch; 0 < factor.

    Returns:
        Clips of ceil(T / factor) samples, followed by zeros up to the longest of the batch.

    Example:
        >>> tone = torch.sin(0.1 * torch.arange(1000.0))[None]
        >>> slow = resample(tone, np.array([0.5]))[0]
        >>> bool(torch.isclose(slow[1001], torch.sin(torch.tensor(50.05)), atol=1e-3))
        True
    """
    lengths = np.ceil(waveforms.shape[1] / factors).astype(int)
    resampled = waveforms.new_zeros(len(waveforms), lengths.max(initial=0))
    for factor in np.unique(factors):
        alike = np.flatnonzero(factors == factor)
        rows, n_new = on_device(alike, waveforms.device), int(lengths[alike[0]])
        resampled[rows, :n_new] = _resample_alike(waveforms[rows], float(factor), n_new)
    return resampled


def _resample_alike(
    waveforms: Float[Tensor, "batch time"], factor: float, n_new: int
) -> Float[Tensor, "batch {n_new}"]:
    if factor == 1.0:
        return waveforms
    n_in, n_out = block_lengths(n_new, factor)
    n_kept = n_out - 2 * _MARGIN
    # The first block begins a margin before the clip, the last one within it.
    n_before = math.ceil(_MARGIN * n_in / n_out)
    padded = functional.pad(waveforms, (n_before, n_in))
    n_blocks, parts = -(-n_new // n_kept), []
    for first in range(0, n_blocks, _BLOCKS_AT_ONCE):
        starts, response = _blocks(n_in, n_out, first, waveforms.dtype, waveforms.device)
        starts = [n_before + start for start in starts[: n_blocks - first]]
        blocks = torch.stack([padded[:, start : start + n_in] for start in starts], dim=1)
        spectra = torch.fft.rfft(blocks)[..., : response.shape[1]] * response[: len(starts)]
        parts.append(torch.fft.irfft(spectra, n_out)[..., _MARGIN:-_MARGIN].flatten(1))
    return torch.cat(parts, dim=1)[:, :n_new]


@keep_tensors(maxsize=12)
def _blocks(
    n_in: int, n_out: int, first: int, dtype: torch.dtype, device: torch.device
) -> tuple[list[int], Complex[Tensor, "block bin"]]:
    """Return where some blocks, `first` and those that follow, are cut from the input, and their spectra's factors."""
    n_kept = n_out - 2 * _MARGIN
    begins = ((first + np.arange(_BLOCKS_AT_ONCE)) * n_kept - _MARGIN) * (n_in / n_out)
    starts = np.floor(begins).astype(int)
    n_bins = min(n_in, n_out) // 2 + 1
    delays = np.exp(2j * np.pi / n_in * (begins - starts)[:, None] * np.arange(n_bins))
    n_roll = round(_ROLL_OFF * n_bins)
    gains = np.full(n_bins, n_out / n_in)  # the inverse transform divides by n_out where n_in samples were summed
    gains[-n_roll:] *= np.cos(np.pi / 2 * np.arange(1, n_roll + 1) / n_roll) ** 2
    return starts.tolist(), torch.from_numpy(delays * gains).to(device, dtype.to_complex())


@functools.lru_cache(maxsize=4096)
def block_lengths(n_new: int, factor: float) -> tuple[int, int]:
    """Choose fast lengths (n_in, n_out) with n_in / n_out = factor for making `n_new` samples in blocks.

    Of all pairs within the tolerance it is the one with least to compute; where there is none, the nearest pair.
    """
    lengths, costs = _lengths_and_costs()
    shortest, longest = np.searchsorted(lengths, _BLOCK_LENGTHS)
    n_out, out_costs = lengths[shortest:longest], costs[shortest:longest]
    above = np.searchsorted(lengths, n_out * factor)
    nearest = np.where(lengths[above] - n_out * factor < n_out * factor - lengths[above - 1], above, above - 1)
    errors = np.abs(lengths[nearest] / n_out / factor - 1.0)
    n_blocks = np.ceil(n_new / (n_out - 2 * _MARGIN))
    total = n_blocks * (costs[nearest] + out_costs)
    total[errors > max(_TOLERANCE, errors.min())] = np.inf
    best = np.argmin(total)
    return int(lengths[nearest[best]]), int(n_out[best])


@functools.cache
def _lengths_and_costs() -> tuple[Int64[np.ndarray, " length"], Float[np.ndarray, " length"]]:
    """List fast lengths, and about what a transform of each costs with MKL: large prime factors are dear."""
    lengths = even_lengths(1 << 18, greatest_prime=31)
    costs = np.ones(len(lengths))
    for prime in (11, 13, 17, 19, 23, 29, 31):
        for power in range(1, 6):
            costs[lengths % prime**power == 0] += prime / 28
    return lengths, costs * lengths
