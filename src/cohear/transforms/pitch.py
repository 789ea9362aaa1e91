"""Pitch shift: every clip higher or lower by semitones of its own, its duration kept.

Resample the clip, which changes pitch and duration together, then give it its old duration back with the phase
vocoder. In this order whatever would alias is gone before anything else happens, and the vocoder's output frames,
evenly spaced in a batch of equal length, are the same for every clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt64
from torch import Tensor

from cohear.dsp.phase_vocoder import stretch
from cohear.dsp.resample import resample
from cohear.keys import integers
from cohear.tensors import Waveforms, on_device
from cohear.transforms.contract import Parameters, Transform, check_batch, check_sample_rate

MAX_SEMITONES = 12.0
_FRAME_S = 2048 / 44100  # of the vocoder's high band
_N_FFT_BITS = (8, 14)  # from where the low band is half the rate, to where bins still have 16-bit numbers
_N_AT_ONCE = 64  # clips, on a GPU


def pitch_shift(
    waveforms: Waveforms,
    semitones: Float[Tensor, " batch"] | Float[np.ndarray, " batch"] | Sequence[float],
    sample_rate: int = 44100,
) -> Waveforms:
    """Shift the pitch of each clip by its own number of semitones and keep its length.

    float16 and bfloat16 are computed in float32. The gradient takes the vocoder's phases as constants.

    Args:
        waveforms: the clips, at least one sample long.
        semitones: in [-12, 12], any fraction; 12 doubles all frequencies, 0 changes nothing.
        sample_rate: Hz, > 0.

    Raises:
        ValueError: if the shapes do not fit, the samples are integers, or a shift is outside [-12, 12].

    Example:
        >>> time_s = torch.arange(8000) / 8000
        >>> shifted = pitch_shift(torch.sin(2 * torch.pi * 440 * time_s)[None], [12], sample_rate=8000)
        >>> int(torch.fft.rfft(shifted[0]).abs().argmax())  # Hz, since the clip is one second long
        880
    """
    shifts = torch.as_tensor(semitones, dtype=torch.float64).reshape(-1).cpu().numpy()
    check_batch(waveforms, len(shifts))
    _check(shifts, sample_rate)
    if not len(waveforms):
        return waveforms.clone()
    factors = 2.0 ** (shifts / 12.0)
    n_fft = 1 << int(np.clip(round(np.log2(_FRAME_S * sample_rate)), *_N_FFT_BITS))
    n_clips, n_samples = waveforms.shape
    # A CPU takes one clip at a time: it stays in the caches, and rounding may depend on the size of a batch, so this
    # way a clip's result does not depend on its neighbors at all.
    n_at_once = 1 if waveforms.device.type == "cpu" else _N_AT_ONCE
    exact = waveforms.to(torch.promote_types(waveforms.dtype, torch.float32))
    with torch.autocast(waveforms.device.type, enabled=False):
        shifted = [
            stretch(resample(exact[rows], factors[rows]), factors[rows], n_samples, n_fft)
            for rows in (slice(start, start + n_at_once) for start in range(0, n_clips, n_at_once))
        ]
    unchanged = on_device(factors == 1.0, waveforms.device)
    return torch.where(unchanged[:, None], waveforms, torch.cat(shifted).to(waveforms.dtype))


def _check(shifts: np.ndarray, sample_rate: int) -> None:
    for shift in shifts[~(np.abs(shifts) <= MAX_SEMITONES)]:
        raise ValueError(f"a pitch shift of {shift:g} semitones: give numbers from -12 to 12")
    check_sample_rate(sample_rate)


@dataclass(frozen=True, eq=False)
class PitchShiftParameters(Parameters):
    """One shift per clip."""

    semitones: Float[np.ndarray, " batch"]
    """Pitch shift, semitones, in [-12, 12]."""

    def describe(self) -> list[str]:
        """Say `pitch +1.5 semitones`."""
        return [f"pitch {shift:+g} semitones" for shift in self.semitones]


@dataclass(frozen=True)
class PitchShift(Transform[PitchShiftParameters]):
    """Shift each clip by one of some numbers of semitones, all equally probable.

    The default are the ten shifts of Iqbal et al. 2021, section 3.1.
    """

    semitones: tuple[float, ...] = (-2.5, -2.0, -1.5, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0, 2.5)
    """The shifts to choose from, semitones, in [-12, 12]."""
    sample_rate: int = 44100
    """Hz, > 0."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "semitones", tuple(float(shift) for shift in self.semitones))
        if not self.semitones:
            raise ValueError("no pitch shift to choose from: give at least one number of semitones")
        _check(np.array(self.semitones, float), self.sample_rate)

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> PitchShiftParameters:
        """Choose one shift per key."""
        chosen = integers(keys, 1, len(self.semitones))[:, 0]
        return PitchShiftParameters(semitones=np.array(self.semitones, float)[chosen])

    def apply(self, batch: Waveforms, parameters: PitchShiftParameters) -> Waveforms:
        """Shift each clip by its parameter."""
        return pitch_shift(batch, parameters.semitones, self.sample_rate)

    @property
    def variants(self) -> tuple[str, ...]:
        """Name each shift."""
        return tuple(map(_name, self.semitones))

    def variants_of(self, parameters: PitchShiftParameters) -> list[str | None]:
        """Name the shift of each clip."""
        return list(map(_name, parameters.semitones))


def _name(semitones: float) -> str:
    return f"pitch {float(semitones)!r}"
