import numpy as np
import pytest

from cohear.benchmarks.pitch_quality import (
    HARMONICS_HZ,
    LOW_PAIR_HZ,
    PAPER_SHIFTS,
    TONES_HZ,
    alias_db,
    alias_tones_hz,
    click_level_db,
    click_share,
    click_train,
    harmonics,
    harmonics_residual_db,
    low_pair,
    low_pair_residual_db,
    noise_level_db,
    residual_db,
    tone,
    tone_quality,
    white_noise,
)

RATES = [8_000, 22_050, 44_100, 96_000]


@pytest.mark.parametrize("sample_rate", RATES)
@pytest.mark.parametrize("detuned_cents", [-40.0, -4.2, 0.0, 0.3, 30.0])
def test_a_detuned_tone_is_measured_as_detuned(sample_rate: int, detuned_cents: float):
    for expected_hz in (60.0, 440.0, 0.3 * sample_rate):
        quality = tone_quality(tone(expected_hz * 2 ** (detuned_cents / 1200), sample_rate), expected_hz, sample_rate)
        assert quality.error_cents == pytest.approx(detuned_cents, abs=1e-4)
        assert quality.level_db == pytest.approx(0.0, abs=1e-4)
        assert quality.residual_db < -90


def test_a_tone_of_three_quarters_of_its_amplitude_has_lost_two_and_a_half_db():
    quality = tone_quality(tone(1_000.0, 16_000, phase=1.0, amplitude=0.3), 1_000.0, 16_000, amplitude=0.4)
    assert quality.level_db == pytest.approx(20 * np.log10(0.75), abs=1e-6)


def test_what_lies_beside_the_tone_is_the_residual():
    beside = tone(500.0, 44_100) + tone(700.0, 44_100, amplitude=0.05)
    assert tone_quality(beside, 500.0, 44_100).residual_db == pytest.approx(10 * np.log10(0.01 / 1.01), abs=0.01)
    assert residual_db(beside, [500.0, 700.0], [10.0, 20.0], 44_100) < -100
    assert tone_quality(tone(600.0, 44_100), 500.0, 44_100).residual_db == pytest.approx(0.0, abs=1e-6)


def test_silence_is_the_worst_and_finite():
    silence = np.zeros(5 * 8_000)
    quality = tone_quality(silence, 440.0, 8_000)
    assert quality.level_db < -100
    assert quality.residual_db == 0.0
    assert np.isfinite(quality.error_cents)
    assert click_share(silence, 8_000) == 0.0
    assert noise_level_db(silence, white_noise(8_000), 1.0, 8_000) < -100


@pytest.mark.parametrize("semitones", [-2.5, 0.0, 12.0])
def test_notes_of_several_lines_are_kept_at_their_new_places(semitones: float):
    ratio = 2 ** (semitones / 12)
    pair = sum(tone(hz * ratio, 44_100) for hz in LOW_PAIR_HZ)
    note = sum(tone(hz * ratio, 44_100, amplitude=0.05) for hz in HARMONICS_HZ)
    assert low_pair_residual_db(pair, semitones, 44_100) < -80
    assert harmonics_residual_db(note, semitones, 44_100) < -80
    assert low_pair_residual_db(pair, semitones + 2, 44_100) > -0.01
    assert harmonics_residual_db(note, semitones + 1.2, 44_100) > -0.5  # only the first partial may be near
    assert low_pair_residual_db(low_pair(44_100), 0.0, 44_100) < -80
    assert harmonics_residual_db(harmonics(44_100), 0.0, 44_100) < -80


@pytest.mark.parametrize("sample_rate", RATES)
def test_clicks_smeared_to_ten_milliseconds_keep_half_of_their_energy(sample_rate: int):
    clicks = click_train(sample_rate)
    assert clicks.sum() == 19
    assert click_share(clicks, sample_rate) == 1.0
    moved = np.roll(clicks, round(0.01 * sample_rate))
    assert click_share(moved, sample_rate) == 0.0
    assert click_share(clicks + moved, sample_rate) == 0.5
    assert click_level_db(clicks, clicks, -1.0) == 0.0
    assert click_level_db(0.5 * clicks, clicks, 12.0) == pytest.approx(10 * np.log10(0.5))


def test_white_noise_may_lose_what_leaves_the_band_and_no_more():
    noise = white_noise(16_000)
    assert noise_level_db(noise, noise, -2.0, 16_000) == pytest.approx(0.0)
    # An ideal shift by an octave up keeps the lower half of the spectrum's energy.
    assert noise_level_db(noise * np.sqrt(0.5), noise, 12.0, 16_000) == pytest.approx(0.0)


def test_alias_tones_do_not_fit_after_the_shift_but_are_heard_before_it():
    for semitones in PAPER_SHIFTS:
        for hz in alias_tones_hz(semitones, 44_100):
            assert 1.05 * 22_050 / 2 ** (semitones / 12) <= hz < 22_050
    assert alias_tones_hz(-2.0, 44_100) == ()
    assert alias_tones_hz(0.5, 44_100) == ()  # nothing between 5 % above the limit and half the sample rate
    left = tone(21_000.0, 44_100)
    assert alias_db(0.001 * left, left, 44_100) == pytest.approx(-60.0)


def test_the_tones_are_thirds_of_an_octave():
    assert TONES_HZ[0] == 60.0
    assert 9_500 < TONES_HZ[-1] < 10_000
    assert np.diff(np.log2(TONES_HZ)) == pytest.approx(1 / 3)


def test_a_clip_that_is_too_short_to_measure_is_refused():
    with pytest.raises(ValueError, match="at least 4 s"):
        tone_quality(np.zeros(3 * 8_000), 440.0, 8_000)
