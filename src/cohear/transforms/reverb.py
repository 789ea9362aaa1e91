"""Reverb: every clip as it sounds in a room, by convolution with an impulse response of its own.

The largest sample of a response is the direct sound and becomes time zero, so that no clip is delayed; what a
measured response holds before it is kept, and falls before the sound. By default the clip leaves with the energy with
which it came, so that loudness tells nothing about the room.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int64, Shaped, UInt64
from torch import Tensor

from cohear.dsp.response_bank import ResponseBank
from cohear.dsp.rooms import check_rooms, room_responses, room_targets
from cohear.dsp.spectral import convolve
from cohear.keys import integers
from cohear.tensors import Waveforms, keep_tensors, on_device
from cohear.transforms.contract import Parameters, Transform, check_batch, check_sample_rate

Level = Literal["energy", "none"]
_N_AT_ONCE = 64  # clips, on a GPU: 8 MB each at 5 s


def reverberate(waveforms: Waveforms, responses: Float[Tensor, "batch tap"], level: Level = "energy") -> Waveforms:
    """Convolve each clip with its own response and keep its length and place in time.

    float16 and bfloat16 are computed in float32.

    Args:
        waveforms: the clips, at least one sample long.
        responses: one impulse response per clip, of the clips' sample rate; the largest sample is time zero.
        level: "energy" gives each output the RMS of its input, "none" leaves what the convolution gives.

    Raises:
        ValueError: if the shapes do not fit, the samples are integers, or `level` is neither of the two.

    Example:
        >>> echo = torch.tensor([[0.0, 1.0, 0.0, 0.5]])
        >>> reverberate(torch.tensor([[1.0, 0.0, 0.0, 0.0]]), echo, level="none").abs().round(decimals=4)
        tensor([[1.0000, 0.0000, 0.5000, 0.0000]])
    """
    check_batch(waveforms, len(responses))
    if responses.ndim != 2 or not responses.shape[1]:
        raise ValueError(f"responses of shape {tuple(responses.shape)}: give [B, R] with R at least 1")
    if level not in ("energy", "none"):
        raise ValueError(f"level {level!r}: give 'energy' or 'none'")
    return _reverberate(waveforms, *_aligned(responses), level)


def _aligned(responses: Float[Tensor, "batch tap"]) -> tuple[Float[Tensor, "batch aligned_tap"], int]:
    """Put the largest samples of all responses onto one tap, and return it too."""
    direct = responses.abs().argmax(dim=1, keepdim=True)
    if not direct.any():
        return responses, 0
    n_before = int(direct.max())
    taps = torch.arange(responses.shape[1], device=responses.device) + n_before - direct
    aligned = responses.new_zeros(len(responses), responses.shape[1] + n_before)
    return aligned.scatter(1, taps, responses), n_before


def _reverberate(waveforms: Waveforms, responses: Float[Tensor, "batch tap"], n_before: int, level: Level) -> Waveforms:
    exact = waveforms.to(torch.promote_types(waveforms.dtype, torch.float32))
    responses = responses.to(exact.dtype)
    if not len(exact):
        return waveforms.clone()
    # A CPU takes one clip at a time: it stays in the cache, and does not depend on its neighbors at all.
    n_at_once = 1 if exact.device.type == "cpu" else _N_AT_ONCE
    parts = zip(exact.split(n_at_once), responses.split(n_at_once), strict=True)
    with torch.autocast(exact.device.type, enabled=False):
        reverberant = [_at_level(convolve(clips, taps, n_before), clips, level) for clips, taps in parts]
    return torch.cat(reverberant).to(waveforms.dtype)


def _at_level(reverberant: Waveforms, clean: Waveforms, level: Level) -> Waveforms:
    if level == "none":
        return reverberant
    # The smallest normal number keeps silence silent and its gradient finite.
    smallest = torch.finfo(clean.dtype).tiny
    energies, new_energies = (torch.linalg.vecdot(signal, signal)[:, None] for signal in (clean, reverberant))
    new_energies = torch.where(new_energies > 0, new_energies, 1.0)  # a silent response leaves silence
    return reverberant * ((energies + smallest) / new_energies).sqrt()


@dataclass(frozen=True, eq=False)
class ReverbParameters(Parameters):
    """One room per clip."""

    response: Int64[np.ndarray, " batch"]
    """Row of the bank."""
    rt60_s: Float[np.ndarray, " batch"]
    """The room's reverberation time, seconds; it follows from `response`."""

    def describe(self) -> list[str]:
        """Say `room 137 (RT60 0.62 s)`."""
        return [f"room {r} (RT60 {t:.2f} s)" for r, t in zip(self.response, self.rt60_s, strict=True)]


