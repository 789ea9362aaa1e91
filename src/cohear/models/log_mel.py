"""The front end: waveforms to log-mel spectrograms, equal to librosa's.

A Hann window, a centered short-time Fourier transform with zeros beyond the clip, the power spectrum, triangular
mel filters on Slaney's scale with unit area, and decibels. The same as `librosa.power_to_db` of
`librosa.feature.melspectrogram(..., pad_mode="constant")` with `top_db=None`, edges included.
"""

import numpy as np
import torch
from jaxtyping import Float, Float64, Int16
from torch import Tensor, nn

from cohear.errors import UserError
from cohear.models.network import Samples
from cohear.tensors import on_device

POWER_FLOOR = 1e-10
"""Powers below it read as -100 dB; without a floor, silence would be minus infinity."""


STEPS_PER_DB = 100
"""Of a spectrogram that is kept; 16 bits reach from -327.68 to 327.67 dB."""

_BANDS_AT_ONCE = 16


class LogMel(nn.Module):
    """Compute log-mel spectrograms.

    It has no trainable parameters and nothing in its state dict. `KaldiLogMel` is another, by another window, other
    filters and another floor.

    Args:
        sample_rate: Hz, > 0.
        n_fft: samples of a window and of its Fourier transform, > 0.
        hop_length: samples between frames, > 0.
        n_mels: bands, > 0.
        f_min: Hz, lower edge of the lowest band, 0 <= f_min < f_max.
        f_max: Hz, upper edge of the highest band, at most half the sample rate; None is that.

    Raises:
        UserError: where the edges are out of range, or a band holds no frequency bin and would always read
            silence.
    """

    window: Tensor
    filters: Tensor
    single_filters: Tensor
    power_floor = POWER_FLOOR
    bands_may_be_empty = False
    """Whether a band may hold no frequency bin."""

    def __init__(
        self,
        sample_rate: int = 44100,
        n_fft: int = 1024,
        hop_length: int = 600,
        n_mels: int = 128,
        f_min: float = 0.0,
        f_max: float | None = None,
    ) -> None:
        super().__init__()
        top_hz = sample_rate / 2 if f_max is None else f_max
        if not 0 <= f_min < top_hz <= sample_rate / 2:
            raise UserError(
                f"mel bands from {f_min:g} to {top_hz:g} Hz cannot be made at a sample rate of {sample_rate} Hz; "
                f"choose 0 <= f_min < f_max <= {sample_rate / 2:g}"
            )
        self.sample_rate, self.n_fft, self.hop_length, self.n_mels = sample_rate, n_fft, hop_length, n_mels
        filters_MF = self._make_filters(f_min, f_max)
        empty = np.flatnonzero(filters_MF.sum(1) == 0)
        if len(empty) and not self.bands_may_be_empty:
            raise UserError(
                f"{len(empty)} of {n_mels} mel bands hold no frequency bin (the first is band {empty[0]}) at "
                f"{sample_rate} Hz with n_fft {n_fft}; use fewer bands or a larger n_fft"
            )
        # Filters are narrow, so most of a product with all of them would be with zeros. Some bands at a time and the
        # bins that they reach are a third of the work.
        groups = [slice(first, first + _BANDS_AT_ONCE) for first in range(0, n_mels, _BANDS_AT_ONCE)]
        self._groups = [(bands, _reached(filters_MF[bands])) for bands in groups]
        self.register_buffer("window", self._make_window(), persistent=False)
        self.register_buffer("filters", torch.from_numpy(filters_MF), persistent=False)
        self.register_buffer("single_filters", torch.from_numpy(filters_MF).float(), persistent=False)

    def forward(self, waveforms: Float[Tensor, "*batch time"]) -> Float[Tensor, "*batch band frame"]:
        """Return dB, at least those of `power_floor`; float64 for float64 input, else float32."""
        with torch.autocast(waveforms.device.type, enabled=False):
            flat = waveforms.reshape(-1, waveforms.shape[-1])
            if flat.device.type == "cpu" and len(flat):  # one clip at a time stays in the cache: twice as fast
                log_mel = torch.stack([self._log_mel(clip) for clip in flat])
            else:
                log_mel = self._log_mel(flat)
        return log_mel.reshape(*waveforms.shape[:-1], *log_mel.shape[-2:])

    def _log_mel(self, waveforms: Float[Tensor, "*batch time"]) -> Float[Tensor, "*batch band frame"]:
        """Transform in float64: in float32, rounding errors of a loud tone's FFT are 0.4 dB of its quiet bands.

        Frames are float64 before they meet the window, since a product of mixed types is ten times as slow.
        """
        dtype = torch.float64 if waveforms.dtype == torch.float64 else torch.float32
        spectrum = torch.fft.rfft(self.frames(waveforms.to(torch.float64)), self.fft_length).to(dtype.to_complex())
        power = spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag).mT
        filters = self.filters if dtype == torch.float64 else self.single_filters
        mel_power = torch.cat([filters[bands, bins] @ power[..., bins, :] for bands, bins in self._groups], dim=-2)
        return mel_power.clamp(min=self.power_floor).log10() * 10.0

    def frames(self, waveforms: Float64[Tensor, "*batch time"]) -> Float64[Tensor, "*batch frame sample"]:
        """Cut waveforms into windowed frames."""
        half, n_frames = self.n_fft // 2, 1 + waveforms.shape[-1] // self.hop_length
        padded = torch.nn.functional.pad(waveforms, (half, self.n_fft - half))
        return padded.unfold(-1, self.n_fft, self.hop_length)[..., :n_frames, :] * self.window

    @property
    def fft_length(self) -> int:
        """Samples of the Fourier transform of a frame."""
        return self.n_fft

    def _make_window(self) -> Float64[Tensor, " sample"]:
        return torch.hann_window(self.n_fft, dtype=torch.float64)

    def _make_filters(self, f_min: float, f_max: float | None) -> Float64[np.ndarray, "band bin"]:
        return mel_filters(self.sample_rate, self.n_fft, self.n_mels, f_min, f_max)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.window.device

    @property
    def n_bands(self) -> int:
        """Rows of what it gives."""
        return self.n_mels

    def n_frames(self, n_samples: Samples) -> Samples:
        """Return how many frames a waveform of `n_samples` gives, or each of several."""
        return 1 + n_samples // self.hop_length

    def least_samples(self, n_frames: int) -> int:
        """Return the fewest samples that give so many frames."""
        return (n_frames - 1) * self.hop_length

    def to_kept(self, inputs: Float[Tensor, "*axes"]) -> Int16[np.ndarray, "*axes"]:
        """Round to steps of 0.01 dB."""
        limits = torch.iinfo(torch.int16)
        steps = (inputs.float() * STEPS_PER_DB).round().clamp(limits.min, limits.max)
        return steps.to(torch.int16).cpu().numpy()

    def from_kept(self, kept: Int16[np.ndarray, "*axes"]) -> Float[Tensor, "*axes"]:
        """Return what `to_kept` rounded, on the device."""
        return on_device(kept, self.device).float() / STEPS_PER_DB


