"""Eleven ways in which recordings differ from the clips a classifier was trained on, each in five severities.

After Hendrycks and Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations", ICLR
2019, for sounds. A corruption is a function of waveforms, clip keys and severity alone: every run hears the same noise
in the same clip, and a clip's noise, room, gaps and directions stay the same from one severity to the next, so that a
higher one is the same damage, only more of it. Rooms and pitch are what `combination` makes views of, but other rooms,
and beyond its range; it makes none of the others.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt64

from cohear import keys
from cohear.dsp.noise import Color
from cohear.dsp.transform_coder import code
from cohear.tensors import Waveforms, on_device
from cohear.transforms import AddNoise, Clipping, Gain, HighPass, LowPass, Reverb, TimeShift, pitch_shift
from cohear.transforms.filters import HighPassParameters, LowPassParameters
from cohear.transforms.level import ClippingParameters, GainParameters
from cohear.transforms.noise import AddNoiseParameters
from cohear.transforms.reverb import ReverbParameters
from cohear.transforms.time_shift import TimeShiftParameters

SEVERITIES = (1, 2, 3, 4, 5)
GAP_S = 0.05
"""Seconds of a dropout."""
N_ROOMS = 20
"""Rooms of each reverberation time."""
TRAINED_KINDS = ("rooms", "pitch")
"""What views of `combination` are like."""

_SEED = keys.hash_text("corruptions")
_CODED_BAND_SNR_DB = {12000.0: 15.0, 8000.0: 12.0, 6000.0: 9.0, 4000.0: 6.0, 3000.0: 3.0}
"""By bandwidth, Hz."""

Change = Callable[[Waveforms, UInt64[np.ndarray, " batch"], float, int], Waveforms]
"""Of waveforms, keys, level and sample rate."""


@dataclass(frozen=True)
class Corruption:
    """One kind of damage."""

    name: str
    unit: str
    """What the levels are."""
    levels: tuple[float, float, float, float, float]
    """Of severities 1 to 5."""
    change: Change

    def apply(
        self, waveforms: Waveforms, clip_keys: UInt64[np.ndarray, " batch"], severity: int, sample_rate: int
    ) -> Waveforms:
        """Return the corrupted clips, same shape; the input is not modified.

        Args:
            waveforms: in [-1, 1].
            clip_keys: one per clip, made from the clip's identity.
            severity: 1 to 5.
            sample_rate: Hz, at least 8000.
        """
        own_keys = keys.fold_in(keys.key(_SEED, self.name), clip_keys)
        return self.change(waveforms, own_keys, self.levels[severity - 1], sample_rate)

    def describe(self, severity: int) -> str:
        """Say `white noise, 20 dB SNR`."""
        return f"{self.name}, {self.levels[severity - 1]:g} {self.unit}"


def _noise(color: Color) -> Change:
    def add(waveforms: Waveforms, own_keys: np.ndarray, snr_db: float, sample_rate: int) -> Waveforms:
        parameters = AddNoiseParameters(_every(snr_db, own_keys), own_keys, np.full(len(own_keys), color))
        return AddNoise((snr_db, snr_db), color, sample_rate).apply(waveforms, parameters)

    return add


def _room(waveforms: Waveforms, own_keys: np.ndarray, rt60_s: float, sample_rate: int) -> Waveforms:
    rooms = Reverb(N_ROOMS, (rt60_s, rt60_s), sample_rate, seed=_SEED)
    chosen = keys.integers(own_keys, 1, N_ROOMS)[:, 0]
    return rooms.apply(waveforms, ReverbParameters(chosen, _every(rt60_s, own_keys)))


def _low_pass(waveforms: Waveforms, own_keys: np.ndarray, cutoff_hz: float, sample_rate: int) -> Waveforms:
    if cutoff_hz >= sample_rate / 2:  # there is nothing above it
        return waveforms.clone()
    transform = LowPass((cutoff_hz, cutoff_hz), sample_rate)
    return transform.apply(waveforms, LowPassParameters(_every(cutoff_hz, own_keys)))


def _high_pass(waveforms: Waveforms, own_keys: np.ndarray, cutoff_hz: float, sample_rate: int) -> Waveforms:
    transform = HighPass((cutoff_hz, cutoff_hz), sample_rate)
    return transform.apply(waveforms, HighPassParameters(_every(cutoff_hz, own_keys)))


def _clip(waveforms: Waveforms, own_keys: np.ndarray, depth_db: float, _sample_rate: int) -> Waveforms:
    return Clipping().apply(waveforms, ClippingParameters(_every(-depth_db, own_keys)))


def _attenuate(waveforms: Waveforms, own_keys: np.ndarray, attenuation_db: float, _sample_rate: int) -> Waveforms:
    return Gain().apply(waveforms, GainParameters(_every(-attenuation_db, own_keys)))


def _code(waveforms: Waveforms, _own_keys: np.ndarray, bandwidth_hz: float, sample_rate: int) -> Waveforms:
    return code(waveforms, sample_rate, bandwidth_hz, _CODED_BAND_SNR_DB[bandwidth_hz])


def _shift_time(waveforms: Waveforms, own_keys: np.ndarray, percent: float, sample_rate: int) -> Waveforms:
    """Move by a share of the clip; what leaves at one end comes in at the other, so that no sound is lost."""
    n_samples = round(percent / 100 * waveforms.shape[1])
    shifts_s = _signs(own_keys) * n_samples / sample_rate
    transform = TimeShift(max(n_samples, 1) / sample_rate, sample_rate, fill="wrap")
    return transform.apply(waveforms, TimeShiftParameters(shifts_s))


def _drop_out(waveforms: Waveforms, own_keys: np.ndarray, percent: float, sample_rate: int) -> Waveforms:
    gaps = on_device(_gaps(own_keys, percent / 100, waveforms.shape[1], round(GAP_S * sample_rate)), waveforms.device)
    return waveforms.masked_fill(gaps, 0.0)


def _gaps(own_keys: np.ndarray, share: float, n_samples: int, n_gap: int) -> Bool[np.ndarray, "batch time"]:
    """Mark what is lost: of the clip's stretches, in an order of each key's own, the first ones."""
    n_stretches = -(-n_samples // n_gap)
    ranks = keys.random_bits(own_keys, n_stretches).argsort(axis=1).argsort(axis=1)
    return np.repeat(ranks < round(share * n_stretches), n_gap, axis=1)[:, :n_samples]


def _shift_pitch(waveforms: Waveforms, own_keys: np.ndarray, semitones: float, sample_rate: int) -> Waveforms:
    return pitch_shift(waveforms, semitones * _signs(own_keys), sample_rate)


def _every(level: float, own_keys: np.ndarray) -> np.ndarray:
    return np.full(len(own_keys), level)


def _signs(own_keys: np.ndarray) -> np.ndarray:
    """Choose up or down, later or earlier, each as likely."""
    return np.where(keys.uniform(own_keys, 1)[:, 0] < 0.5, -1.0, 1.0)


CORRUPTIONS: tuple[Corruption, ...] = (
    Corruption("white noise", "dB SNR", (30.0, 20.0, 10.0, 5.0, 0.0), _noise("white")),
    Corruption("pink noise", "dB SNR", (30.0, 20.0, 10.0, 5.0, 0.0), _noise("pink")),
    Corruption("rooms", "s RT60", (0.3, 0.6, 1.2, 2.0, 3.0), _room),
    Corruption("low-pass", "Hz", (8000.0, 4000.0, 2000.0, 1000.0, 500.0), _low_pass),
    Corruption("high-pass", "Hz", (125.0, 250.0, 500.0, 1000.0, 2000.0), _high_pass),
    Corruption("clipping", "dB below the peak", (6.0, 12.0, 18.0, 24.0, 30.0), _clip),
    Corruption("attenuation", "dB", (6.0, 12.0, 20.0, 30.0, 40.0), _attenuate),
    Corruption("coding", "Hz bandwidth", (12000.0, 8000.0, 6000.0, 4000.0, 3000.0), _code),
    Corruption("time shift", "% of the clip", (5.0, 10.0, 20.0, 30.0, 40.0), _shift_time),
    Corruption("dropouts", "% of the clip", (5.0, 10.0, 20.0, 35.0, 50.0), _drop_out),
    Corruption("pitch", "semitones", (0.5, 1.0, 2.0, 3.0, 4.0), _shift_pitch),
)
"""The suite; severities are of the table, not fitted to any classifier."""
