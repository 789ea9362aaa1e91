"""Calibration beside scikit-learn, scipy and cases counted by hand."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax as scipy_log_softmax
from sklearn.metrics import brier_score_loss

from cohear.metrics.calibration import (
    brier_score,
    calibration_error_by_chance,
    expected_calibration_error,
    fit_temperature,
    reliability_bins,
)


def _answers(n: int, seed: int = 0, bend: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities whose true rates are their powers; 1 is calibrated."""
    random = np.random.default_rng(seed)
    probabilities = random.uniform(0.05, 1.0, n)
    return probabilities, random.uniform(size=n) < probabilities**bend


def test_bins_of_equal_mass_hold_equally_many_and_keep_equal_probabilities_together():
    probabilities = np.array([0.9, 0.2, 0.9, 0.3, 0.9, 0.4])
    right = np.array([True, False, False, True, True, False])
    low, high = reliability_bins(probabilities, right, n_bins=2)
    assert (low.n_answers, low.probability, low.share_right) == (3, pytest.approx(0.3), pytest.approx(1 / 3))
    assert (high.n_answers, high.probability, high.share_right) == (3, pytest.approx(0.9), pytest.approx(2 / 3))
    assert expected_calibration_error(probabilities, right, 2) == pytest.approx((1 / 30 + 7 / 30) / 2)
    backwards = slice(None, None, -1)
    assert reliability_bins(probabilities[backwards], right[backwards], 2) == (low, high)


def test_many_calibrated_answers_have_a_small_error_and_bent_ones_the_integral_of_the_bend():
    calibrated = expected_calibration_error(*_answers(200_000))
    bent = expected_calibration_error(*_answers(200_000, bend=2.0))
    uniform = np.linspace(0.05, 1.0, 100_001)
    assert calibrated < 0.005
    assert bent == pytest.approx(np.mean(uniform - uniform**2), abs=0.005)


def test_the_error_by_chance_is_the_mean_error_of_true_probabilities():
    random = np.random.default_rng(3)
    probabilities = random.uniform(0.2, 0.95, 80)
    drawn = [expected_calibration_error(probabilities, random.uniform(size=80) < probabilities) for _ in range(300)]
    assert calibration_error_by_chance(probabilities) == pytest.approx(np.mean(drawn), rel=0.08)
    assert np.mean(drawn) > 0.08  # not a small thing


def test_brier_score_of_two_classes_is_twice_that_of_scikit_learn():
    probabilities, right = _answers(50)
    both = np.stack((probabilities, 1 - probabilities), axis=1)
    truth = np.stack((right, ~right), axis=1)
    assert brier_score(both, truth) == pytest.approx(2 * brier_score_loss(right, probabilities))


@pytest.mark.parametrize("scale", [0.2, 1.0, 5.0])
def test_temperature_minimizes_the_likelihood_as_scipy_does(scale):
    random = np.random.default_rng(2)
    logits = random.normal(0, 2, (300, 6))
    labels = np.array([random.choice(6, p=np.exp(row)) for row in scipy_log_softmax(logits, axis=1)])

    def loss(log_t: float) -> float:
        return -scipy_log_softmax(scale * logits / np.exp(log_t), axis=1)[np.arange(300), labels].mean()

    best = np.exp(minimize_scalar(loss, bounds=(-4, 4), method="bounded", options={"xatol": 1e-9}).x)
    assert fit_temperature(scale * logits, labels) == pytest.approx(best, rel=1e-4)
    assert fit_temperature(scale * logits + 100.0, labels) == pytest.approx(best, rel=1e-4)
    assert best == pytest.approx(scale, rel=0.15)
