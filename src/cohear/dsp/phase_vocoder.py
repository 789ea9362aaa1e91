"""A phase vocoder with identity phase locking, every clip of a batch stretched by a factor of its own.

Frames are taken from the input every hop / factor samples and laid down every hop samples. What changes is the phase
of each bin: a partial of frequency w must advance by w * hop from one output frame to the next, while in the input it
advanced by w * hop / factor. Write X[m] for the spectrum of input frame m, at sample p[m], and Y[m] for its output.

The usual way estimates w from the difference of two phases and needs to unwrap it. Instead look at the input one
*output* hop before the frame, X'[m] at sample p[m] - hop: the phase of X[m] conj(X'[m]) is w * hop itself, exactly
what the output phase must grow by,

    arg Y[m] = arg Y[m-1] + arg X[m] - arg X'[m].

Write Y[m] = R[m] X[m] with a rotation R of modulus one. Then

    R[m] = R[m-1] U[m],   U[m] = X[m-1] conj(X'[m]) / |X[m-1] conj(X'[m])|,

a product of complex numbers, without an angle anywhere; for factor 1, X'[m] = X[m-1], so U = 1 and the output is the
input. Following every bin by itself would lose the phases between the bins of one partial and smear it (the
"phasiness" of the plain vocoder, with losses of level up to 15 dB). Identity phase locking (Laroche and Dolson,
"Improved phase vocoder time-scale modification of audio", IEEE Trans. Speech Audio Process. 7(3), 1999, section
III-C) lets all bins around a peak turn by the rotation of that peak:

    R[m, k] = (R[m-1] U[m])[peak of k in frame m].

A partial that moves to another bin goes on from the rotation of the region in which its new peak was before.
"""

import numpy as np
import torch
from jaxtyping import Complex, Float, Int64
from torch import Tensor
from torch.nn import functional

from cohear.dsp.spectral import frames_at, overlap_add

_OVERLAP = 4  # frames that cover a sample


def stretch(
    waveforms: Float[Tensor, "batch time"],
    factors: Float[np.ndarray, " batch"],
    n_samples: int,
    n_fft: int = 2048,
) -> Float[Tensor, "batch {n_samples}"]:
    """Make each clip `factor` times as long and keep its pitch.

    The gradient takes the rotations as constants: the output is a sum of rotated frames, linear in the frames.

    Args:
        waveforms: the signals; time before and after them is silent.
        factors: above 1 is slower; 0 < factor.
        n_samples: samples to return of every clip, from its beginning.
        n_fft: length of a frame, samples, a multiple of 4; 2048 at 44.1 kHz tells apart notes 65 Hz from each other.
    """
    hop_length = n_fft // _OVERLAP
    starts = _frame_starts(factors, n_samples, n_fft)
    # Frames are centered on their sample, the earliest one starts a hop before the first frame.
    n_before = hop_length - int(starts.min(initial=0))
    n_after = max(0, int(starts.max(initial=0)) + n_fft - waveforms.shape[1])
    padded = functional.pad(waveforms, (n_before, n_after))
    positions = torch.from_numpy(starts + n_before).to(waveforms.device)

    window = torch.hann_window(n_fft, dtype=waveforms.dtype, device=waveforms.device)
    spectra = torch.fft.rfft(frames_at(padded, positions, n_fft) * window)
    with torch.no_grad():
        earlier_spectra = torch.fft.rfft(frames_at(padded, positions - hop_length, n_fft) * window)
        rotations = _locked_rotations(spectra.detach(), earlier_spectra)
    frames = torch.fft.irfft(spectra * rotations, n_fft) * window

    # The squares of Hann windows a quarter apart add up to 3/2. The first frame begins three hops before time zero.
    stretched = overlap_add(frames, hop_length) / 1.5
    return stretched[:, 3 * hop_length : 3 * hop_length + n_samples]


def _frame_starts(factors: Float[np.ndarray, " batch"], n_samples: int, n_fft: int) -> Int64[np.ndarray, "batch frame"]:
    """First input sample of each frame; output frames are centered on every hop-th sample, -hop the first."""
    hop_length = n_fft // _OVERLAP
    centers = hop_length * np.arange(-1, (n_samples - 1) // hop_length + 3)
    return np.rint(centers / factors[:, None]).astype(np.int64) - n_fft // 2


def _locked_rotations(
    spectra: Complex[Tensor, "batch frame bin"], earlier_spectra: Complex[Tensor, "batch frame bin"]
) -> Complex[Tensor, "batch frame bin"]:
    """Follow R[m] = (R[m-1] U[m])[peaks of m] from R[0] = 1."""
    peaks = _nearest_peaks(spectra)
    turns = _unit(spectra[:, :-1] * earlier_spectra[:, 1:].conj())
    rotations = torch.empty_like(spectra)
    rotations[:, 0] = 1.0
    each_frame = rotations.unbind(1)
    for before, turn, peak, after in zip(
        each_frame[:-1], turns.unbind(1), peaks.unbind(1)[1:], each_frame[1:], strict=True
    ):
        torch.gather(before * turn, 1, peak, out=after)
    return rotations


def _unit(numbers: Complex[Tensor, "batch frame bin"]) -> Complex[Tensor, "batch frame bin"]:
    """Divide by the modulus; where there is nothing, in silence, one."""
    return torch.where(numbers == 0, 1.0, torch.sgn(numbers))


def _nearest_peaks(spectra: Complex[Tensor, "batch frame bin"]) -> Int64[Tensor, "batch frame bin"]:
    """For each bin the nearest peak of its frame; a peak is at least as strong as its two neighbors on each side."""
    powers = spectra.real.square() + spectra.imag.square()
    is_peak = powers == functional.max_pool1d(powers, 5, stride=1, padding=2)
    n_bins = powers.shape[-1]
    bins = torch.arange(n_bins, dtype=torch.int32, device=powers.device)
    # The latest peak up to each bin and the next one from it on; none is a peak far outside.
    left = torch.where(is_peak, bins, -n_bins).cummax(dim=-1).values
    right = torch.where(is_peak, bins, 2 * n_bins).flip(-1).cummin(dim=-1).values.flip(-1)
    return torch.where(left + right >= 2 * bins, left, right).long()
