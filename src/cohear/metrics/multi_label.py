"""How good are answers where several labels, or none, may be true of one clip?

Conventions:
    `truth` says which labels are true of a clip, `answered` which were given. Scores are probabilities or anything
    that rises with them. Every result is a share in [0, 1], or NaN where it is not defined: a label that no clip has
    tells nothing of recall.

Metrics:
    average_precision: of each label, over all its thresholds; its mean over labels is the mAP.
    f1_scores: of each label, and of all answers together (micro), at the thresholds used.
"""

import numpy as np
from jaxtyping import Bool, Float, Float64


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
    return np.array([_average_precision(scores[:, k], truth[:, k]) for k in range(truth.shape[1])])


def f1_scores(
    answered: Bool[np.ndarray, "clip label"], truth: Bool[np.ndarray, "clip label"]
) -> tuple[Float64[np.ndarray, " label"], float]:
    """Compute F1 = 2 right / (answered + true), which is the harmonic mean of precision and recall.

    Returns:
        Of each label, NaN where it neither is true of a clip nor was answered; and of all answers of all labels.

    Example:
        >>> answered, truth = np.array([[True, False], [True, True]]), np.array([[True, False], [False, True]])
        >>> by_label, micro = f1_scores(answered, truth)
        >>> by_label.round(3).tolist(), micro
        ([0.667, 1.0], 0.8)
    """
    n_right, n_given = (answered & truth).sum(axis=0), answered.sum(axis=0) + truth.sum(axis=0)
    with np.errstate(invalid="ignore"):  # 0 / 0
        return 2 * n_right / n_given, float(2 * n_right.sum() / n_given.sum())


def _average_precision(scores: Float[np.ndarray, " clip"], truth: Bool[np.ndarray, " clip"]) -> float:
    if not truth.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    n_right = np.cumsum(truth[order])
    last_of_equals = np.append(scores[order][1:] != scores[order][:-1], True)
    n_right, n_answered = n_right[last_of_equals], np.flatnonzero(last_of_equals) + 1
    gained = np.diff(n_right, prepend=0) / truth.sum()
    return float((n_right / n_answered * gained).sum())
