"""A bank of impulse responses, what a reverb chooses from, and their reverberation times: by numpy, without torch."""

import hashlib
import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float, Float32, Float64

_FEWEST_FITTED = 3  # samples of the decay curve; a bare impulse has none


@dataclass(frozen=True, eq=False)
class ResponseBank:
    """Impulse responses with their names; a value, equal to another of the same responses, rate and names.

    Raises:
        ValueError: if there is no response, one is silent or not finite, the names are not one per response, or the
            sample rate is not positive.

    Example:
        >>> bank = ResponseBank(np.float32([[0.0, 1.0, 0.5]]), 8000, ("hall.wav",))
        >>> len(bank), bank == ResponseBank(bank.responses.copy(), 8000, ("hall.wav",))
        (1, True)
    """

    responses: Float32[np.ndarray, "response tap"] = field(repr=False)
    """Copied, and read-only from then on. The largest sample of each is its time zero; shorter ones end in zeros."""
    sample_rate: int
    """Hz."""
    names: tuple[str, ...]
    """What each response is called: the file it comes from, or a number."""

    def __post_init__(self) -> None:
        responses = np.array(self.responses, np.float32, order="C")
        if responses.ndim != 2 or not responses.size or len(self.names) != len(responses):
            given = f"responses of shape {responses.shape} with {len(self.names)} names"
            raise ValueError(f"{given}: give at least one, [n, R], and one name for each")
        for name, response in zip(self.names, responses, strict=True):
            if not np.isfinite(response).all() or not response.any():
                raise ValueError(f"response {name} is silent or not finite: leave it out")
        if self.sample_rate <= 0:
            raise ValueError(f"a sample rate of {self.sample_rate} Hz: give a positive one")
        responses.setflags(write=False)
        object.__setattr__(self, "responses", responses)

    def __len__(self) -> int:
        return len(self.responses)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResponseBank) and (self.fingerprint, self.names) == (other.fingerprint, other.names)

    def __hash__(self) -> int:
        return hash((self.fingerprint, self.names))

    @cached_property
    def rt60_s(self) -> Float64[np.ndarray, " response"]:
        """The measured reverberation times (T30), seconds; nan where a response is too short to have one."""
        return decay_times_s(self.responses, self.sample_rate)

    @cached_property
    def fingerprint(self) -> str:
        """What is heard, 32 hexadecimal digits: equal where responses, their order and sample rate are."""
        # Shape and rate belong to it: the same bytes in other rows or at another rate are other rooms.
        digest = hashlib.blake2b(f"{self.responses.shape} {self.sample_rate}".encode(), digest_size=16)
        digest.update(self.responses.astype("<f4", copy=False).data)
        return digest.hexdigest()


def decay_times_s(responses: Float[np.ndarray, "response tap"], sample_rate: int) -> Float64[np.ndarray, " response"]:
    """Return the reverberation time T30 of each response, seconds, in float64; nan where it has none.

    The straight line that fits Schroeder's decay curve best between -5 and -35 dB, extended to 60 dB (ISO 3382-1).
    Silence before the direct sound and after the end changes nothing. The noise of a recording counts as decay:
    where it lies less than about 45 dB below the direct sound, times come out too long.

    Args:
        responses: impulse responses of any level.
        sample_rate: Hz, > 0.

    Example:
        >>> time_s = np.arange(8000) / 8000
        >>> decay_times_s(np.stack([10 ** (-3 * time_s / 0.4), time_s == 0.5]), 8000).round(3)
        array([0.4, nan])
    """
    return np.array([_decay_time_s(response.astype(np.float64), sample_rate) for response in responses])


def _decay_time_s(response: Float64[np.ndarray, " tap"], sample_rate: int) -> float:
    energies = np.cumsum(response[::-1] ** 2)[::-1]
    # Compared before the logarithm is taken, so that none is taken of the zeros after the end.
    fitted = np.flatnonzero((energies <= energies[0] * 10**-0.5) & (energies >= energies[0] * 10**-3.5))
    if energies[0] == 0 or len(fitted) < _FEWEST_FITTED:
        return math.nan
    if energies[fitted[0]] == energies[fitted[-1]]:  # the silence between two impulses
        return math.nan
    decay_db = 10 * np.log10(energies[fitted] / energies[0])
    times_s = fitted / sample_rate
    times_s -= times_s.mean()
    return -60 * float(times_s @ times_s) / float(times_s @ decay_db)
