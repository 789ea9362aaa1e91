"""Judgements beside scikit-learn and scipy."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, log_loss

from cohear.evaluation.judgement import judge


def _logits(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (50, 3))


def test_one_label_per_clip():
    logits, labels = _logits(), np.random.default_rng(1).integers(0, 3, 50)
    made = judge(logits, labels[:, None] == np.arange(3), 2.0, multi_label=False)
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
    made = judge(logits, truth, 0.5, multi_label=True)
    shown = expit(logits / 0.5)
    assert made.n_right == ((logits >= 0) == truth).all(1).sum()
    assert made.nll == pytest.approx(np.mean([log_loss(truth[:, k], shown[:, k]) for k in range(3)]))
    assert made.brier == pytest.approx(np.mean([brier_score_loss(truth[:, k], shown[:, k]) for k in range(3)]))
    assert sum(b.n_answers for b in made.bins) == 150
    assert made.several is not None
    assert made.several.mean_average_precision == pytest.approx(average_precision_score(truth, logits))
    assert made.several.f1_macro == pytest.approx(f1_score(truth, logits >= 0, average="macro"))
    assert made.several.f1_micro == pytest.approx(f1_score(truth, logits >= 0, average="micro"))


def test_clips_without_any_label_have_no_average_precision():
    made = judge(np.full((4, 2), -1.0), np.zeros((4, 2), bool), multi_label=True)
    assert made.accuracy == 1.0
    assert made.several is not None
    assert vars(made.several) == {"mean_average_precision": None, "f1_macro": None, "f1_micro": None}
