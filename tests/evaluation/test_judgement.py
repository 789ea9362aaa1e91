"""Judgements beside scikit-learn and scipy."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from scipy.stats import binomtest
from sklearn.metrics import brier_score_loss, log_loss

from cohear.evaluation.judgement import judge
from cohear.metrics.tasks import MULTI_LABEL, SINGLE_LABEL


def _logits(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (50, 3))


def test_one_label_per_clip():
    logits, labels = _logits(), np.random.default_rng(1).integers(0, 3, 50)
    made = judge(SINGLE_LABEL, logits, labels[:, None] == np.arange(3), 2.0)
    shown, right = softmax(logits / 2, axis=1), logits.argmax(1) == labels
    assert (made.n_clips, made.n_right, made.accuracy) == (50, right.sum(), right.mean())
    assert made.interval == pytest.approx(tuple(binomtest(int(right.sum()), 50).proportion_ci(method="wilson")))
    assert made.nll == pytest.approx(log_loss(labels, shown))
    assert made.brier == pytest.approx(np.square(shown - np.eye(3)[labels]).sum(1).mean())
    assert made.ece == pytest.approx(sum(b.n_answers * abs(b.probability - b.share_right) for b in made.bins) / 50)
    assert sum(b.n_answers * b.probability for b in made.bins) == pytest.approx(shown.max(1).sum())
    assert made.several is None


def test_several_labels_per_clip():
    logits = _logits()
    truth = np.random.default_rng(1).uniform(size=(50, 3)) < expit(logits)
    made = judge(MULTI_LABEL, logits, truth, 0.5)
    shown = expit(logits / 0.5)
    assert made.n_right == ((logits >= 0) == truth).all(1).sum()
    assert made.nll == pytest.approx(np.mean([log_loss(truth[:, k], shown[:, k]) for k in range(3)]))
    assert made.brier == pytest.approx(np.mean([brier_score_loss(truth[:, k], shown[:, k]) for k in range(3)]))
    assert sum(b.n_answers for b in made.bins) == 150
    assert made.several == MULTI_LABEL.scores(logits, truth)
