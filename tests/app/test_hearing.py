"""Views against what is measured of them: cents, decay times, hidden cells; divergences against scipy."""

import dataclasses
import io
import math

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from cohear.app.hearing import AMOUNTS, answered, divergence, hear, probabilities, without_hidden
from cohear.app.sounds import take_excerpt
from cohear.evaluation.calibration import Calibration, Threshold
from cohear.reports.plots import log_mel_png
from cohear.transforms import SpecAugment
from made_models import changed

RATE = 16000


def _tone(hz):
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(RATE) / RATE)).astype(np.float32)


@pytest.mark.parametrize("change", AMOUNTS)
def test_an_amount_changes_the_answer_and_zero_is_the_clean_clip(classifier, noise, change):
    clean, same, changed = (hear(classifier, noise, change, amount) for amount in (0.0, 0.0, AMOUNTS[change].first))
    for field in ("waveform", "log_mel", "logits"):
        np.testing.assert_array_equal(getattr(same, field), getattr(hear(classifier, noise), field))
    assert divergence(classifier, [clean, same, same, same]) == pytest.approx(0, abs=1e-6)
    assert np.abs(changed.log_mel - clean.log_mel).max() > 1
    assert divergence(classifier, [clean, changed]) > 1e-3


def test_the_pitch_is_as_many_cents_away_as_asked_for(classifier):
    semitones = -7.0
    view = hear(classifier, take_excerpt(classifier, _tone(500), "tone", "made here"), "pitch", semitones)
    windowed = np.abs(np.fft.rfft(view.waveform * np.hanning(RATE), 16 * RATE))
    cents = 1200 * math.log2(np.argmax(windowed) / 16 / 500)
    assert cents == pytest.approx(100 * semitones, abs=1)
    assert view.description == f"pitch {semitones:+g} semitones"


def test_the_room_decays_in_the_time_asked_for(classifier):
    click = np.zeros(RATE, np.float32)
    click[0] = 1
    view = hear(classifier, take_excerpt(classifier, click, "click", "made here"), "room", 0.8)
    decay_db = 10 * np.log10(np.cumsum(np.square(view.waveform[::-1], dtype=float))[::-1] + 1e-12)
    decay_db -= decay_db[0]
    fitted = (decay_db < -5) & (decay_db > -35)
    slope = np.polyfit(np.flatnonzero(fitted) / RATE, decay_db[fitted], 1)[0]
    assert -60 / slope == pytest.approx(0.8, rel=0.05)


def test_masks_hide_the_share_asked_for_by_the_mean_and_keep_the_rest(classifier):
    half = take_excerpt(classifier, _tone(500)[: RATE // 2], "half", "made here")
    clean, view = hear(classifier, half), hear(classifier, half, "masks", 25.0)
    n_sound = 1 + RATE // 2 // 200  # frames
    hidden = view.log_mel != clean.log_mel
    bands, frames = hidden[:, :n_sound].all(1), hidden.all(0)
    assert bands.sum() == 2 * 2  # of 20 bands
    assert frames[:n_sound].sum() == 2 * (n_sound // 8)
    assert not frames[n_sound:].any()
    assert (hidden == (bands[:, None] | frames)).all()
    assert SpecAugment().fill == "mean"
    np.testing.assert_allclose(view.log_mel[hidden], clean.log_mel[:, :n_sound].mean(), rtol=1e-5)
    assert clean.picture is clean.log_mel
    assert np.array_equal(np.isnan(view.picture), view.is_hidden)
    drawn = imread(io.BytesIO(log_mel_png(view.picture, 0.0)))[::-1]  # bands upwards
    assert np.array_equal(drawn[:, :, 3] == 0, view.is_hidden)  # a gap shows the page


def test_to_the_ear_the_hidden_is_silent_and_the_rest_is_not(classifier):
    front_end = classifier.front_end
    places = np.arange(front_end.n_frames(RATE))
    seen = np.zeros(len(places), bool)
    low = np.arange(20) < 10  # up to about 2 kHz
    levels = [np.abs(without_hidden(_tone(hz), low, seen, front_end)).max() for hz in (300, 6000)]
    assert levels[0] < 0.003
    assert levels[1] == pytest.approx(0.3, rel=0.01)
    gap = without_hidden(_tone(300), np.zeros(20, bool), (places >= 20) & (places < 40), front_end)
    assert not gap[20 * 200 : 39 * 200].any()
    np.testing.assert_allclose(gap[: 19 * 200], _tone(300)[: 19 * 200], atol=1e-6)


def test_divergences_are_those_of_scipy(classifier, noise):
    views = [hear(classifier, noise, "pitch", semitones) for semitones in (0.0, -5.0, 3.0, 12.0)]
    shares = np.stack([probabilities(classifier, view) for view in views]).astype(float)
    assert divergence(classifier, views[:2]) == pytest.approx(jensenshannon(*shares[:2]) ** 2, rel=1e-3)
    by_entropies = entropy(shares.mean(0)) - entropy(shares, axis=1).mean()
    assert divergence(classifier, views) == pytest.approx(by_entropies, rel=1e-3)

    several = changed(classifier, task="multi_label")
    yes = np.stack([probabilities(several, view) for view in views]).astype(float)
    both = np.stack([yes, 1 - yes], -1)  # [view, label, yes or no]
    by_label = entropy(both.mean(0), axis=-1) - entropy(both, axis=-1).mean(0)
    assert divergence(several, views) == pytest.approx(by_label.mean(), rel=1e-3)


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_probabilities_are_the_classifiers_own_temperature_included(classifier, noise, task):
    tempered = changed(classifier, task=task, calibration=Calibration(temperature=2.5))
    heard = probabilities(tempered, hear(tempered, noise))
    np.testing.assert_allclose(heard, tempered.probabilities(noise.waveform[None])[0], rtol=1e-5)


def test_the_answer_is_the_likeliest_label_or_all_that_reach_their_threshold(classifier, noise):
    view = dataclasses.replace(hear(classifier, noise), logits=np.array([-1.0, 2.0, 0.1, -0.1, 3.0], np.float32))
    assert answered(classifier, view) == ("emu",)
    thresholds = {"ape": Threshold(0.2, 0.9, 1.0, 9), "bee": Threshold(0.9, 0.9, 1.0, 9)}
    several = changed(
        classifier, task="multi_label", calibration=Calibration(thresholds=thresholds, precision=0.9, n_clips=9)
    )
    assert answered(several, view) == ("ape", "cat", "emu")  # sigmoids 0.27, 0.88, 0.52, 0.48, 0.95
