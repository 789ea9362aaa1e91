"""What made-up sounds are made of: draws, noise, tones, envelopes and strokes.

Everything is a pure function of a key of `cohear.keys` and of its arguments; a signal is a float64 array.
"""

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
from jaxtyping import Float, UInt64

from cohear import keys

Key = UInt64[np.ndarray, ""]
Signal = Float[np.ndarray, " time"]


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


@overload
def semitones(distance: float) -> float: ...
@overload
def semitones(distance: Signal) -> Signal: ...
def semitones(distance: float | Signal) -> float | Signal:
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


def cycles(frequency_hz: Signal, sample_rate: int) -> Signal:
    """Return the phase of an oscillator whose frequency moves, in cycles."""
    return np.cumsum(frequency_hz) / sample_rate


def harmonic_tone(frequency_hz: Signal, sample_rate: int, amplitudes: Sequence[float]) -> Signal:
    """Make a tone whose frequency moves, from a sum of harmonics that keeps below half the sample rate.

    Args:
        frequency_hz: fundamental at each sample.
        sample_rate: Hz.
        amplitudes: of the first harmonic, the second and so on.
    """
    phase = 2 * np.pi * cycles(frequency_hz, sample_rate)
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


def hump(n_samples: int) -> Signal:
    """Return an envelope that rises from 0 to 1 and falls again, as a squared sine."""
    return np.sin(np.pi * (np.arange(n_samples) + 0.5) / n_samples) ** 2


def pulse_gate(times_s: Signal, period_s: float, open_s: float, ramp_s: float) -> Signal:
    """Return an envelope that opens at the start of each period for `open_s`, with straight ramps."""
    since_s = times_s % period_s
    return np.clip(np.minimum(since_s, open_s - since_s) / ramp_s, 0, 1)


def onsets(one_key: Key, rate_hz: float, duration_s: float, jitter: float) -> Signal:
    """Draw the times of a steady row of events, in seconds; at least one lies in the first half.

    Args:
        one_key: a key.
        rate_hz: events in a second.
        duration_s: the row covers [0, duration_s).
        jitter: largest departure from a steady rhythm, as a part of the period, in [0, 0.5).
    """
    period_s = 1 / rate_hz
    first_s = draw(one_key, (0, min(period_s, duration_s / 2)))[0]
    steady_s = np.arange(first_s, duration_s, period_s)
    chances = keys.uniform(keys.fold_in(one_key, 1), len(steady_s))
    return np.clip(steady_s + jitter * period_s * (2 * chances - 1), 0, None)


def lay_out(
    n_samples: int, sample_rate: int, starts_s: Iterable[float], sounds: Iterable[Float[np.ndarray, " _"]]
) -> Signal:
    """Add sounds into one signal, each from its own start; what passes the end is cut off."""
    signal = np.zeros(n_samples)
    for start_s, sound in zip(starts_s, sounds, strict=True):
        start = round(start_s * sample_rate)
        heard = sound[: max(n_samples - start, 0)]
        signal[start : start + len(heard)] += heard
    return signal
