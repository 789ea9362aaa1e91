"""Places where made-up sounds are recorded: a room, a microphone, a noise floor and a register.

A classifier that learned in some places is tested in another one: what changes is pitch, reverberation, the
frequency band, background noise and gaps, and nothing of what makes a siren a siren.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from cohear import keys
from cohear.data.synthetic_elements import (
    Key,
    Signal,
    band_gain,
    draw,
    draw_count,
    lay_out,
    seconds,
    white_noise,
)

PEAK_LEVEL_DB = (-14.0, -3.0)
"""Range of the peak level of a source at the microphone, against full scale."""

PEAK_LIMIT = 0.9
"""No recording exceeds this part of full scale."""


@dataclass(frozen=True)
class Place:
    """Where a fold of the made-up sounds is recorded, and with what."""

    register_semitones: tuple[float, float]
    """Range of the pitch of the sources, against the voices' own."""
    rt60_s: float
    """Time in which the room's reverberation falls by 60 dB, > 0."""
    reverberant_db: float
    """Energy of the reverberation against the direct sound."""
    band_hz: tuple[float, float]
    """Pass band of the microphone, -3 dB."""
    tilt_db: float
    """Slope of the microphone, dB in an octave, 0 dB at 1 kHz."""
    noise_db: float
    """Root mean square of the noise floor, against full scale; each recording departs by up to 2 dB."""
    noise_tilt_db: float
    """Color of the noise floor, dB in an octave: 0 white, -3 pink, -6 brown."""
    n_gaps: tuple[int, int] = (0, 0)
    """Smallest and largest number of drop-outs in a recording, each 40 to 120 ms of digital silence."""


PLACES = (
    # A carpeted living room, a good microphone, large sources, a humming house.
    Place(
        register_semitones=(-4.5, -1.5),
        rt60_s=0.25,
        reverberant_db=-8,
        band_hz=(60, 9000),
        tilt_db=0,
        noise_db=-42,
        noise_tilt_db=-6,
    ),
    # A stairwell of stone, a tinny microphone.
    Place(
        register_semitones=(-1.5, 1.5),
        rt60_s=1.2,
        reverberant_db=2,
        band_hz=(200, 5500),
        tilt_db=3,
        noise_db=-38,
        noise_tilt_db=-3,
    ),
    # A street through a telephone: small sources, a dull narrow band, hiss and drop-outs.
    Place(
        register_semitones=(1.5, 4.5),
        rt60_s=0.5,
        reverberant_db=-4,
        band_hz=(120, 3800),
        tilt_db=-2,
        noise_db=-36,
        noise_tilt_db=0,
        n_gaps=(1, 3),
    ),
)
"""The places, one for each fold."""


def room_response(one_key: Key, rt60_s: float, reverberant_db: float, sample_rate: int) -> Signal:
    """Make the response of a room: the direct sound, then noise that decays by 60 dB in `rt60_s`.

    Args:
        one_key: a key; another key is another spot in the room.
        rt60_s: reverberation time, > 0.
        reverberant_db: energy of the noise against the direct sound.
        sample_rate: Hz.
    """
    n_taps = round(rt60_s * sample_rate)
    decay = 10.0 ** (-3 * seconds(n_taps, sample_rate) / rt60_s)
    response = white_noise(one_key, n_taps) * decay
    response *= 10 ** (reverberant_db / 20) / np.sqrt(np.sum(response**2))
    response[0] = 1
    return response


def tilt_gain(frequency_hz: Float[np.ndarray, " bin"], tilt_db: float) -> Float[np.ndarray, " bin"]:
    """Return the gain of a slope in dB in an octave, 0 dB at 1 kHz, level below 50 Hz."""
    return (np.maximum(frequency_hz, 50) / 1000) ** (tilt_db / (20 * np.log10(2)))


def noise_floor(one_key: Key, n_samples: int, sample_rate: int, tilt_db: float) -> Signal:
    """Make colored noise with a root mean square of 1 and nothing below 20 Hz."""
    frequency_hz = np.fft.rfftfreq(n_samples, 1 / sample_rate)
    gain = tilt_gain(frequency_hz, tilt_db) * (frequency_hz >= 20)
    noise = np.fft.irfft(np.fft.rfft(white_noise(one_key, n_samples)) * gain, n_samples)
    return noise / np.sqrt(np.mean(noise**2))


def gap_gate(one_key: Key, n_gaps: int, n_samples: int, sample_rate: int) -> Signal:
    """Return an envelope of ones with `n_gaps` drop-outs of 40 to 120 ms, which may touch."""
    duration_s = n_samples / sample_rate
    gaps = [draw(keys.fold_in(one_key, number), (0, duration_s), (0.04, 0.12)) for number in range(n_gaps)]
    silences = (np.ones(round(length_s * sample_rate)) for _, length_s in gaps)
    return 1 - np.minimum(lay_out(n_samples, sample_rate, (start_s for start_s, _ in gaps), silences), 1)


def record(source: Signal, place: Place, one_key: Key, sample_rate: int) -> Signal:
    """Record a source in a place: room, microphone, level, noise floor, gaps, peak limit.

    Args:
        source: any level, not silent.
        place: where.
        one_key: draws the spot in the room, the level, the noise and the gaps.
        sample_rate: Hz.

    Returns:
        The recording, in [-PEAK_LIMIT, PEAK_LIMIT].
    """
    n_samples = len(source)
    spot_key, level_key, noise_key, gap_key = (keys.fold_in(one_key, number) for number in range(4))
    response = room_response(spot_key, place.rt60_s, place.reverberant_db, sample_rate)

    # Room and microphone are one multiplication; padding keeps the reverberation from wrapping round.
    n_fft = n_samples + len(response)
    frequency_hz = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    microphone = band_gain(frequency_hz, *place.band_hz) * tilt_gain(frequency_hz, place.tilt_db)
    spectrum = np.fft.rfft(source, n_fft) * np.fft.rfft(response, n_fft) * microphone
    heard = np.fft.irfft(spectrum, n_fft)[:n_samples]

    level_db, noise_db = draw(level_key, PEAK_LEVEL_DB, (place.noise_db - 2, place.noise_db + 2))
    heard *= 10 ** (level_db / 20) / np.max(np.abs(heard))
    heard += 10 ** (noise_db / 20) * noise_floor(noise_key, n_samples, sample_rate, place.noise_tilt_db)
    heard *= gap_gate(gap_key, draw_count(gap_key, *place.n_gaps), n_samples, sample_rate)
    return heard * min(1.0, PEAK_LIMIT / np.max(np.abs(heard)))
