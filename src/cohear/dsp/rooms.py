"""Made-up room impulse responses, and the reverberation time of any response.

A response is the sum of three parts, on a time axis that begins with the direct sound:

- the direct sound, a unit impulse;
- reflections up to the third order in a shoebox room, by image sources (Allen and Berkley, "Image method for
  efficiently simulating small-room acoustics", J. Acoust. Soc. Am. 65(4), 1979), rounded to samples;
- a diffuse tail, noise that decays exponentially in each of four bands, faster at high frequencies, with the energy
  that statistical room acoustics gives it (Kuttruff, "Room Acoustics", chapter 5).

Chance and curvature make the decay of such a sum differ from what was asked for, most of all where it is short. So
each response is measured when it is finished and its decay corrected until its reverberation time is the target's.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, UInt64
from torch import Tensor

from cohear import keys
from cohear.dsp.response_bank import decay_times_s
from cohear.dsp.spectral import fast_length

_SPEED_OF_SOUND = 343.0  # m/s
_NEPERS_60_DB = 3 * math.log(10)  # an amplitude exp(-r t) has fallen by 60 dB at t = _NEPERS_60_DB / r
_BAND_CENTERS_HZ = (250.0, 1000.0, 4000.0, 16000.0)
_AIR_DB_PER_S = 34.0  # attenuation by air at 8 kHz: 0.1 dB/m (ISO 9613-1, 20 degrees, 50 % humidity), about as f**2
_MAX_ORDER = 3  # of the image sources
_N_AT_ONCE = 25  # rooms; fixed, because rounding may depend on it
_TOLERANCE = 0.005  # of the reverberation time, ten times finer than promised
_N_CORRECTIONS = 20


def room_responses(
    n: int, rt60_range: tuple[float, float] = (0.2, 1.0), sample_rate: int = 44100, seed: int = 0
) -> Float[Tensor, "{n} tap"]:
    """Make the impulse responses of `n` random rooms.

    Room i is the same whatever `n` is, but for the last bits in the last, incomplete group of 25; `shoeboxes` says what
    rooms there are.

    Args:
        n: number of rooms, >= 1.
        rt60_range: shortest and longest reverberation time, seconds; targets are uniform between, see `room_targets`.
        sample_rate: Hz, at least 8000.
        seed: the same seed gives the same rooms.

    Returns:
        float32 responses of ceil(longest time * sample rate) taps, the direct sound first and largest, each of energy
        one. The measured reverberation time is within 5 % of the target.

    Raises:
        ValueError: if `check_rooms` refuses the arguments.

    Example:
        >>> responses = room_responses(2, rt60_range=(0.5, 0.5), sample_rate=8000)
        >>> round(reverberation_time(responses[1], 8000), 1)
        0.5
    """
    check_rooms(n, rt60_range, sample_rate)
    targets_s = room_targets(n, rt60_range, seed)
    n_taps = math.ceil(rt60_range[1] * sample_rate)
    responses = torch.empty(n, n_taps, dtype=torch.float32)
    for start in range(0, n, _N_AT_ONCE):
        rooms = slice(start, start + _N_AT_ONCE)
        responses[rooms] = _responses(
            shoebox_keys(n, seed)[rooms], torch.from_numpy(targets_s[rooms]).float(), n_taps, sample_rate
        )
    return responses


def room_targets(n: int, rt60_range: tuple[float, float] = (0.2, 1.0), seed: int = 0) -> Float[np.ndarray, " {n}"]:
    """Return the reverberation times, seconds, that `room_responses` aims at with the same arguments."""
    shortest_s, longest_s = rt60_range
    return shortest_s + (longest_s - shortest_s) * keys.uniform(shoebox_keys(n, seed), 1)[:, 0]


def check_rooms(n: int, rt60_range: tuple[float, float], sample_rate: int) -> None:
    """Refuse what no room responses can be made of.

    Raises:
        ValueError: if not n >= 1, 0.1 <= shortest <= longest <= 10 s, and sample rate >= 8000 Hz.
    """
    if n < 1 or not 0.1 <= rt60_range[0] <= rt60_range[1] <= 10.0 or sample_rate < 8000:
        given = f"{n} room responses from {rt60_range[0]:g} to {rt60_range[1]:g} s at {sample_rate} Hz"
        raise ValueError(f"{given}: give at least one, 0.1 <= shortest <= longest <= 10, and at least 8000 Hz")


def reverberation_time(response: Float[Tensor, " tap"] | Float[np.ndarray, " tap"], sample_rate: int) -> float:
    """Return the reverberation time T30 of a response, seconds.

    The decay curve is Schroeder's backward integral of the squared response; the time is what the straight line that
    fits it best between -5 and -35 dB needs to fall by 60 dB (ISO 3382-1).

    Args:
        response: impulse response, noise-free, any level.
        sample_rate: Hz, > 0.

    Raises:
        ValueError: if less than three samples of the decay curve lie between -5 and -35 dB.

    Example:
        >>> time_s = np.arange(8000) / 8000
        >>> round(reverberation_time(10 ** (-3 * time_s / 0.4), 8000), 3)
        0.4
    """
    samples = torch.as_tensor(response, dtype=torch.float64).detach().cpu().numpy()
    time_s = float(decay_times_s(samples[None], sample_rate)[0])
    if not math.isfinite(time_s):
        raise ValueError("a silent response or a bare impulse has no reverberation time: give another")
    return time_s


@dataclass(frozen=True, eq=False)
class Shoeboxes:
    """Rooms with one corner at the origin; the absorption of all walls is the same."""

    sizes: Float[Tensor, "room 3"]
    """Length, width and height, meters."""
    sources: Float[Tensor, "room 3"]
    """Where the sound comes from, meters."""
    microphones: Float[Tensor, "room 3"]
    """Where it is heard, meters."""
    tilts: Float[Tensor, " room"]
    """How much faster high frequencies decay than low ones, 0 to 0.3: the exponent of frequency."""

    @cached_property
    def distances(self) -> Float[Tensor, " room"]:
        """From source to microphone, meters."""
        return (self.sources - self.microphones).norm(dim=1)

    @cached_property
    def volumes(self) -> Float[Tensor, " room"]:
        """Cubic meters."""
        return self.sizes.prod(dim=1)

    @cached_property
    def surfaces(self) -> Float[Tensor, " room"]:
        """Of all six walls, square meters."""
        return 2 * self.volumes * (1 / self.sizes).sum(dim=1)

    def absorptions(self, rt60_s: Float[Tensor, " room"]) -> Float[Tensor, " room"]:
        """Return the share of energy that the walls absorb where the reverberation time is `rt60_s` (Eyring)."""
        return 1 - torch.exp(-0.161 * self.volumes / (self.surfaces * rt60_s))


def shoebox_keys(n: int, seed: int) -> UInt64[np.ndarray, " {n}"]:
    """Make the keys of the first `n` rooms under a seed: room i is the same whatever `n` is."""
    return keys.fold_in(keys.key(seed, "rooms"), np.arange(n))


def shoeboxes(room_keys: UInt64[np.ndarray, " room"]) -> Shoeboxes:
    """Draw a room per key.

    Dimensions from 3 x 3 x 2.4 m to 10 x 8 x 4 m; source and microphone stand at least 0.5 m from the walls and 0.6 m
    from each other.

    Args:
        room_keys: from `shoebox_keys`. The first number of a key is the room's reverberation time (`room_targets`),
            the next ten are the room.
    """
    u = torch.from_numpy(keys.uniform(room_keys, 11)[:, 1:]).float()
    smallest, ranges = torch.tensor([[3.0, 3.0, 2.4], [7.0, 5.0, 1.6]], dtype=torch.float32)  # m
    sizes = smallest + u[:, :3] * ranges
    # The source in one part of the room, the microphone in the other, apart by a fifth of its length.
    nearest, span = torch.full_like(sizes, 0.5), sizes - 1.0
    span[:, 0] = 0.4 * sizes[:, 0] - 0.5
    sources = nearest + u[:, 3:6] * span
    microphones = nearest + u[:, 6:9] * span
    microphones[:, 0] = sizes[:, 0] - microphones[:, 0]
    return Shoeboxes(sizes, sources, microphones, 0.3 * u[:, 9])


def _responses(
    room_keys: UInt64[np.ndarray, " room"], targets_s: Float[Tensor, " room"], n_taps: int, sample_rate: int
) -> Float[Tensor, "room tap"]:
    rooms = shoeboxes(room_keys)
    volumes = rooms.volumes
    early = _reflections(rooms, torch.sqrt(1 - rooms.absorptions(targets_s)), n_taps, sample_rate)

    # Over the direct sound the diffuse field has the energy 16 pi d^2 / A, with A = 0.161 V / T (Sabine). Squared
    # noise exp(-2 r t) of variance g^2 adds up to g^2 sample_rate / 2 r, with r = _NEPERS_60_DB / T.
    ratios = 16 * math.pi * rooms.distances.square() * targets_s / (0.161 * volumes)
    gains = torch.sqrt(ratios * 2 * _NEPERS_60_DB / targets_s / sample_rate)
    # It takes over while sound meets its first three walls, each a mean free path 4 V / S from the last.
    times = torch.arange(n_taps, dtype=torch.float32) / sample_rate
    mixing_s = _MAX_ORDER * 4 * volumes / rooms.surfaces / _SPEED_OF_SOUND
    fade_in = torch.sin(math.pi / 2 * (times / mixing_s[:, None]).clamp(max=1.0)).square()
    tail = _tail(room_keys, targets_s, rooms.tilts, n_taps, sample_rate)
    return corrected(early + gains[:, None] * fade_in * tail, targets_s, sample_rate)


def _reflections(
    rooms: Shoeboxes, reflection_factors: Float[Tensor, " room"], n_taps: int, sample_rate: int
) -> Float[Tensor, "room tap"]:
    """Add up the image sources of orders one to three, relative to the direct sound in time and amplitude."""
    grid = torch.cartesian_prod(*[torch.arange(-_MAX_ORDER, _MAX_ORDER + 1)] * 3)
    cells = grid[(grid.abs().sum(1) > 0) & (grid.abs().sum(1) <= _MAX_ORDER)]  # of mirrored rooms [image, 3]
    orders = cells.abs().sum(1)
    # In an even cell the source stands as in the room, in an odd one mirrored.
    sizes, sources = rooms.sizes[:, None], rooms.sources[:, None]
    mirrored = torch.where(cells % 2 == 0, sources, sizes - sources)
    distances = (cells * sizes + mirrored - rooms.microphones[:, None]).norm(dim=2)
    direct = rooms.distances[:, None]
    amplitudes = reflection_factors[:, None] ** orders * direct / distances
    taps = ((distances - direct) / _SPEED_OF_SOUND * sample_rate).round().long()
    amplitudes = torch.where(taps < n_taps, amplitudes, 0.0)
    sums = torch.zeros(len(taps), n_taps, dtype=torch.float32)
    return sums.scatter_add_(1, taps.clamp(max=n_taps - 1), amplitudes)


def _tail(
    room_keys: UInt64[np.ndarray, " room"],
    targets_s: Float[Tensor, " room"],
    tilts: Float[Tensor, " room"],
    n_taps: int,
    sample_rate: int,
) -> Float[Tensor, "room tap"]:
    """Make noise of variance one that decays in each band at a rate of its own."""
    n = fast_length(n_taps)
    # 64 random bits are four samples, uniform between -sqrt 3 and sqrt 3.
    bits = keys.random_bits(keys.fold_in(room_keys, keys.hash_text("tail")), (n + 3) // 4)
    noise = torch.from_numpy(bits.view(np.int16)[:, :n].astype(np.float32) * np.float32(math.sqrt(3) / 2**15))
    spectra = torch.fft.rfft(noise)
    # Bands overlap by raised cosines over the logarithm of frequency, so that they add up to one.
    frequencies_hz = torch.fft.rfftfreq(n, 1 / sample_rate, dtype=torch.float32)
    centers_hz = torch.tensor(_BAND_CENTERS_HZ, dtype=torch.float32)
    places = torch.log(frequencies_hz.clamp(*_BAND_CENTERS_HZ[:: len(_BAND_CENTERS_HZ) - 1]) / centers_hz[0])
    places = places / torch.log(centers_hz[1] / centers_hz[0])  # in bands from the first one
    times = torch.arange(n_taps, dtype=torch.float32) / sample_rate
    tail = torch.zeros(len(noise), n_taps, dtype=torch.float32)
    for band, center_hz in enumerate(_BAND_CENTERS_HZ):
        weights = torch.cos(math.pi / 2 * (places - band).abs().clamp(max=1.0)).square()
        decays_db_per_s = 60 / targets_s * (center_hz / 1000) ** tilts + _AIR_DB_PER_S * (center_hz / 8000) ** 2
        envelopes = torch.exp(-decays_db_per_s[:, None] / 60 * _NEPERS_60_DB * times)
        tail += envelopes * torch.fft.irfft(spectra * weights, n)[:, :n_taps]
    return tail


def corrected(
    reverberation: Float[Tensor, "room tap"], targets_s: Float[Tensor, " room"], sample_rate: int
) -> Float[Tensor, "room tap"]:
    """Add the direct sound and change the decay until each response has its reverberation time.

    Args:
        reverberation: all that follows the direct sound, which has amplitude one; the first sample does not count.
        targets_s: the reverberation time that each response is to have, seconds.
        sample_rate: Hz.

    Returns:
        Responses of energy one, the direct sound first and largest, with times within 0.5 % of the targets.

    Raises:
        RuntimeError: if a decay cannot be corrected, because there is hardly any reverberation or it ends early.
    """
    times = torch.arange(reverberation.shape[1], dtype=reverberation.dtype) / sample_rate
    responses = torch.empty_like(reverberation)
    corrections = torch.zeros_like(targets_s)  # nepers per second
    shortfalls = torch.zeros_like(targets_s)
    steps = torch.ones_like(targets_s)
    rooms = torch.arange(len(targets_s))  # that are not yet right
    for _ in range(_N_CORRECTIONS):
        attempt = reverberation[rooms] * torch.exp(-corrections[rooms, None] * times)
        attempt[:, 0] = 0.0
        attempt *= (0.9 / attempt.abs().amax(dim=1, keepdim=True)).clamp(max=1.0)  # the direct sound stays largest
        attempt[:, 0] = 1.0
        measured_s = _reverberation_times(attempt, sample_rate)
        responses[rooms] = attempt
        wrong = ~((measured_s / targets_s[rooms] - 1).abs() <= _TOLERANCE)
        rooms, measured_s = rooms[wrong], measured_s[wrong]
        if not len(rooms):
            break
        # The factor exp(-c t) adds c to all rates of decay and so, to first order, also to that of the sum. Where
        # a strong reflection makes it more than that, the sign changes and the steps become smaller.
        shortfall = _NEPERS_60_DB * (1 / targets_s[rooms] - 1 / measured_s)
        steps[rooms] *= torch.where(shortfall * shortfalls[rooms] < 0, 0.5, torch.ones_like(shortfall))
        shortfalls[rooms] = shortfall
        corrections[rooms] += steps[rooms] * shortfall
    else:
        raise RuntimeError(f"the decay of a room could not be corrected to {targets_s[rooms[0]]:g} s")
    return responses / responses.norm(dim=1, keepdim=True)


def _reverberation_times(responses: Float[Tensor, "response tap"], sample_rate: int) -> Float[Tensor, " response"]:
    """Measure as `decay_times_s` does, but in the precision of the tensor, on which the bytes of a bank depend."""
    energies = responses.square().flip(-1).cumsum(-1).flip(-1)
    decays_db = 10 * torch.log10(energies / energies[:, :1])
    fitted = (decays_db <= -5) & (decays_db >= -35)
    n_fitted = fitted.sum(-1, keepdim=True)
    decays_db = torch.where(fitted, decays_db, 0.0)
    times = torch.arange(responses.shape[1], dtype=responses.dtype, device=responses.device) / sample_rate
    # Least squares: slope = sum (t - mean t) d / sum (t - mean t)^2 over the fitted samples.
    times = torch.where(fitted, times - (times * fitted).sum(-1, keepdim=True) / n_fitted, 0.0)
    slopes = (times * decays_db).sum(-1) / times.square().sum(-1)
    return torch.where(n_fitted[:, 0] >= 3, -60.0 / slopes, math.nan)
