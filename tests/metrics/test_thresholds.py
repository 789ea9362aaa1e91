"""Thresholds beside a search through every candidate, and cases counted by hand."""

import numpy as np
import pytest

from cohear.metrics.thresholds import Threshold, detections, false_alarms_per_hour, fit_threshold, fit_thresholds


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("precision", [0.5, 0.8, 0.95])
def test_it_is_the_smallest_probability_that_reaches_the_precision(seed, precision):
    random = np.random.default_rng(seed)
    probabilities = random.integers(0, 20, 60) / 20
    right = random.uniform(size=60) < probabilities
    reached = [p for p in set(probabilities) if right[probabilities >= p].mean() >= precision]
    threshold = fit_threshold(probabilities, right, 60, precision)
    if not reached:
        assert threshold is None
        return
    counts = probabilities >= min(reached)
    assert threshold is not None
    assert (threshold.probability, threshold.n_answers) == (min(reached), counts.sum())
    assert threshold.precision == pytest.approx(right[counts].mean())
    assert threshold.recall == pytest.approx(right[counts].sum() / 60)


def test_a_share_that_is_no_binary_number_is_reached_exactly():
    right = np.arange(100) < 55
    threshold = fit_threshold(np.linspace(1, 0.01, 100), right, 55, 0.55)
    assert threshold is not None
    assert (threshold.n_answers, threshold.precision) == (100, 0.55)


def test_of_one_label_per_clip_only_the_likeliest_answers():
    probabilities = np.array([[0.6, 0.4], [0.45, 0.55], [0.3, 0.7], [0.8, 0.2]])
    truth = np.array([[True, False], [True, False], [False, True], [True, False]])
    fitted = fit_thresholds(("frog", "rain"), probabilities, truth, 0.9, multi_label=False)
    assert fitted["frog"] == Threshold(0.6, 1.0, 2 / 3, 2)  # of three frogs two are answered
    assert fitted["rain"] == Threshold(0.7, 1.0, 1.0, 1)  # at 0.55 it would be half right


def test_of_several_labels_each_answers_for_itself_and_one_without_the_precision_has_none():
    probabilities = np.array([[0.9, 0.8], [0.8, 0.9], [0.1, 0.2]])
    truth = np.array([[True, False], [True, False], [False, False]])
    fitted = fit_thresholds(("frog", "rain"), probabilities, truth, 0.9, multi_label=True)
    assert fitted == {"frog": Threshold(0.8, 1.0, 1.0, 2)}
    counted = detections(("frog", "rain"), probabilities, fitted, multi_label=True)
    assert counted.tolist() == [[True, False], [True, False], [False, False]]


def test_false_alarms_need_background():
    assert false_alarms_per_hour(3, 1800, 1.0) == 6.0
    with pytest.raises(ValueError, match="at least one clip"):
        false_alarms_per_hour(0, 0, 5.0)


def test_a_precision_of_nothing_is_refused():
    with pytest.raises(ValueError, match="precision of 0"):
        fit_threshold(np.array([0.5]), np.array([True]), 1, 0.0)
