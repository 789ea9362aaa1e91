"""The reverberation times of responses, by numpy alone, so that readers of files need no torch."""

import math

import numpy as np
from jaxtyping import Float, Float64

_FEWEST_FITTED = 3  # samples of the decay curve; a bare impulse has none


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
