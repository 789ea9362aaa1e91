"""How good are answers where several labels, or none, may be true of one clip?

Conventions:
    `truth` says which labels are true of a clip, `answered` which were given. Scores are probabilities or anything
    that rises with them. Every result is a share in [0, 1]; a label that no clip has tells nothing of recall, and is
    left out of means over labels.

Metrics:
    average_precision: of one label, over all its thresholds; its mean over labels is the mAP.
    f1_scores: of each label, their mean (macro), and of all answers together (micro), at the thresholds used.
    exact_match: clips whose labels were all answered, and no other.
    bernoulli_likelihood_loss: how probable the truth was.
    bernoulli_logits: what the sigmoid was taken of.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

_SMALLEST_HALF = 2.0**-24  # above zero, in float16
_LEAST_LOG_PROBABILITY = -24 * math.log(2)


def validate(answers: np.ndarray, truth: Bool[np.ndarray, "clip label"]) -> None:
    """Check that there are clips, and an answer for each of their labels.

    Raises:
        ValueError: if there are none, or shapes differ.
    """
    if truth.size == 0 or answers.shape != truth.shape:
        raise ValueError(f"answers of shape {answers.shape} for labels of shape {truth.shape}: give one for each")


def average_precision(
    scores: Float[np.ndarray, "clip label"], truth: Bool[np.ndarray, "clip label"]
) -> Float64[np.ndarray, " label"]:
    """Compute for each label the sum over thresholds of precision times the recall that is gained there.

    Clips of equal score are answered together. It is not interpolated, as in scikit-learn and in PASCAL VOC since
    2010 it is.

    Returns:
        NaN for a label that no clip has.

    Example:
        >>> average_precision(np.array([[0.9], [0.8], [0.7]]), np.array([[True], [False], [True]])).round(4)
        array([0.8333])
    """
    validate(scores, truth)
    return np.array([_average_precision(scores[:, k], truth[:, k]) for k in range(truth.shape[1])])


def mean_average_precision(scores: Float[np.ndarray, "clip label"], truth: Bool[np.ndarray, "clip label"]) -> float:
    """Compute the mean of `average_precision` over the labels that some clip has.

    Raises:
        ValueError: where no clip has a label.
    """
    values = average_precision(scores, truth)
    if np.isnan(values).all():
        raise ValueError("no clip has a label, so there is no average precision")
    return float(np.nanmean(values))


@dataclass(frozen=True, eq=False)
class F1Scores:
    """Harmonic means of precision and recall."""

    by_label: Float64[np.ndarray, " label"]
    """0 where no answer of the label is right; NaN where it neither is true of a clip nor was answered."""
    macro: float
    """Mean over the labels that are not NaN; NaN where all are."""
    micro: float
    """Of all answers of all labels together; NaN where there is no label and no answer."""


def f1_scores(answered: Bool[np.ndarray, "clip label"], truth: Bool[np.ndarray, "clip label"]) -> F1Scores:
    """Compute F1 = 2 right / (answered + true), which is the harmonic mean of precision and recall.

    Example:
        >>> f1 = f1_scores(np.array([[True, False], [True, True]]), np.array([[True, False], [False, True]]))
        >>> f1.by_label.round(3).tolist(), round(f1.macro, 3), f1.micro
        ([0.667, 1.0], 0.833, 0.8)
    """
    validate(answered, truth)
    n_right, n_given = (answered & truth).sum(axis=0), answered.sum(axis=0) + truth.sum(axis=0)
    occurs = n_given > 0
    by_label = np.full(len(n_given), np.nan)
    by_label[occurs] = 2 * n_right[occurs] / n_given[occurs]
    if not occurs.any():
        return F1Scores(by_label, float("nan"), float("nan"))
    return F1Scores(by_label, float(by_label[occurs].mean()), float(2 * n_right.sum() / n_given.sum()))


def exact_match(
    answered: Bool[np.ndarray, "clip label"], truth: Bool[np.ndarray, "clip label"]
) -> Bool[np.ndarray, " clip"]:
    """Say of each clip whether its labels were answered, and no other.

    Example:
        >>> exact_match(np.array([[True, False], [True, True]]), np.array([[True, False], [False, True]]))
        array([ True, False])
    """
    validate(answered, truth)
    return (answered == truth).all(axis=1)


def bernoulli_likelihood_loss(logits: Float[np.ndarray, "clip label"], truth: Bool[np.ndarray, "clip label"]) -> float:
    """Compute the mean over clips and labels of minus the log-probability of what is true, in nats, at least 0.

    The probability of a label is 1 / (1 + exp(-logit)); its logarithm is never taken of a rounded zero.

    Example:
        >>> round(bernoulli_likelihood_loss(np.zeros((1, 2)), np.array([[True, False]])), 4)  # ln 2
        0.6931
    """
    validate(logits, truth)
    against = np.where(truth, -1.0, 1.0) * logits.astype(np.float64)
    return float(np.logaddexp(0, against).mean())


def bernoulli_logits(log_probabilities: Float[np.ndarray, "clip label"]) -> Float64[np.ndarray, "clip label"]:
    """Return the logits log p - log(1 - p) of log-probabilities, between -16.6 and 16.6.

    Of half precision: a probability nearer to 1 than 6e-8 is kept there as 1, whose logit would be infinite.

    Example:
        >>> bernoulli_logits(np.log([[0.5, 0.9]])).round(3).tolist()
        [[0.0, 2.197]]
    """
    log_p = np.clip(log_probabilities.astype(np.float64), _LEAST_LOG_PROBABILITY, -_SMALLEST_HALF)
    return log_p - np.log(-np.expm1(log_p))


def _average_precision(scores: Float[np.ndarray, " clip"], truth: Bool[np.ndarray, " clip"]) -> float:
    if not truth.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    n_right = np.cumsum(truth[order])
    last_of_equals = np.append(scores[order][1:] != scores[order][:-1], True)
    n_right, n_answered = n_right[last_of_equals], np.flatnonzero(last_of_equals) + 1
    gained = np.diff(n_right, prepend=0) / truth.sum()
    return float((n_right / n_answered * gained).sum())
