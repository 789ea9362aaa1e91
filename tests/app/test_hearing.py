"""Views against what is measured of them: cents, decay times, hidden cells; divergences against scipy."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from cohear.app.excerpts import take_excerpt
from cohear.app.hearing import (
    AMOUNTS,
    answered,
    divergence,
    hear_changed,
    hear_clean,
    hide,
    probabilities,
    without_hidden,
)
from cohear.evaluation.calibration import Calibration, Threshold

RATE = 16000
CHANGES = tuple(AMOUNTS)


def _tone(hz):
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(RATE) / RATE)).astype(np.float32)


@pytest.mark.parametrize("change", CHANGES)
def test_an_amount_of_zero_is_the_clean_clip(classifier, noise, change):
    clean, view = hear_clean(classifier, noise), hear_changed(classifier, noise, change, 0.0)
    assert view.description == "clean"
    np.testing.assert_array_equal(view.waveform, noise.waveform)
    for field in ("log_mel", "logits"):
        np.testing.assert_array_equal(getattr(view, field), getattr(clean, field))
    assert divergence(classifier, [clean, view, view, view]) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("change", CHANGES)
def test_an_amount_changes_the_answer(classifier, noise, change):
    clean, view = hear_clean(classifier, noise), hear_changed(classifier, noise, change, 3.0)
    if change == "masks":
        view = hear_changed(classifier, noise, change, 30.0)
    assert np.abs(view.log_mel - clean.log_mel).max() > 1
    assert divergence(classifier, [clean, view]) > 1e-3


@pytest.mark.parametrize("semitones", [-7.0, 0.5, 12.0])
def test_the_pitch_is_as_many_cents_away_as_asked_for(classifier, semitones):
    tone = take_excerpt(classifier, _tone(500), "tone", "made here")
    view = hear_changed(classifier, tone, "pitch", semitones)
    windowed = np.abs(np.fft.rfft(view.waveform * np.hanning(RATE), 16 * RATE))
    cents = 1200 * math.log2(np.argmax(windowed) / 16 / 500)
    assert cents == pytest.approx(100 * semitones, abs=1)
    assert view.description == f"pitch {semitones:+g} semitones"


@pytest.mark.parametrize("rt60_s", [0.3, 0.8])
def test_the_room_decays_in_the_time_asked_for(classifier, rt60_s):
    click = np.zeros(RATE, np.float32)
    click[0] = 1
    view = hear_changed(classifier, take_excerpt(classifier, click, "click", "made here"), "room", rt60_s)
    decay_db = 10 * np.log10(np.cumsum(np.square(view.waveform[::-1], dtype=float))[::-1] + 1e-12)
    decay_db -= decay_db[0]
    fitted = (decay_db < -5) & (decay_db > -35)
    slope = np.polyfit(np.flatnonzero(fitted) / RATE, decay_db[fitted], 1)[0]
    assert -60 / slope == pytest.approx(rt60_s, rel=0.05)


def test_amounts_beyond_the_limits_count_as_the_limits(classifier, noise):
    for change, amount, same in (("pitch", 99, 12), ("room", 0.06, 0.1), ("room", -1, 0), ("masks", 1000, 60)):
        view, limited = (hear_changed(classifier, noise, change, float(a)) for a in (amount, same))
        assert view.description == limited.description
        np.testing.assert_array_equal(view.log_mel, limited.log_mel)
    with pytest.raises(ValueError, match="finite"):
        hear_changed(classifier, noise, "pitch", math.nan)


def test_masks_hide_the_share_asked_for_and_keep_the_rest(classifier):
    half = take_excerpt(classifier, _tone(500)[: RATE // 2], "half", "made here")
    clean, view = hear_clean(classifier, half), hear_changed(classifier, half, "masks", 25.0)
    n_sound = 1 + RATE // 2 // 200  # frames
    _, hidden = hide(torch.from_numpy(clean.log_mel)[None], 0.25, n_sound)
    assert np.flatnonzero(hidden.all(1)).tolist() == [5, 6, 13, 14]  # of 20 bands
    assert hidden.all(0)[:n_sound].sum() == 2 * (n_sound // 8)
    assert not hidden.all(0)[n_sound:].any()
    np.testing.assert_array_equal(view.log_mel[~hidden], clean.log_mel[~hidden])
    np.testing.assert_allclose(view.log_mel[hidden], clean.log_mel[:, :n_sound].mean(), rtol=1e-5)


def test_to_the_ear_the_hidden_is_silent_and_the_rest_is_not(classifier):
    front_end = classifier.front_end
    n_frames = front_end.n_frames(RATE)
    bands = np.zeros((20, n_frames), bool)
    bands[:10] = True  # up to about 2 kHz
    levels = [np.abs(without_hidden(_tone(hz), bands, front_end)).max() for hz in (300, 6000)]
    assert levels[0] < 0.003
    assert levels[1] == pytest.approx(0.3, rel=0.01)
    frames = np.zeros((20, n_frames), bool)
    frames[:, 20:40] = True
    gap = without_hidden(_tone(300), frames, front_end)
    assert not gap[20 * 200 : 39 * 200].any()
    np.testing.assert_allclose(gap[: 19 * 200], _tone(300)[: 19 * 200], atol=1e-6)


def test_divergences_are_those_of_scipy(classifier, noise):
    views = [hear_clean(classifier, noise)] + [hear_changed(classifier, noise, "pitch", s) for s in (-5.0, 3.0, 12.0)]
    shares = np.stack([probabilities(classifier, view) for view in views]).astype(float)
    assert divergence(classifier, views[:2]) == pytest.approx(jensenshannon(*shares[:2]) ** 2, rel=1e-3)
    by_entropies = entropy(shares.mean(0)) - entropy(shares, axis=1).mean()
    assert divergence(classifier, views) == pytest.approx(by_entropies, rel=1e-3)

    several = dataclasses.replace(classifier, multi_label=True)
    yes = np.stack([probabilities(several, view) for view in views]).astype(float)
    both = np.stack([yes, 1 - yes], -1)  # [view, label, yes or no]
    by_label = entropy(both.mean(0), axis=-1) - entropy(both, axis=-1).mean(0)
    assert divergence(several, views) == pytest.approx(by_label.mean(), rel=1e-3)


@pytest.mark.parametrize("multi_label", [False, True])
def test_probabilities_are_the_classifiers_own_temperature_included(classifier, noise, multi_label):
    tempered = dataclasses.replace(classifier, multi_label=multi_label, calibration=Calibration(temperature=2.5))
    heard = probabilities(tempered, hear_clean(tempered, noise))
    np.testing.assert_allclose(heard, tempered.probabilities(noise.waveform[None])[0], rtol=1e-5)


def test_the_answer_is_the_likeliest_label_or_all_that_reach_their_threshold(classifier, noise):
    view = dataclasses.replace(hear_clean(classifier, noise), logits=np.array([-1.0, 2.0, 0.1, -0.1, 3.0], np.float32))
    assert answered(classifier, view) == ("emu",)
    thresholds = {"ape": Threshold(0.2, 0.9, 1.0, 9), "bee": Threshold(0.9, 0.9, 1.0, 9)}
    several = dataclasses.replace(
        classifier, multi_label=True, calibration=Calibration(thresholds=thresholds, precision=0.9, n_clips=9)
    )
    assert answered(several, view) == ("ape", "cat", "emu")  # sigmoids 0.27, 0.88, 0.52, 0.48, 0.95
