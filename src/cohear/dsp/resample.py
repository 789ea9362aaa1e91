"""Band-limited resampling of a batch, each clip by a factor of its own, through Fourier transforms of whole clips.

Take the spectrum of `n_in` samples and read it back as `n_out` samples: the result is the signal sampled at
multiples of n_in / n_out, with no filter to design. What no longer fits below the new Nyquist frequency is cut off,
with a short roll-off so that the cut does not ring. The factor n_in / n_out can be any fraction, and both lengths
can be chosen freely above the length of the clip (which is padded with silence), so any factor is met within a
hundredth of a cent by lengths whose Fourier transforms are fast.
"""

import functools

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cohear.dsp.spectral import even_lengths

_GREATEST_PRIME = 31  # lengths with factors up to 31 cost what those up to 7 do, and are ten times denser
_TOLERANCE = 6e-6  # of the factor: 0.01 cents
_MIN_LENGTH = 1 << 16  # fractions of shorter lengths are too coarse for the tolerance
_GAP = 512  # samples of silence at least, so that the end of a clip does not ring into its beginning
_ROLL_OFF = 0.03  # width of the roll-off over the cutoff frequency


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
    n_samples = waveforms.shape[1]
    lengths = np.ceil(n_samples / factors).astype(int)
    resampled = waveforms.new_zeros(len(waveforms), lengths.max(initial=0))
    for factor in np.unique(factors):
        rows = np.flatnonzero(factors == factor)
        n_new = lengths[rows[0]]
        resampled[rows, :n_new] = _resample_alike(waveforms[rows], float(factor))[:, :n_new]
    return resampled


def _resample_alike(waveforms: Float[Tensor, "batch time"], factor: float) -> Float[Tensor, "batch new_time"]:
    if factor == 1.0:
        return waveforms
    n_in, n_out = fraction(waveforms.shape[1], factor)
    n_bins = min(n_in, n_out) // 2 + 1
    spectrum = torch.fft.rfft(waveforms, n_in)[:, :n_bins]
    gains = torch.ones(n_bins, dtype=waveforms.dtype, device=waveforms.device)
    if n_out < n_in:
        n_roll = max(1, round(_ROLL_OFF * n_bins))
        ramp = torch.arange(1, n_roll + 1, dtype=waveforms.dtype, device=waveforms.device) / n_roll
        gains[-n_roll:] = torch.cos(torch.pi / 2 * ramp).square()
    else:
        gains[-1] = 0.5  # the old Nyquist bin stands for two frequencies, plus and minus, that are now apart
    # The inverse transform divides by n_out where the forward one has summed n_in samples.
    return torch.fft.irfft(spectrum * (gains * (n_out / n_in)), n_out)


@functools.lru_cache(maxsize=4096)
def fraction(n_samples: int, factor: float) -> tuple[int, int]:
    """Choose fast lengths (n_in, n_out) with n_in / n_out = factor, n_in at least `n_samples` and a gap.

    The shortest n_in within the tolerance is taken; else, of lengths up to a quarter longer than need be, the one
    nearest to the factor.
    """
    n_min = max(n_samples + _GAP, _MIN_LENGTH)
    n_max = n_min + n_min // 4
    lengths = even_lengths(1 << max(n_max, round(n_max / factor)).bit_length(), _GREATEST_PRIME)
    n_in = lengths[(lengths >= n_min) & (lengths <= n_max)]
    above = np.searchsorted(lengths, n_in / factor)
    candidates = lengths[np.stack((above - 1, above))]
    errors = np.abs(n_in / candidates / factor - 1.0)
    n_out = np.where(errors[0] < errors[1], *candidates)
    error = errors.min(axis=0)
    best = np.argmax(error <= _TOLERANCE) if (error <= _TOLERANCE).any() else np.argmin(error)
    return int(n_in[best]), int(n_out[best])
