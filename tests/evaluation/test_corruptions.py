"""Each corruption does what its table says, measured independently, and a higher severity does more of it."""

import itertools

import numpy as np
import pytest
import torch
from scipy.signal import butter, correlate, sosfiltfilt

from cohear.evaluation.corruptions import CORRUPTIONS, GAP_S, SEVERITIES, Corruption

RATE = 22050
KEYS = np.array([11, 12, 13], np.uint64)
BY_NAME = {corruption.name: corruption for corruption in CORRUPTIONS}


def _sounds(n: int = 6000) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal((3, n)).astype(np.float32)


def _tones(hz: float) -> np.ndarray:
    return np.tile(0.5 * np.sin(2 * np.pi * hz * np.arange(6000) / RATE), (3, 1)).astype(np.float32)


def _apply(corruption: Corruption, sounds: np.ndarray, severity: int) -> np.ndarray:
    return corruption.apply(torch.from_numpy(sounds), KEYS[: len(sounds)], severity, RATE).numpy()


def _level_db(sounds: np.ndarray) -> float:
    return 10 * np.log10(np.square(sounds.astype(float)).sum())


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda c: c.name)
def test_it_is_a_function_of_clip_and_severity_that_keeps_the_input(corruption):
    sounds = _sounds()
    before = sounds.copy()
    made = [_apply(corruption, sounds, severity) for severity in (1, 2)]
    assert np.array_equal(sounds, before)
    assert not np.array_equal(made[0], made[1])
    for severity, corrupted in zip((1, 2), made, strict=True):
        assert corrupted.shape == sounds.shape
        assert np.isfinite(corrupted).all()
        alone = corruption.apply(torch.from_numpy(sounds[1:2]), KEYS[1:2], severity, RATE).numpy()
        np.testing.assert_allclose(alone, corrupted[1:2], atol=1e-6)


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda c: c.name)
def test_silence_of_any_length_gives_no_nan_at_any_rate(corruption):
    for n, rate in ((1, 8000), (800, 11025)):
        corrupted = corruption.apply(torch.zeros(1, n), KEYS[:1], 1, rate)
        assert not corrupted.any()


@pytest.mark.parametrize("color", ["white", "pink"])
def test_noise_has_the_ratio_of_the_table_and_is_the_same_noise(color):
    sounds = _sounds()
    noises = [_apply(BY_NAME[f"{color} noise"], sounds, severity) - sounds for severity in SEVERITIES]
    ratios = [_level_db(sounds) - _level_db(noise) for noise in noises]
    assert ratios == pytest.approx(BY_NAME[f"{color} noise"].levels, abs=0.01)
    assert np.corrcoef(noises[2][0], noises[4][0])[0, 1] > 0.999


def test_rooms_ring_as_long_as_the_table_says():
    times_s = []
    for severity in (1, 2):
        impulse = np.zeros((1, RATE), np.float32)
        impulse[0, 0] = 1.0
        response = _apply(BY_NAME["rooms"], impulse, severity)[0].astype(float)
        decay_db = 10 * np.log10(np.cumsum(np.square(response)[::-1])[::-1] / np.square(response).sum() + 1e-12)
        start, end = (int(np.argmax(decay_db < level)) for level in (-5, -35))
        slope = np.polyfit(np.arange(start, end) / RATE, decay_db[start:end], 1)[0]
        times_s.append(-60 / slope)
    assert times_s == pytest.approx(BY_NAME["rooms"].levels[:2], rel=0.05)


@pytest.mark.parametrize(("name", "side"), [("low-pass", "lowpass"), ("high-pass", "highpass")])
def test_filters_are_those_of_scipy(name, side):
    sounds = _sounds()
    for severity in (2, 4):
        filtered = _apply(BY_NAME[name], sounds, severity)
        expected = sosfiltfilt(butter(2, BY_NAME[name].levels[severity - 1], side, fs=RATE, output="sos"), sounds)
        middle = slice(2000, -2000)  # scipy guesses what is beyond the ends
        np.testing.assert_allclose(filtered[:, middle], expected[:, middle], atol=2e-3)


def test_clipping_and_attenuation_have_the_levels_of_the_table():
    sounds = _sounds()
    peaks = [np.abs(_apply(BY_NAME["clipping"], sounds, severity)).max(axis=1) for severity in SEVERITIES]
    depths = 20 * np.log10(np.abs(sounds).max(axis=1) / peaks)
    np.testing.assert_allclose(depths, np.tile(np.array(BY_NAME["clipping"].levels)[:, None], 3), atol=0.01)
    levels = [_level_db(sounds) - _level_db(_apply(BY_NAME["attenuation"], sounds, s)) for s in SEVERITIES]
    assert levels == pytest.approx(BY_NAME["attenuation"].levels, abs=0.01)


def test_coding_errors_and_lost_bands_grow():
    sounds = _sounds()
    errors = [_level_db(_apply(BY_NAME["coding"], sounds, severity) - sounds) for severity in SEVERITIES]
    assert np.diff(errors).min() > 0.5
    middle = slice(1000, -1000)
    assert _level_db(_apply(BY_NAME["coding"], _tones(3500.0), 5)[:, middle]) < _level_db(_tones(3500.0)) - 40


def test_a_time_shift_is_a_share_of_the_clip_and_loses_nothing():
    sounds = _sounds(4000)
    for severity, percent in zip(SEVERITIES, BY_NAME["time shift"].levels, strict=True):
        shifted = _apply(BY_NAME["time shift"], sounds, severity)
        for before, after in zip(sounds, shifted, strict=True):
            lag = int(correlate(np.tile(after, 2), before, "valid").argmax()) % 4000
            assert min(lag, 4000 - lag) == round(percent / 100 * 4000)
            assert np.array_equal(np.sort(before), np.sort(after))


def test_dropouts_are_gaps_of_the_share_of_the_table_and_grow_from_each_other():
    sounds = _sounds() + 1.0
    lost = [_apply(BY_NAME["dropouts"], sounds, severity) == 0 for severity in SEVERITIES]
    shares = [gaps.mean() for gaps in lost]
    assert shares == pytest.approx(np.array(BY_NAME["dropouts"].levels) / 100, abs=0.1)  # of six stretches
    assert all((less <= more).all() for less, more in itertools.pairwise(lost))
    edges = np.flatnonzero(np.diff(lost[0][0].astype(int)))
    assert np.isin((edges + 1) % round(GAP_S * RATE), (0,)).all()
    assert not np.array_equal(lost[2][0], lost[2][1])


def test_pitch_moves_by_the_semitones_of_the_table_either_way():
    cents = []
    for severity in (1, 4):
        shifted = _apply(BY_NAME["pitch"], _tones(1000.0), severity)
        spectra = np.abs(np.fft.rfft(shifted * np.hanning(6000), 16 * RATE))
        cents.append(1200 * np.log2(spectra.argmax(axis=1) / 16 / 1000.0))
    expected = 100 * np.array(BY_NAME["pitch"].levels)[[0, 3], None]
    np.testing.assert_allclose(np.abs(cents), np.tile(expected, 3), atol=2.0)
    assert len({tuple(row) for row in np.sign(cents)}) == 1  # a clip keeps its direction
