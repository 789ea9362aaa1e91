"""Answers of several labels beside scikit-learn and cases counted by hand."""

import numpy as np
import pytest
from scipy.special import expit, log_expit
from sklearn.metrics import average_precision_score, f1_score, log_loss

from cohear.metrics.multi_label import (
    average_precision,
    bernoulli_likelihood_loss,
    bernoulli_logits,
    exact_match,
    f1_scores,
    mean_average_precision,
)


def _case(ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (60, 4))
    truth = random.uniform(size=(60, 4)) < expit(logits) * 0.7
    return (np.round(logits) if ties else logits), truth


@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_agrees_with_scikit_learn(ties):
    scores, truth = _case(ties)
    expected = [average_precision_score(truth[:, k], scores[:, k]) for k in range(4)]
    np.testing.assert_allclose(average_precision(scores, truth), expected, rtol=1e-12)
    assert mean_average_precision(scores, truth) == pytest.approx(np.mean(expected))


def test_a_label_that_no_clip_has_is_left_out_of_the_mean():
    scores = np.array([[0.9, 0.9], [0.1, 0.2]])
    truth = np.array([[True, False], [False, False]])
    assert np.isnan(average_precision(scores, truth)[1])
    assert mean_average_precision(scores, truth) == 1.0
    with pytest.raises(ValueError, match="no clip has a label"):
        mean_average_precision(scores, np.zeros((2, 2), bool))


def test_f1_agrees_with_scikit_learn():
    logits, truth = _case()
    f1 = f1_scores(logits > 0, truth)
    np.testing.assert_allclose(f1.by_label, f1_score(truth, logits > 0, average=None))
    assert f1.macro == pytest.approx(f1_score(truth, logits > 0, average="macro"))
    assert f1.micro == pytest.approx(f1_score(truth, logits > 0, average="micro"))


def test_a_label_neither_true_nor_answered_has_no_f1():
    answered = np.array([[True, False], [False, False]])
    f1 = f1_scores(answered, np.array([[True, False], [True, False]]))
    assert np.isnan(f1.by_label[1])
    assert f1.macro == f1.micro == pytest.approx(2 / 3)
    assert np.isnan(f1_scores(np.zeros((2, 2), bool), np.zeros((2, 2), bool)).macro)


def test_exact_match_takes_no_label_for_an_answer():
    answered = np.array([[False, False], [False, False], [True, True]])
    truth = np.array([[False, False], [True, False], [True, True]])
    assert exact_match(answered, truth).tolist() == [True, False, True]


def test_likelihood_agrees_with_scikit_learn_and_is_finite_for_certain_logits():
    logits, truth = _case()
    expected = np.mean([log_loss(truth[:, k], expit(logits[:, k]), labels=[False, True]) for k in range(4)])
    assert bernoulli_likelihood_loss(logits, truth) == pytest.approx(expected)
    assert bernoulli_likelihood_loss(np.array([[1e4]]), np.array([[False]])) == 1e4


def test_no_clips_are_refused():
    with pytest.raises(ValueError, match=r"shape \(0, 2\)"):
        f1_scores(np.zeros((0, 2), bool), np.zeros((0, 2), bool))


def test_logits_come_back_from_log_probabilities_kept_in_half_precision():
    logits = np.array([[-15.0, -3.0, 0.0, 3.0, 15.0]])
    np.testing.assert_allclose(bernoulli_logits(log_expit(logits).astype(np.float16)), logits, atol=0.11)
    assert np.abs(bernoulli_logits(np.array([[0.0, -1e5]], np.float32))).round(1).tolist() == [[16.6, 16.6]]
