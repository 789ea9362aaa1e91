from collections import Counter

import numpy as np
import pytest
from scipy import signal

from cohear import keys
from cohear.data.synthetic_elements import band_gain, onsets
from cohear.data.synthetic_voices import VOICES

pytestmark = pytest.mark.slow

RATE = 22050
N_SAMPLES = 2 * RATE
SEEDS = range(6)


def play(label, seed, pitch=1.0):
    return VOICES[label](keys.key(seed, "test"), N_SAMPLES, RATE, pitch)


def spectrum(sound):
    return signal.welch(sound, RATE, nperseg=8192)


def peak_hz(sound):
    frequency_hz, power = spectrum(sound)
    return frequency_hz[power.argmax()]


def center_hz(sound):
    frequency_hz, power = spectrum(sound)
    return float((power * frequency_hz).sum() / power.sum())


def envelope(sound, frame_s=0.01):
    n = round(frame_s * RATE)
    return np.sqrt(np.mean(sound[: len(sound) // n * n].reshape(-1, n) ** 2, axis=1))


def pitch_path(sound, from_db=-20.0):
    """Return the strongest frequency of each loud frame of 12 ms."""
    frequency_hz, _, cells = signal.stft(sound, RATE, nperseg=256, noverlap=128, nfft=4096)
    levels = np.abs(cells).max(axis=0)
    return frequency_hz[np.abs(cells).argmax(axis=0)][levels > levels.max() * 10 ** (from_db / 20)]


def span_semitones(path_hz):
    low, high = np.percentile(path_hz, [3, 97])
    return 12 * np.log2(high / low)


def rhythm_hz(sound, low_hz, high_hz):
    """Return the strongest modulation of the envelope between two rates."""
    levels = envelope(sound)
    strength = np.abs(np.fft.rfft(levels - levels.mean(), 2048))
    rate_hz = np.fft.rfftfreq(2048, 0.01)
    inside = (rate_hz >= low_hz) & (rate_hz <= high_hz)
    return rate_hz[inside][strength[inside].argmax()]


def kurtosis(sound):
    return np.mean(sound**4) / np.mean(sound**2) ** 2


@pytest.mark.parametrize("seed", SEEDS)
def test_alarm_beeps_at_one_or_two_steady_pitches(seed):
    sound = play("alarm", seed)
    path_hz = pitch_path(sound, from_db=-3)
    steps = Counter(np.round(12 * np.log2(path_hz / path_hz.min())).tolist())
    assert sum(n for _, n in steps.most_common(2)) > 0.9 * len(path_hz)
    assert 1650 < path_hz.min() <= path_hz.max() < 3200
    assert np.mean(envelope(sound) < 0.01) > 0.2
    assert 2 <= rhythm_hz(sound, 1.5, 6) <= 5.2


@pytest.mark.parametrize("seed", SEEDS)
def test_bell_rings_at_the_partials_of_a_church_bell(seed):
    frequency_hz, power = spectrum(play("bell", seed))
    hum_hz = frequency_hz[power.argmax()]
    for ratio in (2.0, 2.4, 3.0):  # prime, tierce and quint over the hum
        near = np.abs(frequency_hz - ratio * hum_hz) < 0.04 * hum_hz
        between = np.abs(frequency_hz - (ratio + 0.2) * hum_hz) < 0.04 * hum_hz
        assert power[near].max() > 10 * power[between].max()


@pytest.mark.parametrize("seed", SEEDS)
def test_bird_glides_and_cricket_does_not(seed):
    bird, cricket = pitch_path(play("bird", seed)), pitch_path(play("cricket", seed))
    assert span_semitones(bird) > 2.5
    assert span_semitones(cricket) < 0.6
    assert 1900 < np.median(bird) < 4500
    assert 3500 < np.median(cricket) < 4700


@pytest.mark.parametrize("seed", SEEDS)
def test_cricket_pulses_within_its_chirps(seed):
    levels = np.abs(signal.hilbert(play("cricket", seed)))
    rate_hz, strength = signal.welch(levels - levels.mean(), RATE, nperseg=N_SAMPLES)
    inside = (rate_hz > 15) & (rate_hz < 60)
    assert 22 <= rate_hz[inside][strength[inside].argmax()] <= 43


@pytest.mark.parametrize("seed", SEEDS)
def test_engine_fires_low_and_never_pauses(seed):
    sound = play("engine", seed)
    assert 7 <= peak_hz(sound) <= 130
    assert envelope(sound, 0.2).min() > 0.5 * envelope(sound, 0.2).max()
    # the firing comes back: the envelope agrees with itself one to four firings later
    levels = np.abs(sound) - np.mean(np.abs(sound))
    spectrum_of_levels = np.abs(np.fft.rfft(levels, 2 * N_SAMPLES)) ** 2
    agreement = np.fft.irfft(spectrum_of_levels)
    assert agreement[RATE // 65 : RATE // 7].max() > 0.3 * agreement[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_footsteps_are_slow_low_thuds(seed):
    sound = play("footsteps", seed)
    assert 60 <= peak_hz(sound) <= 130
    assert 1.4 <= rhythm_hz(sound, 1, 3) <= 2.7
    assert kurtosis(sound) > 8


@pytest.mark.parametrize("seed", SEEDS)
def test_knock_is_impulsive_and_quicker_than_footsteps(seed):
    sound = play("knock", seed)
    assert kurtosis(sound) > 20
    levels = np.sort(envelope(sound) ** 2)[::-1]
    assert levels[: len(levels) // 5].sum() > 0.9 * levels.sum()
    strokes, _ = signal.find_peaks(envelope(sound), height=0.4 * envelope(sound).max(), distance=5)
    assert 1 / 9.8 <= np.diff(strokes).min() * 0.01 <= 1 / 4.6
    assert 150 <= peak_hz(sound) <= 600


@pytest.mark.parametrize("seed", SEEDS)
def test_rain_is_broad_steady_and_bright(seed):
    sound = play("rain", seed)
    frequency_hz, power = spectrum(sound)
    band = power[(frequency_hz > 1500) & (frequency_hz < 6000)]
    assert np.exp(np.log(band).mean()) / band.mean() > 0.3  # flatness: 0 for a tone, 1 for white noise
    assert envelope(sound, 0.2).min() > 0.4 * envelope(sound, 0.2).max()
    assert 2000 < center_hz(sound) < 5000


@pytest.mark.parametrize("seed", SEEDS)
def test_siren_sweeps_without_a_pause(seed):
    sound = play("siren", seed)
    assert 5.5 <= span_semitones(pitch_path(sound)) <= 12.5
    assert envelope(sound, 0.02).min() > 0.8 * envelope(sound, 0.02).max()


@pytest.mark.parametrize("seed", SEEDS)
def test_wind_is_low_noise_in_slow_gusts(seed):
    sound = play("wind", seed)
    assert center_hz(sound) < 1300
    assert envelope(sound, 0.1).max() > 2 * envelope(sound, 0.1).min()
    assert kurtosis(sound) < 8
    assert rhythm_hz(sound, 0.3, 5) <= 1.2


@pytest.mark.parametrize("label", VOICES)
def test_pitch_moves_the_spectrum_of_a_voice(label):
    ratios = [center_hz(play(label, seed, 1.25)) / center_hz(play(label, seed)) for seed in SEEDS]
    assert 1.1 < np.median(ratios) < 1.4


def test_band_gain_is_a_fourth_order_butterworth_filter():
    frequency_hz = np.array([50.0, 200.0, 1000.0, 4000.0, 10000.0])
    _, low = signal.freqs(*signal.butter(4, 4000, analog=True), worN=frequency_hz)
    _, high = signal.freqs(*signal.butter(4, 200, "highpass", analog=True), worN=frequency_hz)
    np.testing.assert_allclose(band_gain(frequency_hz, 200, 4000), np.abs(low * high), rtol=1e-9)


@pytest.mark.parametrize("rate_hz", [0.1, 1.0, 7.3])
def test_an_event_always_lies_in_the_first_part_of_a_clip(rate_hz):
    for seed in range(50):
        times_s = onsets(keys.key(seed, "test"), rate_hz, 2.0, jitter=0.0)
        assert 0 <= times_s[0] <= min(1 / rate_hz, 1.0)
        np.testing.assert_allclose(np.diff(times_s), 1 / rate_hz)
