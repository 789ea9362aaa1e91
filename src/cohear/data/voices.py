"""The voices of the made-up sounds, each a function that plays one sound, and what they are played with.

A voice is a function of a key, the length in samples, the sample rate in Hz and `pitch`, a factor on each of its
frequencies: the same voice in another register. Rhythms do not follow the pitch. The first line of each says what a
listener knows it by; levels are set where a voice is recorded.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from jaxtyping import Float, UInt64

from cohear import keys

LOWEST_SAMPLE_RATE = 16000
"""Hz; the highest voice in the highest register still fits below half of it."""

Key = UInt64[np.ndarray, ""]
Signal = Float[np.ndarray, " time"]
Voice = Callable[[Key, int, int, float], Signal]


def alarm(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Steady electronic beeps, two to five a second, at one pitch."""
    rate_hz, open_part, tone_hz, start = draw(one_key, (2, 5), (0.4, 0.7), (1700, 2300), (0, 1))
    periods = seconds(n_samples, sample_rate) * rate_hz + start
    tone = harmonic_tone(np.full(n_samples, pitch * tone_hz), sample_rate, [1, 0, 1 / 3, 0, 1 / 5])
    return tone * (periods % 1 < open_part)


def bell(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Metal that is struck one to three times and rings on, with the partials of a church bell."""
    strike_hz, ring_s, brightness, rate_hz = draw(one_key, (550, 900), (0.3, 0.9), (0.5, 1.0), (0.5, 1.5))
    # hum, prime, tierce, quint, nominal and three above: the tuning of a church bell
    ratios = np.array([0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0])
    times_s = seconds(n_samples, sample_rate)
    stroke = ringing(times_s, pitch * strike_hz * ratios, brightness ** np.arange(8), ring_s / ratios)
    return lay_out(
        n_samples, sample_rate, onsets(one_key, rate_hz, n_samples / sample_rate, jitter=0.2), repeat(stroke)
    )


def bird(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Phrases of three to seven short whistles, each gliding by several semitones."""
    phrase_hz, note_hz, note_s, glide = draw(one_key, (0.6, 1.1), (2600, 3600), (0.05, 0.1), (-8, 8))
    glide += 4 * np.sign(glide)  # a whistle always glides: by 4 to 12 semitones, up or down
    n_note = round(note_s * sample_rate)
    path = semitones(glide * np.linspace(-0.5, 0.5, n_note))
    note = np.hanning(n_note) * harmonic_tone(pitch * note_hz * path, sample_rate, [1, 0.15])
    phrases_s = onsets(one_key, phrase_hz, n_samples / sample_rate, jitter=0.1)
    notes_s = 1.4 * note_s * np.arange(draw_count(keys.fold_in(one_key, 1), 3, 7))
    return lay_out(n_samples, sample_rate, np.add.outer(phrases_s, notes_s).ravel(), repeat(note))


def cricket(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Chirps at one high pitch that never glides, each of three to five quick pulses."""
    chirp_hz, pulse_hz, carrier_hz = draw(one_key, (2.0, 4.0), (25, 40), (3600, 4600))
    n_pulse = round(0.7 * sample_rate / pulse_hz)
    pulse = np.hanning(n_pulse) * np.sin(2 * np.pi * pitch * carrier_hz * seconds(n_pulse, sample_rate))
    chirps_s = onsets(one_key, chirp_hz, n_samples / sample_rate, jitter=0.05)
    pulses_s = np.arange(draw_count(keys.fold_in(one_key, 1), 3, 5)) / pulse_hz
    return lay_out(n_samples, sample_rate, np.add.outer(chirps_s, pulses_s).ravel(), repeat(pulse))


def engine(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Idling motor: thirty to sixty firings a second, its speed drifting, and the air that it draws."""
    firing_hz, drift, drift_hz, sharpness, hiss = draw(one_key, (30, 60), (0.3, 1.5), (0.2, 0.8), (10, 40), (0.05, 0.2))
    sway = np.sin(2 * np.pi * drift_hz * seconds(n_samples, sample_rate))
    turns = np.cumsum(pitch * firing_hz * semitones(drift * sway)) / sample_rate
    # exp(s (cos - 1)) is a row of smooth pulses; its harmonics fade as exp(-n^2 / 2s), so nothing folds over
    pulses = np.exp(sharpness * (np.cos(2 * np.pi * turns) - 1))
    air = band_noise(keys.fold_in(one_key, 1), n_samples, sample_rate, 300 * pitch, 2500 * pitch)
    return pulses - pulses.mean() + hiss * (0.3 + pulses) * air


def footsteps(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Walking on gravel: soft thuds, two in a second, each followed by the scuff of the sole."""
    rate_hz, thud_hz, scuff_s, lag_s, level = draw(
        one_key, (1.5, 2.5), (70, 120), (0.03, 0.06), (0.04, 0.09), (0.1, 0.3)
    )
    times_s = seconds(round(0.3 * sample_rate), sample_rate)
    thud = ringing(times_s, [pitch * thud_hz, pitch * 2.3 * thud_hz], [1, 0.4], [0.03, 0.02])
    gravel = band_noise(keys.fold_in(one_key, 1), len(times_s), sample_rate, 500 * pitch, 3000 * pitch)
    scuff = level * gravel * np.exp(-(times_s - lag_s) / scuff_s) * (times_s > lag_s)
    return lay_out(
        n_samples, sample_rate, onsets(one_key, rate_hz, n_samples / sample_rate, 0.06), repeat(thud + scuff)
    )


def knock(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Knuckles on a wooden door: quick groups of three to five dry strokes, all of one color."""
    stroke_hz, mode_hz, decay_s, group_hz = draw(one_key, (5, 9), (180, 350), (0.01, 0.025), (0.6, 0.9))
    times_s = seconds(round(0.2 * sample_rate), sample_rate)
    modes_hz = pitch * mode_hz * np.array([1, 1.6, 2.4, 4.1])
    stroke = ringing(times_s, modes_hz, [1, 0.7, 0.5, 0.3], decay_s * np.array([1, 0.8, 0.6, 0.4]))
    stroke += 0.3 * white_noise(keys.fold_in(one_key, 2), len(times_s)) * np.exp(-times_s / 0.002)
    groups_s = onsets(one_key, group_hz, n_samples / sample_rate, jitter=0.05)
    strokes_s = np.arange(draw_count(keys.fold_in(one_key, 1), 3, 5)) / stroke_hz
    return lay_out(n_samples, sample_rate, np.add.outer(groups_s, strokes_s).ravel(), repeat(stroke))


def rain(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Steady hiss with hundreds of single drops in a second."""
    drops_hz, drop_hz, low_hz, level = draw(one_key, (60, 300), (1500, 3500), (700, 1500), (1.0, 3.0))
    hiss = band_noise(keys.fold_in(one_key, 1), n_samples, sample_rate, low_hz * pitch, 7000 * pitch)
    times_s = seconds(round(0.02 * sample_rate), sample_rate)
    drop = ringing(times_s, [pitch * drop_hz, pitch * 1.7 * drop_hz], [1, 0.6], [0.003, 0.002])
    starts_s = keys.uniform(keys.fold_in(one_key, 2), round(drops_hz * n_samples / sample_rate))
    return hiss + level * lay_out(n_samples, sample_rate, starts_s * n_samples / sample_rate, repeat(drop))


def siren(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Tone without a pause that sweeps up and down by most of an octave, about once a second."""
    rate_hz, center_hz, depth, level, start = draw(one_key, (0.5, 1.5), (700, 1100), (3, 6), (0.2, 0.6), (0, 2 * np.pi))
    sweep = depth * np.sin(2 * np.pi * rate_hz * seconds(n_samples, sample_rate) + start)
    return harmonic_tone(pitch * center_hz * semitones(sweep), sample_rate, [level**number for number in range(5)])


def wind(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Low rushing that swells and fades in gusts, and brightens as it swells."""
    gust_hz, low_hz, ratio, start = draw(one_key, (0.4, 1.0), (150, 300), (2.5, 4), (0, 2 * np.pi))
    gust = 0.5 + 0.5 * np.sin(2 * np.pi * gust_hz * seconds(n_samples, sample_rate) + start)
    low_hz *= pitch
    rush = band_noise(keys.fold_in(one_key, 1), n_samples, sample_rate, low_hz, ratio * low_hz)
    howl = band_noise(keys.fold_in(one_key, 2), n_samples, sample_rate, ratio * low_hz, 2 * ratio * low_hz)
    return (0.2 + gust) * rush + 0.8 * gust**2 * howl


VOICES: dict[str, Voice] = {
    voice.__name__: voice for voice in (alarm, bell, bird, cricket, engine, footsteps, knock, rain, siren, wind)
}
"""The voices by their labels."""


def draw(one_key: Key, *ranges: tuple[float, float]) -> list[float]:
    """Draw one number from each range (low, high), uniformly.

    Example:
        >>> draw(keys.key(0, "example"), (5.0, 5.0), (-1.0, -1.0))
        [5.0, -1.0]
    """
    chances = keys.uniform(one_key, len(ranges))
    return [low + (high - low) * float(chance) for (low, high), chance in zip(ranges, chances, strict=True)]


def draw_count(one_key: Key, low: int, high: int) -> int:
    """Draw a whole number from low to high, both included."""
    return low + int(keys.integers(one_key, 1, high - low + 1)[0])


def semitones(distance: Any) -> Any:
    """Return the frequency ratio of a musical distance.

    Example:
        >>> semitones(12.0)
        2.0
    """
    return 2.0 ** (distance / 12)


def seconds(n_samples: int, sample_rate: int) -> Signal:
    """Return the time of each sample, in seconds."""
    return np.arange(n_samples) / sample_rate


def white_noise(one_key: Key, n_samples: int) -> Signal:
    """Make uniform white noise in [-1, 1), in steps of 2**-15: four samples come from each random word."""
    words = keys.random_bits(one_key, -(-n_samples // 4))
    return words.view(np.int16)[:n_samples] / 2.0**15


def band_gain(frequency_hz: Float[np.ndarray, " bin"], low_hz: float, high_hz: float) -> Float[np.ndarray, " bin"]:
    """Return the gain of a pass band: fourth-order Butterworth magnitudes, -3 dB at both edges.

    Args:
        frequency_hz: frequencies, >= 0.
        low_hz: lower edge, > 0.
        high_hz: upper edge, > low_hz.
    """
    # |H|^2 = 1 / (1 + (f / high)^8) for the low pass and (f / low)^8 / (1 + (f / low)^8) for the high pass
    rise = (frequency_hz / low_hz) ** 8
    return np.sqrt(rise / (1 + rise) / (1 + (frequency_hz / high_hz) ** 8))


def band_noise(one_key: Key, n_samples: int, sample_rate: int, low_hz: float, high_hz: float) -> Signal:
    """Make noise between two frequencies, with a root mean square of 1."""
    spectrum = np.fft.rfft(white_noise(one_key, n_samples))
    spectrum *= band_gain(np.fft.rfftfreq(n_samples, 1 / sample_rate), low_hz, high_hz)
    noise = np.fft.irfft(spectrum, n_samples)
    return noise / np.sqrt(np.mean(noise**2))


def harmonic_tone(frequency_hz: Signal, sample_rate: int, amplitudes: Sequence[float]) -> Signal:
    """Make a tone whose frequency moves, from a sum of harmonics that keeps below half the sample rate.

    Args:
        frequency_hz: fundamental at each sample.
        sample_rate: Hz.
        amplitudes: of the first harmonic, the second and so on.
    """
    phase = 2 * np.pi * (np.cumsum(frequency_hz) / sample_rate)
    tone = np.zeros_like(phase)
    for number, amplitude in enumerate(amplitudes, start=1):
        if amplitude:
            tone += amplitude * np.sin(number * phase) * (number * frequency_hz < sample_rate / 2)
    return tone


def ringing(
    times_s: Signal, frequencies_hz: Iterable[float], amplitudes: Iterable[float], decays_s: Iterable[float]
) -> Signal:
    """Make the sound of a struck body: modes that ring, each with its own decay.

    Args:
        times_s: time since the stroke.
        frequencies_hz: of each mode.
        amplitudes: of each mode.
        decays_s: time in which each mode falls to 1/e.
    """
    modes = zip(frequencies_hz, amplitudes, decays_s, strict=True)
    return sum(
        (a * np.exp(-times_s / decay_s) * np.sin(2 * np.pi * f * times_s) for f, a, decay_s in modes),
        start=np.zeros_like(times_s),
    )


def onsets(one_key: Key, rate_hz: float, duration_s: float, jitter: float) -> Signal:
    """Draw the times of a steady row of events, in seconds; at least one lies in the first half.

    Args:
        one_key: a key.
        rate_hz: events in a second.
        duration_s: the row covers [0, duration_s).
        jitter: largest departure from a steady rhythm, as a part of the period, in [0, 0.5).
    """
    row_key = keys.fold_in(one_key, keys.hash_text("onsets"))
    first_s = draw(row_key, (0, min(1 / rate_hz, duration_s / 2)))[0]
    steady_s = np.arange(first_s, duration_s, 1 / rate_hz)
    chances = keys.uniform(keys.fold_in(row_key, 1), len(steady_s))
    return np.clip(steady_s + jitter / rate_hz * (2 * chances - 1), 0, None)


def lay_out(
    n_samples: int, sample_rate: int, starts_s: Iterable[float], sounds: Iterable[Float[np.ndarray, " _"]]
) -> Signal:
    """Add sounds into one signal, each from its own start; what passes the end is cut off."""
    signal = np.zeros(n_samples)
    for start_s, sound in zip(starts_s, sounds, strict=False):
        start = round(start_s * sample_rate)
        heard = sound[: max(n_samples - start, 0)]
        signal[start : start + len(heard)] += heard
    return signal