def mel_filters(
    sample_rate: int, n_fft: int, n_mels: int, f_min: float = 0.0, f_max: float | None = None
) -> Float[np.ndarray, "band bin"]:
    """Make triangular filters of unit area on Slaney's mel scale (Auditory Toolbox, 1998).

    Each filter rises from the center of its lower neighbor to its own and falls to that of its upper neighbor;
    its height 2 / (upper - lower) makes its area one, so white noise gives every band the same density.

    Args:
        sample_rate: Hz.
        n_fft: samples of the Fourier transform; `bin` = 1 + n_fft // 2.
        n_mels: bands.
        f_min: Hz.
        f_max: Hz; None is half the sample rate.
    """
    top_hz = sample_rate / 2 if f_max is None else f_max
    edges_hz = mel_to_hz(np.linspace(hz_to_mel(f_min), hz_to_mel(top_hz), n_mels + 2))
    lower, center, upper = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    bins_hz = np.fft.rfftfreq(n_fft, 1 / sample_rate)[None, :]
    rising, falling = (bins_hz - lower) / (center - lower), (upper - bins_hz) / (upper - center)
    return np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (upper - lower)


def _reached(filters_MF: Float[np.ndarray, "band bin"]) -> slice:
    """Return the bins from the first to the last that some filter weighs."""
    bins = np.flatnonzero(filters_MF.any(axis=0))
    if not len(bins):
        return slice(0, 0)
    return slice(int(bins[0]), int(bins[-1]) + 1)


# Slaney's scale is linear below 1 kHz (3 mel per 200 Hz) and logarithmic above (27 mel per factor of 6.4).
_HZ_PER_MEL, _BREAK_HZ, _LOG_STEP = 200.0 / 3.0, 1000.0, np.log(6.4) / 27.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL


def hz_to_mel(frequency_hz: float) -> float:
    """Map a frequency to Slaney's mel scale.

    Example:
        >>> round(hz_to_mel(1000.0), 6)
        15.0
    """
    if frequency_hz < _BREAK_HZ:
        return frequency_hz / _HZ_PER_MEL
    return float(_BREAK_MEL + np.log(frequency_hz / _BREAK_HZ) / _LOG_STEP)


def mel_to_hz(mels: Float[np.ndarray, " band"]) -> Float[np.ndarray, " band"]:
    """Map Slaney's mel scale to frequencies in Hz, the inverse of `hz_to_mel`."""
    return np.where(mels < _BREAK_MEL, mels * _HZ_PER_MEL, _BREAK_HZ * np.exp(_LOG_STEP * (mels - _BREAK_MEL)))
