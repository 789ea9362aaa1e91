"""Ten voices of made-up sounds: each draws its own parameters and plays one clip.

A voice is a function of a key, the length in samples, the sample rate in Hz and `pitch`, a factor on each of
its frequencies: the same voice in another register. Rhythms do not follow the pitch. The first line of each
says what a listener knows it by; levels are set where a voice is recorded.
"""

from collections.abc import Callable

import numpy as np

from cohear import keys
from cohear.data.synthetic_elements import (
    Key,
    Signal,
    band_noise,
    cycles,
    draw,
    draw_count,
    harmonic_tone,
    hump,
    lay_out,
    onsets,
    pulse_gate,
    ringing,
    seconds,
    semitones,
    white_noise,
)

Voice = Callable[[Key, int, int, float], Signal]


def alarm(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Steady electronic beeps, two to five a second; every other alarm alternates between two pitches."""
    rate_hz, open_part, tone_hz, interval, start = draw(one_key, (2, 5), (0.4, 0.7), (1700, 2300), (-5, 5), (0, 1))
    times_s = seconds(n_samples, sample_rate) + start / rate_hz
    is_second = np.floor(times_s * rate_hz) % 2
    # a negative interval is none: half of the alarms keep one pitch
    frequency_hz = pitch * tone_hz * semitones(max(interval, 0) * is_second)
    beeps = pulse_gate(times_s, 1 / rate_hz, open_part / rate_hz, ramp_s=0.005)
    return beeps * harmonic_tone(frequency_hz, sample_rate, [1, 0, 1 / 3, 0, 1 / 5])


def bell(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Metal that is struck one to three times and rings on, with the partials of a church bell."""
    strike_hz, ring_s, brightness = draw(one_key, (550, 900), (0.3, 0.9), (0.5, 1.0))
    # hum, prime, tierce, quint, nominal and three above: the tuning of a church bell
    ratios = np.array([0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0])
    times_s = seconds(n_samples, sample_rate)
    stroke = ringing(times_s, pitch * strike_hz * ratios, brightness ** np.arange(8), ring_s / ratios)
    duration_s = n_samples / sample_rate
    n_strokes = draw_count(keys.fold_in(one_key, 1), 1, 3)
    starts_s = onsets(keys.fold_in(one_key, 2), n_strokes / duration_s, duration_s, jitter=0.2)
    loudness = keys.uniform(keys.fold_in(one_key, 3), len(starts_s)) * 0.6 + 0.4
    return lay_out(n_samples, sample_rate, starts_s, (level * stroke for level in loudness))


def bird(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Phrases of three to seven short whistles, each gliding by several semitones."""
    phrase_hz, note_hz, note_s, glide, step = draw(one_key, (0.6, 1.1), (2600, 3600), (0.05, 0.1), (-8, 8), (-1, 1))
    n_notes = draw_count(keys.fold_in(one_key, 1), 3, 7)
    glide += 4 * np.sign(glide)  # a whistle always glides: by 4 to 12 semitones, up or down
    n_note = round(note_s * sample_rate)
    path = glide * np.linspace(-0.5, 0.5, n_note)
    offsets = step * (np.arange(n_notes) - (n_notes - 1) / 2)
    notes = [
        hump(n_note) * harmonic_tone(pitch * note_hz * semitones(path + offset), sample_rate, [1, 0.15])
        for offset in offsets
    ]
    phrases_s = onsets(keys.fold_in(one_key, 2), phrase_hz, n_samples / sample_rate, jitter=0.1)
    starts_s = (phrases_s[:, None] + 1.4 * note_s * np.arange(n_notes)).ravel()
    return lay_out(n_samples, sample_rate, starts_s, notes * len(phrases_s))


def cricket(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Chirps at one high pitch that never glides, each of three to five quick pulses."""
    chirp_hz, pulse_hz, carrier_hz = draw(one_key, (2.0, 4.0), (25, 40), (3600, 4600))
    n_pulses = draw_count(keys.fold_in(one_key, 1), 3, 5)
    n_pulse = round(0.7 * sample_rate / pulse_hz)
    pulse = hump(n_pulse) * np.sin(2 * np.pi * pitch * carrier_hz * seconds(n_pulse, sample_rate))
    chirps_s = onsets(keys.fold_in(one_key, 2), chirp_hz, n_samples / sample_rate, jitter=0.05)
    starts_s = (chirps_s[:, None] + np.arange(n_pulses) / pulse_hz).ravel()
    return lay_out(n_samples, sample_rate, starts_s, [pulse] * len(starts_s))


def engine(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Idling motor: thirty to sixty firings a second, uneven over four cylinders, its speed drifting."""
    firing_hz, drift, drift_hz, sharpness, hiss = draw(one_key, (30, 60), (0.3, 1.5), (0.2, 0.8), (10, 40), (0.05, 0.2))
    times_s = seconds(n_samples, sample_rate)
    sway = np.sin(2 * np.pi * drift_hz * times_s + draw(keys.fold_in(one_key, 1), (0, 2 * np.pi))[0])
    turns = cycles(pitch * firing_hz * semitones(drift * sway), sample_rate)
    # exp(s (cos - 1)) is a row of smooth pulses; its harmonics fade as exp(-n^2 / 2s), so nothing folds over
    pulses = np.exp(sharpness * (np.cos(2 * np.pi * turns) - 1))
    cylinders = 0.5 + keys.uniform(keys.fold_in(one_key, 2), 4)
    firings = pulses * cylinders[np.floor(turns + 0.5).astype(int) % 4]
    air = band_noise(keys.fold_in(one_key, 3), n_samples, sample_rate, 300 * pitch, 2500 * pitch)
    return firings - firings.mean() + hiss * (0.3 + pulses) * air


def footsteps(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Walking on gravel: soft thuds, two in a second, each followed by the scuff of the sole."""
    rate_hz, thud_hz, scuff_s, lag_s, scuff_level = draw(
        one_key, (1.5, 2.5), (70, 120), (0.03, 0.06), (0.04, 0.09), (0.1, 0.3)
    )
    n_step = round(0.3 * sample_rate)
    times_s = seconds(n_step, sample_rate)
    thud = ringing(times_s, [pitch * thud_hz, pitch * 2.3 * thud_hz], [1, 0.4], [0.03, 0.02])
    since_s = np.clip(times_s - lag_s, 0, None)
    scrape = scuff_level * np.exp(-since_s / scuff_s) * np.clip(since_s / 0.01, 0, 1)
    starts_s = onsets(keys.fold_in(one_key, 1), rate_hz, n_samples / sample_rate, jitter=0.06)
    steps = []
    for number in range(len(starts_s)):
        step_key = keys.fold_in(keys.fold_in(one_key, 2), number)
        gravel = band_noise(step_key, n_step, sample_rate, 500 * pitch, 3000 * pitch)
        loudness = draw(keys.fold_in(step_key, 1), (0.6, 1.0))[0]
        steps.append(loudness * (thud + scrape * gravel))
    return lay_out(n_samples, sample_rate, starts_s, steps)


def knock(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Knuckles on a wooden door: quick groups of three to five dry strokes, all of one color."""
    stroke_hz, mode_hz, decay_s, pause_s = draw(one_key, (5, 9), (180, 350), (0.01, 0.025), (0.4, 0.8))
    n_strokes = draw_count(keys.fold_in(one_key, 1), 3, 5)
    n_stroke = round(0.2 * sample_rate)
    times_s = seconds(n_stroke, sample_rate)
    modes_hz = pitch * mode_hz * np.array([1, 1.6, 2.4, 4.1])
    stroke = ringing(times_s, modes_hz, [1, 0.7, 0.5, 0.3], decay_s * np.array([1, 0.8, 0.6, 0.4]))
    click = white_noise(keys.fold_in(one_key, 2), n_stroke) * np.exp(-times_s / 0.002)
    group_s = n_strokes / stroke_hz + pause_s
    groups_s = onsets(keys.fold_in(one_key, 3), 1 / group_s, n_samples / sample_rate, jitter=0.05)
    starts_s = (groups_s[:, None] + np.arange(n_strokes) / stroke_hz).ravel()
    loudness = 0.6 + 0.4 * keys.uniform(keys.fold_in(one_key, 4), len(starts_s))
    return lay_out(n_samples, sample_rate, starts_s, (level * (stroke + 0.3 * click) for level in loudness))


def rain(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Steady hiss with hundreds of single drops in a second."""
    drops_hz, drop_hz, low_hz, drop_level = draw(one_key, (60, 300), (1500, 3500), (700, 1500), (1.0, 3.0))
    hiss = band_noise(keys.fold_in(one_key, 1), n_samples, sample_rate, low_hz * pitch, 7000 * pitch)
    n_drops = round(drops_hz * n_samples / sample_rate)
    where = keys.integers(keys.fold_in(one_key, 2), n_drops, n_samples)
    size = keys.uniform(keys.fold_in(one_key, 3), n_drops) ** 3  # a few large drops among many small ones
    hits = np.bincount(where, size, minlength=n_samples)
    times_s = seconds(round(0.02 * sample_rate), sample_rate)
    drop = ringing(times_s, [pitch * drop_hz, pitch * 1.7 * drop_hz], [1, 0.6], [0.003, 0.002])
    return hiss + drop_level * np.convolve(hits, 4 * drop)[:n_samples]


def siren(one_key: Key, n_samples: int, sample_rate: int, pitch: float) -> Signal:
    """Tone without a pause that sweeps up and down by most of an octave, about once a second."""
    rate_hz, center_hz, depth, brightness, start = draw(
        one_key, (0.5, 1.5), (700, 1100), (3, 6), (0.2, 0.6), (0, 2 * np.pi)
    )
    sweep = depth * np.sin(2 * np.pi * rate_hz * seconds(n_samples, sample_rate) + start)
    amplitudes = [brightness**number for number in range(5)]
    return harmonic_tone(pitch * center_hz * semitones(sweep), sample_rate, amplitudes)


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
