import numpy as np
import pytest
from scipy.special import log_softmax

from cohear.metrics.likelihood import negative_log_likelihood


def _log_probabilities(*shape):
    return log_softmax(np.random.default_rng(1).normal(0, 3, shape), axis=-1)


def test_equal_probabilities_cost_the_log_of_the_number_of_classes():
    uniform = np.full((3, 50), -np.log(50))
    assert negative_log_likelihood(uniform, np.array([0, 7, 49])) == pytest.approx(np.log(50))


def test_a_certain_right_answer_costs_nothing():
    with np.errstate(divide="ignore"):
        certain = np.log(np.eye(3))
    assert str(negative_log_likelihood(certain, np.array([0, 1, 2]))) == "0.0"


def test_logits_are_refused_as_log_probabilities():
    with pytest.raises(ValueError, match=r"sum to .*give log-probabilities, not logits"):
        negative_log_likelihood(np.array([[3.0, 1.0]]), np.array([0]))


def test_nan_is_refused():
    with pytest.raises(ValueError, match="sum to nan"):
        negative_log_likelihood(np.array([[np.nan, 0.0]]), np.array([0]))


def test_a_label_out_of_range_is_named():
    with pytest.raises(ValueError, match="labels from 0 to 5: class indices here are 0 to 3"):
        negative_log_likelihood(_log_probabilities(2, 4), np.array([0, 5]))
