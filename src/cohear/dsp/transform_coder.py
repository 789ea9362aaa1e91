"""What a lossy coder leaves of a sound: fewer frequencies, coarser coefficients, holes where these round to zero.

A model of MP3, AAC and Opus at low rates and not one of them: a modified discrete cosine transform with a sine window
(Princen and Bradley, "Analysis/synthesis filter bank design based on time domain aliasing cancellation", IEEE Trans.
ASSP 34(5), 1986), a uniform quantizer in each critical band of each frame, and nothing above a bandwidth. There is no
psychoacoustic model, no entropy coding and so no bit rate.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from cohear.tensors import Waveforms, keep_tensors

_FRAME_S = 1024 / 44100  # between frames, as in AAC
_BAND_EDGES_HZ = (
    0, 100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700, 4400, 5300, 6400,
    7700, 9500, 12000, 15500,
)  # fmt: skip
"""Critical bands (Zwicker, "Subdivision of the audible frequency range", J. Acoust. Soc. Am. 33(2), 1961)."""


def code(waveforms: Waveforms, sample_rate: int, bandwidth_hz: float, band_snr_db: float) -> Waveforms:
    """Code sounds and decode them again; length and place in time stay.

    In each band of each frame the quantizer's step is such that its error, step**2 / 12, is as far below the band's
    energy as `band_snr_db` says. Below about 5 dB most coefficients round to zero, and the error is the band itself.

    Args:
        waveforms: the clips, at least one sample long.
        sample_rate: Hz, at least 8000.
        bandwidth_hz: above it nothing is kept.
        band_snr_db: what each band keeps, dB; infinite where coefficients are not to be rounded.
    """
    n = 1 << round(math.log2(_FRAME_S * sample_rate))
    basis, bands = _basis(n, sample_rate, waveforms.device)
    kept = torch.arange(n, device=waveforms.device) * (sample_rate / 2 / n) < bandwidth_hz
    step = math.sqrt(12) * 10 ** (-band_snr_db / 20)
    # A CPU takes one clip at a time: its result does not depend on its neighbors at all.
    n_at_once = 1 if waveforms.device.type == "cpu" else max(1, len(waveforms))
    with torch.autocast(waveforms.device.type, enabled=False):
        coded = [_code(clips, basis, bands, kept, step) for clips in waveforms.float().split(n_at_once)]
    return torch.cat(coded).to(waveforms.dtype)


def _code(
    clips: Waveforms,
    basis: Float[Tensor, "two_frames coefficient"],
    bands: Float[Tensor, "coefficient critical_band"],
    kept: Tensor,
    step: float,
) -> Waveforms:
    n, n_samples = basis.shape[1], clips.shape[1]
    n_after = n + -n_samples % n  # every sample lies in two frames
    coefficients = pad(clips, (n, n_after)).unfold(1, 2 * n, n) @ basis * kept
    if step > 0:
        levels = (coefficients.square() @ bands / bands.sum(0)).sqrt() @ bands.T
        steps = step * levels.clamp_min(torch.finfo(clips.dtype).tiny)
        coefficients = (coefficients / steps).round() * steps
    first, second = (coefficients @ basis.T).split(n, dim=2)
    return (first[:, 1:] + second[:, :-1]).flatten(1)[:, :n_samples]


@keep_tensors(maxsize=4)
def _basis(
    n: int, sample_rate: int, device: torch.device
) -> tuple[Float[Tensor, "two_frames coefficient"], Float[Tensor, "coefficient critical_band"]]:
    """Return the windowed cosines, an orthonormal lapped transform, and which coefficient lies in which band."""
    times, numbers = np.arange(2 * n)[:, None], np.arange(n)
    window = np.sin(np.pi / (2 * n) * (times + 0.5))
    cosines = np.cos(np.pi / n * (times + 0.5 + n / 2) * (numbers + 0.5))
    frequencies_hz = (numbers + 0.5) * sample_rate / 2 / n
    band_of = np.searchsorted(_BAND_EDGES_HZ, frequencies_hz, side="right") - 1
    bands = band_of[:, None] == np.unique(band_of)
    return (
        torch.from_numpy(math.sqrt(2 / n) * window * cosines).float().to(device),
        torch.from_numpy(bands).float().to(device),
    )