@dataclass(frozen=True, eq=False)
class NamedReverbParameters(ReverbParameters):
    """One response of a given bank per clip; its reverberation time is measured, nan where it has none."""

    name: Shaped[np.ndarray, " batch"]
    """What the bank calls the response, text; it follows from `response`."""

    def describe(self) -> list[str]:
        """Say `response church.wav (RT60 1.9 s)`: two digits are what a measurement is good for."""
        times = ["" if np.isnan(time_s) else f" (RT60 {time_s:.2g} s)" for time_s in self.rt60_s]
        return [f"response {name}{time}" for name, time in zip(self.name, times, strict=True)]


@dataclass(frozen=True)
class Reverb(Transform[ReverbParameters]):
    """Put each clip into one of the rooms of a bank, all equally probable.

    Without a `bank` its rooms are made up when they are first needed and kept, once for all transforms of the same
    configuration. The default is that of Iqbal et al. 2021, section 3.1: 500 responses with reverberation times from
    0.2 to 1.0 s.

    Raises:
        ValueError: if no rooms can be made up as configured, or the bank has another sample rate.
    """

    n_rooms: int = 500
    """Number of made-up rooms, >= 1."""
    rt60_s: tuple[float, float] = (0.2, 1.0)
    """Shortest and longest reverberation time of made-up rooms, seconds."""
    sample_rate: int = 44100
    """Hz, at least 8000 for made-up rooms; that of the clips and of the bank."""
    seed: int = 0
    """Of the made-up rooms, not of the choice among them."""
    bank: ResponseBank | None = None
    """Responses to choose from instead; number, range and seed of made-up rooms are not used then."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bank is None:
            check_rooms(self.n_rooms, self.rt60_s, self.sample_rate)
        else:
            check_sample_rate(self.sample_rate, self.bank.sample_rate)

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> ReverbParameters:
        """Choose one room per key."""
        if self.bank is not None:
            response = integers(keys, 1, len(self.bank))[:, 0]
            return NamedReverbParameters(
                response=response, rt60_s=self.bank.rt60_s[response], name=np.array(self.bank.names)[response]
            )
        response = integers(keys, 1, self.n_rooms)[:, 0]
        rt60_s = room_targets(self.n_rooms, self.rt60_s, self.seed)[response]
        return ReverbParameters(response=response, rt60_s=rt60_s)

    def apply(self, batch: Waveforms, parameters: ReverbParameters) -> Waveforms:
        """Convolve each clip with the response of its room."""
        check_batch(batch, len(parameters))
        bank, n_before = _aligned_bank(self, batch.device)
        responses = bank[on_device(parameters.response, batch.device)]
        return _reverberate(batch, responses, n_before, "energy")

    def content_hash(self) -> str | None:
        """Identify the bank that was given; made-up rooms follow from the configuration."""
        return None if self.bank is None else self.bank.fingerprint


@keep_tensors(maxsize=8)
def _aligned_bank(reverb: Reverb, device: torch.device) -> tuple[Float[Tensor, "response tap"], int]:
    """Keep the bank on the device, aligned once, so that no step waits for the device to say how."""
    if reverb.bank is not None:
        responses = torch.tensor(reverb.bank.responses)  # a copy: torch warns of memory that is read-only
    else:
        responses = room_responses(reverb.n_rooms, reverb.rt60_s, reverb.sample_rate, reverb.seed)
    aligned, n_before = _aligned(responses)
    return aligned.to(device), n_before
