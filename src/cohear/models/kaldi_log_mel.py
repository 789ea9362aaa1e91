"""The filter bank of Kaldi, by which AST hears; equal to that of transformers' `ASTFeatureExtractor`.

Each frame of 25 ms lies within the waveform ("snip edges"), loses its mean, is pre-emphasized by 0.97, and meets a
symmetric Hann window before zeros fill it to a power of two. Triangular filters have equal width and height one on the
scale 1127 ln(1 + f / 700). Kaldi takes natural logarithms; here they are in decibels, as everywhere.
"""

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from cohear.models.log_mel import LogMel
from cohear.models.network import Samples

DB_PER_NEPER = 10 / np.log(10)
"""Of power: what Kaldi's logarithms are multiplied by."""
_PREEMPHASIS = 0.97


class KaldiLogMel(LogMel):
    """Compute Kaldi's filter bank, in dB.

    Args, where they differ from those of `LogMel`:
        n_fft: samples of a window, > 1; of its Fourier transform the next power of two.
    """

    power_floor = 1.192092955e-07
    bands_may_be_empty = True  # of the 128 bands of AST one is, and its weights know it so

    @property
    def fft_length(self) -> int:
        """Samples of the Fourier transform of a frame."""
        return 1 << (self.n_fft - 1).bit_length()

    def frames(self, waveforms: Float64[Tensor, "*batch time"]) -> Float64[Tensor, "*batch frame sample"]:
        """Cut waveforms into frames without a mean, pre-emphasized and windowed."""
        frames = waveforms.unfold(-1, self.n_fft, self.hop_length)
        frames = frames - frames.mean(-1, keepdim=True)
        before = torch.cat((frames[..., :1], frames[..., :-1]), -1)
        return (frames - _PREEMPHASIS * before) * self.window

    def n_frames(self, n_samples: Samples) -> Samples:
        """Return how many frames a waveform of `n_samples` gives, or each of several."""
        return (n_samples - self.n_fft) // self.hop_length + 1

    def least_samples(self, n_frames: int) -> int:
        """Return the fewest samples that give so many frames."""
        return self.n_fft + (n_frames - 1) * self.hop_length

    def _make_window(self) -> Float64[Tensor, " sample"]:
        return torch.hann_window(self.n_fft, periodic=False, dtype=torch.float64)

    def _make_filters(self, f_min: float, f_max: float | None) -> Float64[np.ndarray, "band bin"]:
        top_hz = self.sample_rate / 2 if f_max is None else f_max
        lowest, highest = hz_to_mel(np.array([f_min, top_hz])).tolist()
        edges = np.linspace(lowest, highest, self.n_mels + 2)
        lower, center, upper = edges[:-2, None], edges[1:-1, None], edges[2:, None]
        bins = hz_to_mel(np.fft.rfftfreq(self.fft_length, 1 / self.sample_rate))[None, :]
        rising, falling = (bins - lower) / (center - lower), (upper - bins) / (upper - center)
        return np.maximum(0.0, np.minimum(rising, falling))


def hz_to_mel(frequencies_hz: Float64[np.ndarray, " bin"]) -> Float64[np.ndarray, " bin"]:
    """Map frequencies to Kaldi's mel scale (O'Shaughnessy, 1987).

    Example:
        >>> hz_to_mel(np.array([1000.0])).round(2)
        array([999.99])
    """
    return 1127.0 * np.log1p(frequencies_hz / 700.0)
