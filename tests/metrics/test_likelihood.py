import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import log_softmax
from scipy.stats import entropy

from cohear.metrics.likelihood import jensen_shannon, negative_log_likelihood


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


def test_two_views_agree_with_scipy():
    logs = _log_probabilities(2, 20, 6)
    expected = [jensenshannon(*np.exp(logs[:, i])) ** 2 for i in range(20)]
    np.testing.assert_allclose(jensen_shannon(logs), expected, rtol=1e-10)


def test_many_views_are_the_entropy_of_the_mean_less_the_mean_entropy():
    probabilities = np.exp(_log_probabilities(5, 20, 6))
    expected = entropy(probabilities.mean(0), axis=-1) - entropy(probabilities, axis=-1).mean(0)
    np.testing.assert_allclose(jensen_shannon(np.log(probabilities)), expected, rtol=1e-9)


def test_equal_views_do_not_diverge_and_opposite_ones_diverge_by_the_log_of_their_number():
    with np.errstate(divide="ignore"):
        one_hot = np.log(np.eye(3))
    np.testing.assert_allclose(jensen_shannon(np.stack([one_hot] * 3)), 0, atol=1e-15)
    np.testing.assert_allclose(jensen_shannon(one_hot[:, None, :]), np.log(3))


def test_float32_is_computed_in_float64():
    logs = _log_probabilities(3, 10, 6).astype(np.float32)
    np.testing.assert_array_equal(jensen_shannon(logs), jensen_shannon(logs.astype(np.float64)))
