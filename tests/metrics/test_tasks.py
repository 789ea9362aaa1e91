"""What depends on one label or several, beside scikit-learn, scipy and cases worked out by hand."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, softmax
from sklearn.metrics import average_precision_score, f1_score, log_loss
from sklearn.utils.class_weight import compute_class_weight

from cohear.metrics.tasks import MULTI_LABEL, SINGLE_LABEL, TASKS, Task, task_of, truth_of
from cohear.objectives import LIKELIHOODS

CLASSES = ("frog", "rain", "road")
SETS = {
    "single_label": [("rain",), ("frog",), ("road",), ("rain",)],
    "multi_label": [("rain", "frog"), (), ("road",), ("rain",)],
}
EVERY = pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))


def some_logits(n: int = 60, k: int = 3) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 2, (n, k))


@EVERY
def test_targets_say_which_labels_are_true_and_come_back_as_text(task: Task):
    sets = SETS[task.name]
    targets = task.encode(sets, CLASSES)
    assert task_of(targets) is task
    truth = task.truth(targets, 3)
    assert truth.tolist() == [[label in labels for label in CLASSES] for labels in sets] == truth_of(targets).tolist()
    texts = task.texts(targets, CLASSES, ";")
    assert [set(text.split(";")) - {""} for text in texts] == [set(labels) for labels in sets]
    assert truth.sum(1).max() <= task.most_labels(3)


@EVERY
def test_probabilities_are_those_of_the_likelihood_that_it_names(task: Task):
    logits, likelihood = some_logits(), LIKELIHOODS[task.likelihood]
    expected = likelihood.probabilities(torch.from_numpy(logits / 1.5)).numpy()
    np.testing.assert_allclose(task.probabilities(logits, 1.5), expected, rtol=1e-12)
    np.testing.assert_allclose(expected, (softmax(logits / 1.5, 1), expit(logits / 1.5))[task is MULTI_LABEL])
    again = task.probabilities(task.logits(task.log_probabilities(logits).astype(np.float16)))
    np.testing.assert_allclose(again, task.probabilities(logits), atol=2e-3)


@EVERY
def test_likelihood_and_brier_score_are_those_of_the_objective_and_of_the_definition(task: Task):
    logits, random = some_logits(), np.random.default_rng(1)
    decisions = random.integers(0, 3, 60) if task is SINGLE_LABEL else random.integers(0, 2, (60, 3))
    truth = task.truth(decisions, 3)
    targets = torch.from_numpy(decisions if task is SINGLE_LABEL else decisions.astype(np.float32))
    expected = LIKELIHOODS[task.likelihood].cross_entropy(torch.from_numpy(logits)[None], targets, None).item()
    assert task.nll(task.log_probabilities(logits), truth) == pytest.approx(expected)
    squares = np.square(task.probabilities(logits) - truth)
    assert task.brier(task.probabilities(logits), truth) == pytest.approx(squares.sum() / 60 / task.most_labels(3))


@EVERY
def test_temperature_makes_the_truth_likeliest(task: Task):
    random, logits = np.random.default_rng(2), some_logits(400)
    drawn = np.array([random.choice(3, p=row) for row in softmax(logits, 1)])
    truth = task.truth(drawn, 3) if task is SINGLE_LABEL else random.uniform(size=logits.shape) < expit(logits)
    best = minimize_scalar(lambda t: task.nll(task.log_probabilities(3 * logits, t), truth), bounds=(0.1, 20)).x
    assert task.fit_temperature(3 * logits, truth) == pytest.approx(best, rel=1e-3)


@EVERY
def test_guessing_is_the_entropy_of_the_shares(task: Task):
    shares, ones = np.array([0.5, 0.25, 0.25]), np.ones(3)
    expected = 1.5 * np.log(2) if task is SINGLE_LABEL else (np.log(2) + 2 * (np.log(4) - 0.75 * np.log(3))) / 3
    assert task.guessing_nll(shares, ones) == pytest.approx(expected)


def test_a_logit_of_exactly_zero_is_a_yes_wherever_it_is_judged():
    zero = np.array([[0.0, -1e-7, 0.0]])
    truth = np.array([[True, False, True]])
    assert MULTI_LABEL.decide(zero).tolist() == [[1, 0, 1]]
    assert MULTI_LABEL.right(zero, truth).all()
    assert not MULTI_LABEL.differ(zero, np.array([[2.0, -2.0, 1.0]])).any()
    assert MULTI_LABEL.scores(zero, truth)["f1_micro"] == 1.0
    assert MULTI_LABEL.label_scores(zero - 1e-3, MULTI_LABEL.decide(zero), truth)["f1"][0] == 1.0
    assert MULTI_LABEL.probabilities(zero)[0, 0] == MULTI_LABEL.least_probability == 0.5
    assert LIKELIHOODS["bernoulli"].probabilities(torch.zeros(1)).item() == 0.5


def test_of_one_label_the_likeliest_is_the_answer():
    logits = np.array([[2.0, 1.0, 1.5], [0.0, 0.0, -1.0]])
    assert SINGLE_LABEL.decide(logits).tolist() == [0, 0]
    assert SINGLE_LABEL.right(logits, np.eye(3, dtype=bool)[[0, 1]]).tolist() == [True, False]
    assert SINGLE_LABEL.differ(logits, logits[::-1] * [1, 1, -9]).tolist() == [True, False]
    assert (
        SINGLE_LABEL.scores(logits, np.eye(3, dtype=bool)[[0, 1]]),
        SINGLE_LABEL.label_scores(logits, SINGLE_LABEL.decide(logits), logits > 0),
    ) == ({}, {})


def test_of_several_labels_scores_are_those_of_scikit_learn():
    logits = some_logits()
    truth = np.random.default_rng(3).uniform(size=logits.shape) < expit(logits)
    scores = MULTI_LABEL.scores(logits, truth)
    of_labels = MULTI_LABEL.label_scores(logits, MULTI_LABEL.decide(logits), truth)
    assert list(scores) == list(MULTI_LABEL.score_titles)
    assert list(of_labels) == list(MULTI_LABEL.label_titles)
    assert scores["mean_average_precision"] == pytest.approx(average_precision_score(truth, logits))
    for average in ("macro", "micro"):
        assert scores[f"f1_{average}"] == pytest.approx(f1_score(truth, logits >= 0, average=average))
    np.testing.assert_allclose(of_labels["f1"], f1_score(truth, logits >= 0, average=None))
    expected = np.mean([log_loss(truth[:, k], expit(logits[:, k])) for k in range(3)])
    assert MULTI_LABEL.nll(MULTI_LABEL.log_probabilities(logits), truth) == pytest.approx(expected)


def test_equal_scores_are_answered_together_and_labels_that_no_clip_has_are_left_out_of_means():
    random = np.random.default_rng(0)
    scores, truth = np.round(random.normal(0, 2, (60, 4))), random.uniform(size=(60, 4)) < 0.4
    truth[:, 3] = False
    expected = [average_precision_score(truth[:, k], scores[:, k]) for k in range(3)]
    found = MULTI_LABEL.label_scores(scores, MULTI_LABEL.decide(scores), truth)["average_precision"]
    np.testing.assert_allclose(found, [*expected, np.nan], rtol=1e-12)
    assert MULTI_LABEL.scores(scores, truth)["mean_average_precision"] == pytest.approx(np.mean(expected))
    nothing = MULTI_LABEL.scores(np.full((4, 2), -1.0), np.zeros((4, 2), bool))
    assert nothing == {"mean_average_precision": None, "f1_macro": None, "f1_micro": None}


def test_class_weights_are_those_of_scikit_learn_and_of_torch():
    labels = np.repeat([0, 1, 3], [29, 7, 1])  # class 2 has no clip
    weights = SINGLE_LABEL.class_weights(SINGLE_LABEL.truth(labels, 4))
    reference = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=labels)
    assert weights == pytest.approx((reference[0], reference[1], 1.0, reference[2]))
    assert weights[labels].mean() == pytest.approx(1)
    truth = np.zeros((10, 4), bool)
    truth[:2, 0], truth[:8, 1], truth[:, 2] = True, True, True
    assert MULTI_LABEL.class_weights(truth).tolist() == [4.0, 0.25, 1.0, 1.0]  # the last two have nothing to balance


def test_a_wrong_answer_of_any_certainty_has_a_finite_likelihood():
    said = log_expit(np.array([[200.0, -200.0]], np.float32))
    assert MULTI_LABEL.nll(said, np.array([[True, False]])) == pytest.approx(0, abs=1e-40)
    assert 150 < MULTI_LABEL.nll(said, np.array([[False, True]])) < 201
    assert SINGLE_LABEL.nll(np.array([[0.0, -200.0]]), np.array([[False, True]])) == 200
