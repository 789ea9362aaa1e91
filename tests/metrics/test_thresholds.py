"""Thresholds beside a search through every candidate, cases counted by hand, and the answers they were fitted on."""

import numpy as np
import pytest
from scipy.special import log_expit, log_softmax

from cohear.metrics.tasks import MULTI_LABEL, SINGLE_LABEL
from cohear.metrics.thresholds import Threshold, default_thresholds, detections, fit_threshold, fit_thresholds


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("precision", [0.5, 0.8, 0.95])
def test_it_counts_as_many_answers_as_reach_the_precision(seed, precision):
    random = np.random.default_rng(seed)
    probabilities = random.integers(0, 20, 60) / 20
    right = random.uniform(size=60) < probabilities
    reached = [p for p in set(probabilities) if right[probabilities >= p].mean() >= precision]
    threshold = fit_threshold(probabilities, right, 60, precision, fewest=1)
    if not reached:
        assert threshold is None
        return
    counts = probabilities >= min(reached)
    assert threshold is not None
    lower = probabilities[~counts]
    midway = (min(reached) + lower.max()) / 2 if len(lower) else min(reached)
    assert threshold.probability == pytest.approx(midway, abs=1e-3)
    assert threshold.n_answers == counts.sum() == (probabilities >= threshold.probability).sum()
    assert threshold.precision == pytest.approx(right[counts].mean())
    assert threshold.recall == pytest.approx(right[counts].sum() / 60)


@pytest.mark.parametrize("task", [SINGLE_LABEL, MULTI_LABEL], ids=lambda task: task.name)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_it_counts_the_very_answers_that_it_was_fitted_on(task, temperature):
    """Fitted to what is kept in half precision, it counts what is shown in single precision."""
    classes = tuple("abcdefgh")
    for seed in range(20):
        random = np.random.default_rng(seed)
        logits = random.normal(0, 3, (150, 8)).astype(np.float32)
        said = log_softmax(logits, axis=1) if task is SINGLE_LABEL else log_expit(logits)
        truth = random.uniform(size=said.shape) < np.exp(said)
        answers = task.answers(task.decide(logits), 8)
        kept = task.probabilities(task.logits(said.astype(np.float16)), temperature)
        fitted = fit_thresholds(classes, kept, answers, truth, 0.8, fewest=1)
        assert fitted
        counted = detections(classes, task.probabilities(logits, temperature).astype(np.float32), answers, fitted)
        for label, threshold in fitted.items():
            if not threshold.is_fitted:
                continue
            of_label = counted[:, classes.index(label)]
            assert of_label.sum() == threshold.n_answers
            assert truth[of_label, classes.index(label)].mean() == pytest.approx(threshold.precision)


def test_of_one_label_per_clip_only_the_answer_counts_and_a_label_without_the_precision_has_no_threshold():
    probabilities = np.array([[0.6, 0.4], [0.45, 0.55], [0.3, 0.7], [0.8, 0.2]])
    truth = np.array([[True, False], [True, False], [False, True], [True, False]])
    answers = SINGLE_LABEL.answers(SINGLE_LABEL.decide(probabilities), 2)
    fitted = fit_thresholds(("frog", "rain"), probabilities, answers, truth, 0.9, fewest=1)
    assert (fitted["frog"].n_answers, fitted["frog"].recall) == (2, 2 / 3)  # of three frogs two are answered
    assert fitted["rain"] == Threshold(0.625, 1.0, 1.0, 1)  # with the one at 0.55 it would be half right
    assert detections(("frog", "rain"), probabilities, answers, fitted).tolist() == [
        [True, False], [False, False], [False, True], [True, False],
    ]  # fmt: skip
    wrong = np.array([[False, False], [False, True], [False, True], [False, True]])
    every = MULTI_LABEL.answers(MULTI_LABEL.decide(probabilities), 2)
    assert "frog" not in fit_thresholds(("frog", "rain"), probabilities, every, wrong, 0.9, fewest=1)


def test_to_few_answers_nothing_is_fitted_and_to_many_wrong_ones_neither():
    n_answers = {"frog": 9, "toad": 10, "newt": 30, "none": 0}
    labels = np.repeat(np.arange(4), [*n_answers.values()])
    probabilities = np.where(labels[:, None] == np.arange(4), 0.9, 0.0)
    truth = labels[:, None] == np.arange(4)
    truth[:2] = [False, True, False, False]
    truth[19:35] = [True, False, False, False]  # more than half of the newts
    answers = SINGLE_LABEL.answers(labels, 4)
    default = np.array([0.7, 0.5, 0.5, 0.5])
    fitted = fit_thresholds(tuple(n_answers), probabilities, answers, truth, 0.9, default)
    assert (fitted["frog"], fitted["none"]) == (Threshold(0.7, None, None, 9), Threshold(0.5, None, None, 0))
    truth[:6] = [False, True, False, False]  # most of the answers are wrong
    assert "frog" not in fit_thresholds(tuple(n_answers), probabilities, answers, truth, 0.9, default)
    assert (fitted["toad"].is_fitted, fitted["toad"].n_answers) == (True, 10)
    assert "newt" not in fitted


@pytest.mark.parametrize("n_answers", range(1, 31))
def test_a_label_is_silenced_by_how_many_of_its_answers_are_wrong_and_not_by_how_many_there_are(n_answers):
    for n_right in range(n_answers + 1):
        truth = (np.arange(n_answers) < n_right)[:, None]
        fitted = fit_thresholds(("frog",), np.full((n_answers, 1), 0.8), np.full((n_answers, 1), True), truth, 0.9)
        assert ("frog" in fitted) == (n_right >= n_answers / 2)
        if n_right >= n_answers / 2:
            assert fitted["frog"].is_fitted == (n_answers >= 10 and n_right >= 0.9 * n_answers)
            assert fitted["frog"].n_answers == n_answers


@pytest.mark.parametrize("seed", range(3))
def test_answers_of_several_runs_to_one_clip_count_once(seed):
    random = np.random.default_rng(seed)
    probabilities = random.uniform(0.5, 1, (12, 1))
    truth, answers = random.uniform(size=(12, 1)) < probabilities, np.full((12, 1), True)
    once = [fit_thresholds(("frog",), probabilities, answers, truth, p, fewest=4) for p in (0.5, 0.8, 1.0)]
    rows = np.tile(np.arange(12), 3)  # three runs that answer alike
    thrice = [
        fit_thresholds(("frog",), probabilities[rows], answers[rows], truth[rows], p, fewest=4, clips=[*map(str, rows)])
        for p in (0.5, 0.8, 1.0)
    ]
    assert thrice == once


def test_a_default_is_where_the_odds_of_the_data_are_even():
    real, learned = np.array([6 / 46, 0.5, 0.0, 40 / 46]), np.array([0.5, 0.5, 0.5, 0.5])
    defaults = default_thresholds(learned, real)
    odds = defaults[0] / (1 - defaults[0])  # of the classifier, which was taught that both are as frequent
    assert odds * (6 / 40) == pytest.approx(1)
    assert defaults[1:].tolist() == [0.5] * 3
