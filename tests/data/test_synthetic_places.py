import dataclasses

import numpy as np
import pytest
from scipy import signal

from cohear import keys
from cohear.data.synthetic import made_up_sound
from cohear.data.synthetic_places import PEAK_LIMIT, PLACES, record, room_response
from cohear.data.synthetic_voices import VOICES

pytestmark = pytest.mark.slow

RATE = 22050
N_SAMPLES = 2 * RATE


def spectrum(sound):
    return signal.welch(sound, RATE, nperseg=8192)


def peak_hz(sound):
    frequency_hz, power = spectrum(sound)
    return frequency_hz[power.argmax()]


def rms_in_frames(sound, frame_s=0.05):
    n = round(frame_s * RATE)
    return np.sqrt(np.mean(sound[: len(sound) // n * n].reshape(-1, n) ** 2, axis=1))


def bare(place):
    """Return the place without room, color, noise and gaps."""
    return dataclasses.replace(
        place,
        rt60_s=0.01,
        reverberant_db=-60,
        band_hz=(20, 10000),
        tilt_db=0,
        noise_db=-200,
        n_gaps=(0, 0),
    )


@pytest.mark.parametrize("place", PLACES)
def test_room_decays_by_60_db_in_its_reverberation_time(place):
    response = room_response(keys.key(0, "test"), place.rt60_s, place.reverberant_db, RATE)
    decay_db = 10 * np.log10(np.cumsum(response[:0:-1] ** 2)[::-1])
    decay_db -= decay_db[0]
    inside = np.flatnonzero((decay_db < -5) & (decay_db > -25))
    slope_db_per_s = np.polyfit(inside / RATE, decay_db[inside], 1)[0]
    assert -60 / slope_db_per_s == pytest.approx(place.rt60_s, rel=0.1)
    assert 10 * np.log10(np.sum(response[1:] ** 2)) == pytest.approx(place.reverberant_db, abs=0.1)


@pytest.mark.parametrize("place", PLACES)
def test_microphone_keeps_its_band(place):
    only_band = dataclasses.replace(bare(place), band_hz=place.band_hz)
    source = np.random.default_rng(0).standard_normal(4 * RATE)
    frequency_hz, power = spectrum(record(source, only_band, keys.key(0, "test"), RATE))
    middle = power[(frequency_hz > 500) & (frequency_hz < 2000)].mean()

    def level_db(hz):
        return 10 * np.log10(power[np.abs(frequency_hz / hz - 1) < 0.1].mean() / middle)

    low_hz, high_hz = place.band_hz
    assert level_db(high_hz) == pytest.approx(-3, abs=1.5)
    assert level_db(2 * low_hz) == pytest.approx(0, abs=1)
    if 1.7 * high_hz < RATE / 2:
        assert level_db(1.7 * high_hz) < -15


@pytest.mark.parametrize("place", PLACES)
def test_noise_floor_has_its_level_and_color(place):
    click = np.zeros(4 * RATE)
    click[0] = 1
    noises = [record(click, place, keys.key(seed, "test"), RATE)[2 * RATE :] for seed in range(8)]
    levels_db = [20 * np.log10(np.median(rms_in_frames(noise))) for noise in noises]
    assert np.mean(levels_db) == pytest.approx(place.noise_db, abs=2.5)
    frequency_hz, power = spectrum(np.concatenate(noises))
    inside = (frequency_hz > 100) & (frequency_hz < 8000)
    octaves, power_db = np.log2(frequency_hz[inside]), 10 * np.log10(power[inside])
    assert np.polyfit(octaves, power_db, 1)[0] == pytest.approx(place.noise_tilt_db, abs=0.5)


def test_only_the_last_place_loses_whole_stretches():
    for place in PLACES:
        for seed in range(4):
            recording = made_up_sound("siren", place, keys.key(seed, "test"), N_SAMPLES)
            silence_s = np.sum(recording == 0) / RATE
            assert (0.02 < silence_s < 0.4) if place is PLACES[-1] else silence_s < 0.01


def test_registers_of_the_places_lie_three_semitones_apart():
    # The same key draws the same carrier in each place, so only the register differs. The strongest line may be
    # the carrier or a sideband of its pulses, 25 to 40 Hz away: 0.2 semitones.
    for seed in range(8):
        pitches_hz = [
            peak_hz(made_up_sound("cricket", bare(place), keys.key(seed, "test"), N_SAMPLES)) for place in PLACES
        ]
        np.testing.assert_allclose(12 * np.diff(np.log2(pitches_hz)), 3.0, atol=0.25)


@pytest.mark.parametrize("label", VOICES)
def test_every_recording_is_loud_enough_and_never_clips(label):
    for place in PLACES:
        for seed in range(3):
            recording = made_up_sound(label, place, keys.key(seed, "test"), N_SAMPLES)
            assert np.isfinite(recording).all()
            assert 0.1 < np.abs(recording).max() <= PEAK_LIMIT + 1e-12
            # the loudest 50 ms stand out from the noise floor, so that a person can hear what it is
            assert 20 * np.log10(rms_in_frames(recording).max()) > place.noise_db + 5
