"""A phase vocoder in two bands, every clip of a batch stretched by a factor of its own.

Frames are taken from the input every hop / factor samples and laid down every hop samples, their phases turned so
that partials go on smoothly (`phase_locking`). Two pairs of wishes pull against each other.

*Low notes against clicks.* Frames must be long to tell low notes apart and short to keep a click a click. So there
are two frame lengths. Below a crossover, at 44.1 kHz from 517 to 689 Hz, frames last 186 ms, in which notes 25 Hz
apart are two peaks; a click has three hundredths of its energy there. Above, frames last 46 ms: notes closer than
100 Hz beat there as one, and a vibrato is followed.

*Clean tones against loud noise.* Frames that overlap many times average out errors, and with them everything whose
phases do not agree from frame to frame: noise loses up to 3 dB. So frames are analyzed through a
long window and resynthesized through a short one, of two hops: each sample comes from two frames only, which also
keeps a click within a hop of its place; and the crossfade between the two keeps the level (`crossfade`).

The windows of analysis are cos^3: ten bins from a partial they are 85 dB down, where a Hann window (cos^2) leaves 70.
A synthesis window is the wanted sum-to-one window divided by the analysis window. At 44.1 kHz a high-band frame has
2048 samples, and a hop 768.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float, Int64
from torch import Tensor
from torch.nn import functional

from cohear.dsp.phase_locking import PhaseLock
from cohear.dsp.two_bands import CROSSOVER, below_crossover, decimate, interpolate, join
from cohear.tensors import keep_tensors, on_device

LOW_FRAME = 512
"""Samples of a low-band frame at the low rate: four high-band frames."""
_RATIO = 4  # low-band frame over high-band frame
_LOW_HOP = 48
_N_SHARED = round(CROSSOVER[1] * LOW_FRAME / _RATIO)  # high-band bins below the end of the crossover
_N_LOW = _N_SHARED * _RATIO + 32  # low-band bins that are looked at, some beyond the crossover
_N_AT_ONCE = 128  # frames; keeps what is needed at a time small, however long the clip


def stretch(
    waveforms: Float[Tensor, "batch time"],
    factors: Float[np.ndarray, " batch"],
    n_samples: int,
    n_fft: int = 2048,
) -> Float[Tensor, "batch {n_samples}"]:
    """Make each clip `factor` times as long and keep its pitch.

    The gradient takes rotations and crossfade gains as constants: with these, the output is linear in the input.

    Args:
        waveforms: the signals; time before and after them is silent.
        factors: above 1 is slower; 0 < factor.
        n_samples: samples to return of every clip, from its beginning.
        n_fft: length of a high-band frame, samples, a multiple of 256; 2048 is 46 ms at 44.1 kHz.
    """
    decimation = _RATIO * n_fft // LOW_FRAME
    windows = _windows(n_fft, waveforms.dtype, waveforms.device)
    hop_length = _LOW_HOP * decimation
    centers = _frame_centers(factors, n_samples, hop_length, decimation)
    # Room for half a frame, and X' a hop earlier, before the first frame; in whole low-rate samples, like the centers.
    n_before = LOW_FRAME * decimation + hop_length - int(centers.min(initial=0))
    n_after = LOW_FRAME * decimation + max(0, int(centers.max(initial=0)) - waveforms.shape[1])
    n_after += -(n_before + waveforms.shape[1] + n_after) % decimation
    padded = functional.pad(waveforms, (n_before, n_after))
    low = decimate(padded, decimation)
    high = padded - interpolate(below_crossover(low), decimation)

    like = waveforms.new_empty(0).to(waveforms.dtype.to_complex())
    lock = PhaseLock(len(waveforms), _N_LOW, n_fft // 2 + 1, _N_SHARED, _RATIO, like)
    before = np.full_like(centers[:, :1], LOW_FRAME * decimation // 2 - n_before)  # a frame of silence
    high_frames, low_frames = [], []
    for first in range(0, centers.shape[1], _N_AT_ONCE):
        now = centers[:, first : first + _N_AT_ONCE]
        wanted = np.concatenate((before, now, now - hop_length), axis=1) + n_before
        before = now[:, -1:]
        low_spectra = torch.fft.rfft(_frames(low, wanted // decimation, LOW_FRAME, 1) * windows.low)[..., :_N_LOW]
        high_spectra = torch.fft.rfft(_frames(high, wanted, n_fft, decimation) * windows.high)
        low_rotations, high_rotations = lock.advance(low_spectra.detach(), high_spectra.detach())
        turned = slice(1, 1 + now.shape[1])
        low_frames.append(_resynthesize(low_spectra[:, turned] * low_rotations, windows.low_synthesis, LOW_FRAME))
        high_frames.append(_resynthesize(high_spectra[:, turned] * high_rotations, windows.high_synthesis, n_fft))

    stretched = join(crossfade(torch.cat(low_frames, 1)), crossfade(torch.cat(high_frames, 1)), decimation)
    return stretched[:, hop_length : hop_length + n_samples]  # frame 0 is centered a hop before the first sample


def _frame_centers(
    factors: Float[np.ndarray, " batch"], n_samples: int, hop_length: int, decimation: int
) -> Int64[np.ndarray, "batch frame"]:
    """Input samples on which frames are centered whose output stands at -hop, 0, hop, ...; whole low-rate samples."""
    places = hop_length * np.arange(-1, (n_samples - 1) // hop_length + 2)
    return np.rint(places / factors[:, None] / decimation).astype(np.int64) * decimation


def _frames(
    waveforms: Float[Tensor, "batch time"], centers: Int64[np.ndarray, "batch frame"], n_fft: int, step: int
) -> Float[Tensor, "batch frame {n_fft}"]:
    """Cut frames around the given samples, each clip at its own; time, centers and half a frame are multiples of step.

    Whole steps are copied, which is many times as fast as single samples, forward and backward.
    """
    n_clips, n_samples = waveforms.shape
    first = (centers - n_fft // 2 + n_samples * np.arange(n_clips)[:, None]) // step
    device = waveforms.device
    steps = on_device(first, device)[..., None] + torch.arange(n_fft // step, device=device)
    return waveforms.view(-1, step).index_select(0, steps.flatten()).view(*centers.shape, n_fft)


def _resynthesize(
    spectra: Complex[Tensor, "batch frame bin"], window: Float[Tensor, " fade"], n_fft: int
) -> Float[Tensor, "batch frame fade"]:
    """Transform back, bins above the given ones being zero, and keep the middle under the window."""
    first = (n_fft - len(window)) // 2
    return torch.fft.irfft(spectra, n_fft)[..., first : first + len(window)] * window


@dataclass(frozen=True, eq=False)
class _Windows:
    high: Float[Tensor, " n_fft"]
    low: Float[Tensor, " low_n_fft"]
    high_synthesis: Float[Tensor, " two_hops"]
    low_synthesis: Float[Tensor, " two_low_hops"]


@keep_tensors(maxsize=16)
def _windows(n_fft: int, dtype: torch.dtype, device: torch.device) -> _Windows:
    hop_length = _LOW_HOP * _RATIO * n_fft // LOW_FRAME
    # The low band's spectra are scaled to the units of the high band's, whose frames have more samples.
    high, low = _cosine_window(n_fft, 3), _cosine_window(LOW_FRAME, 3) * (n_fft / LOW_FRAME)
    synthesis = [fade_window(hop) / _middle(window, 2 * hop) for window, hop in ((high, hop_length), (low, _LOW_HOP))]
    return _Windows(*(window.to(device, dtype) for window in (high, low, *synthesis)))


def _cosine_window(n: int, power: int) -> Float[Tensor, " {n}"]:
    """Return cos(pi t / n) ** power, t = -n/2 ... n/2 - 1."""
    return torch.sin(torch.pi * torch.arange(n, dtype=torch.float64) / n) ** power


def _middle(window: Float[Tensor, " time"], n: int) -> Float[Tensor, " {n}"]:
    first = (len(window) - n) // 2
    return window[first : first + n]


def fade_window(hop_length: int) -> Float[Tensor, " {2*hop_length}"]:
    """Return the weights of a frame of two hops: in over the first, out over the second (Hann), float64."""
    return torch.hann_window(2 * hop_length, dtype=torch.float64)


@keep_tensors(maxsize=16)
def _fades(
    hop_length: int, dtype: torch.dtype, device: torch.device
) -> tuple[Float[Tensor, " {hop_length}"], Float[Tensor, " {hop_length}"]]:
    fade_in, fade_out = fade_window(hop_length).to(device, dtype).split(hop_length)
    return fade_in, fade_out


def crossfade(frames: Float[Tensor, "batch frame two_hops"]) -> Float[Tensor, "batch time"]:
    """Join frames that have been multiplied by `fade_window`, each a hop after the last, and keep the level.

    Where a signal u fades out with the weight h and v fades in with 1 - h, and both have the power s^2 and the
    correlation r, their sum has the power

        (h^2 + (1 - h)^2 + 2 r h (1 - h)) s^2.

    For equal signals, r = 1, that is s^2 all the way. For unrelated ones it sinks to half of it, 3 dB, in the middle:
    this is how a phase vocoder loses the level of noise, whose frames agree only in part. Divided by the root of the
    bracket the sum has the power s^2 for any r. The correlation is measured over each crossfade (Fink, Holters and
    Zoelzer, "Signal-matched power-complementary cross-fading and dry-wet mixing", DAFx 2016).

    The gradient takes the correlations as constants.

    Args:
        frames: at least two.

    Returns:
        The signal from the middle of the first frame to the middle of the last.
    """
    hop_length = frames.shape[-1] // 2
    fade_in, fade_out = _fades(hop_length, frames.dtype, frames.device)
    leaving, coming = frames[:, :-1, hop_length:], frames[:, 1:, :hop_length]
    with torch.no_grad():
        # leaving = h u and coming = (1 - h) v; all three sums are weighted by h (1 - h). Where a weight is zero so is
        # the product: the first sample of each fade.
        agreement = (leaving * coming).sum(-1)
        power_leaving = (leaving.square() * (fade_in / fade_out)).sum(-1)
        power_coming = (coming.square()[..., 1:] * (fade_out / fade_in)[1:]).sum(-1)
        smallest = torch.finfo(frames.dtype).tiny
        correlations = (agreement / (power_leaving * power_coming).sqrt().clamp(min=smallest)).clamp(0.0, 1.0)
        both = 2.0 * fade_in * fade_out
        gains = (fade_in.square() + fade_out.square() + correlations[..., None] * both).rsqrt()
    return ((leaving + coming) * gains).flatten(1)
