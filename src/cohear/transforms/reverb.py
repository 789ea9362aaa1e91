"""Reverb: every clip as it sounds in a room, by convolution with an impulse response of its own.

The largest sample of a response is the direct sound and becomes time zero, so that no clip is delayed; what a
measured response holds before it is kept, and falls before the sound. By default the clip leaves with the energy with
which it came, so that loudness tells nothing about the room.
"""

import functools
import hashlib
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt64
from torch import Tensor

from cohear.dsp.rooms import check_rooms, room_responses, room_targets
from cohear.dsp.spectral import fast_length
from cohear.keys import integers
from cohear.tensors import Waveforms
from cohear.transforms.contract import Domain, Parameters, Transform

Level = Literal["energy", "none"]


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
    if waveforms.ndim != 2 or responses.ndim != 2 or len(waveforms) != len(responses):
        raise ValueError(
            f"waveforms of shape {tuple(waveforms.shape)} with responses of shape {tuple(responses.shape)}: give "
            "waveforms [B, T] and one response per clip, [B, R]"
        )
    if not waveforms.shape[1] or not responses.shape[1]:
        raise ValueError("clips or responses without a sample: give at least one sample of each")
    if not waveforms.is_floating_point():
        raise ValueError(f"waveforms of {waveforms.dtype}: give floating-point samples in [-1, 1]")
    if level not in ("energy", "none"):
        raise ValueError(f"level {level!r}: give 'energy' or 'none'")
    exact = waveforms.to(torch.promote_types(waveforms.dtype, torch.float32))
    reverberant = _convolve(exact, responses.to(exact.dtype))
    if level == "energy":
        # The smallest normal number keeps silence silent and its gradient finite.
        smallest = torch.finfo(exact.dtype).tiny
        energies = exact.square().sum(dim=1, keepdim=True)
        new_energies = reverberant.square().sum(dim=1, keepdim=True)
        reverberant = reverberant * ((energies + smallest) / (new_energies + smallest)).sqrt()
    return reverberant.to(waveforms.dtype)


def _convolve(
    waveforms: Float[Tensor, "batch time"], responses: Float[Tensor, "batch tap"]
) -> Float[Tensor, "batch time"]:
    n_samples, n_taps = waveforms.shape[1], responses.shape[1]
    n = fast_length(n_samples + n_taps - 1)
    # On a circle of n samples what comes before time zero lies at its end, out of the way of the clip.
    direct = responses.abs().argmax(dim=1, keepdim=True)
    taps = (torch.arange(n_taps, device=responses.device) - direct) % n
    circular = responses.new_zeros(len(responses), n).scatter(1, taps, responses)
    spectra = torch.fft.rfft(waveforms, n) * torch.fft.rfft(circular)
    return torch.fft.irfft(spectra, n)[:, :n_samples]


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


@dataclass(frozen=True)
class Reverb(Transform[ReverbParameters]):
    """Put each clip into one of the rooms of a bank, all equally probable.

    The bank is made when it is first needed and kept, once for all transforms of the same configuration. The default
    is that of Iqbal et al. 2021, section 3.1: 500 responses with reverberation times from 0.2 to 1.0 s.
    """

    domain: ClassVar[Domain] = "waveform"

    n_responses: int = 500
    """Number of rooms, >= 1."""
    rt60_range: tuple[float, float] = (0.2, 1.0)
    """Shortest and longest reverberation time, seconds."""
    sample_rate: int = 44100
    """Hz, at least 8000."""
    seed: int = 0
    """Of the bank, not of the choice among its rooms."""

    def __post_init__(self) -> None:
        check_rooms(self.n_responses, self.rt60_range, self.sample_rate)

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> ReverbParameters:
        """Choose one room per key."""
        response = integers(keys, 1, self.n_responses)[:, 0]
        rt60_s = room_targets(self.n_responses, self.rt60_range, self.seed)[response]
        return ReverbParameters(response=response, rt60_s=rt60_s)

    def apply(self, batch: Waveforms, parameters: ReverbParameters) -> Waveforms:
        """Convolve each clip with the response of its room."""
        bank = _bank(self, batch.device)
        return reverberate(batch, bank[torch.from_numpy(parameters.response).to(batch.device)])

    def bank_hash(self) -> str:
        """Identify the bank by its bytes: equal hashes, equal responses."""
        return hashlib.blake2b(_bank(self, torch.device("cpu")).numpy().tobytes(), digest_size=16).hexdigest()


@functools.lru_cache(maxsize=8)
def _bank(reverb: Reverb, device: torch.device) -> Float[Tensor, "response tap"]:
    if device.type != "cpu":
        return _bank(reverb, torch.device("cpu")).to(device)
    return room_responses(reverb.n_responses, reverb.rt60_range, reverb.sample_rate, reverb.seed)
