"""From which probability on may an answer be believed, and how often is there one where nothing is?

Conventions:
    Probabilities are those that a classifier shows, after its temperature. Of one label per clip an answer is the
    likeliest label of each clip, with its probability; where several labels may be true each label answers for itself.
    An answer counts where its probability is at or above the label's threshold.

Functions:
    fit_thresholds: for each label the smallest probability at or above which a wanted precision is reached.
    detections: which labels of which clips count.
    false_alarms_per_hour: how often something is heard in background sound.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True)
class Threshold:
    """From which probability on one label's answers are right often enough, as the validation clips say."""

    probability: float
    """Answers at or above it count, 0 to 1."""
    precision: float
    """Share of the validation answers at or above it that were right, 0 to 1."""
    recall: float
    """Share of the label's validation clips that were found at or above it, 0 to 1."""
    n_answers: int
    """Validation answers at or above it."""


def fit_threshold(
    probabilities: Float[np.ndarray, " answer"], right: Bool[np.ndarray, " answer"], n_true: int, precision: float
) -> Threshold | None:
    """Find the smallest probability at or above which answers of one label are right often enough.

    Precision does not rise steadily with the threshold, so a smaller one may do where a greater does not: the smallest
    is taken, which finds most. It holds for these clips; of few answers it promises little for others.

    Args:
        probabilities: of the label's answers, in [0, 1].
        right: whether each was right.
        n_true: clips that have the label, found or not.
        precision: wanted share of right answers, above 0, at most 1.

    Returns:
        None where the precision is not reached at any probability.

    Example:
        >>> fit_threshold(np.array([0.9, 0.8, 0.6, 0.5]), np.array([True, True, False, True]), 4, precision=0.75)
        Threshold(probability=0.5, precision=0.75, recall=0.75, n_answers=4)
    """
    if not 0 < precision <= 1:
        raise ValueError(f"a precision of {precision:g}: give a share above 0, at most 1")
    order = np.argsort(-probabilities, kind="stable")
    falling, n_right = probabilities[order], np.cumsum(right[order])
    n_answers = np.arange(1, len(falling) + 1)
    is_last_of_equals = np.append(falling[1:] != falling[:-1], True)[: len(falling)]
    reached = np.flatnonzero(is_last_of_equals & (n_right / n_answers >= precision))
    if not len(reached):
        return None
    last = reached[-1]
    n_found = int(n_right[last])
    return Threshold(float(falling[last]), n_found / int(n_answers[last]), n_found / n_true, int(n_answers[last]))


def fit_thresholds(
    classes: Sequence[str],
    probabilities: Float[np.ndarray, "clip label"],
    truth: Bool[np.ndarray, "clip label"],
    precision: float,
    *,
    multi_label: bool,
) -> dict[str, Threshold]:
    """Fit a threshold to each label.

    Args:
        classes: the names of the labels.
        probabilities: in [0, 1].
        truth: which labels are true of a clip.
        precision: wanted share of right answers, above 0, at most 1.
        multi_label: whether each label answers for itself.

    Returns:
        By name; a label that no clip has, or whose precision is nowhere reached, is left out.
    """
    answers = _answers(probabilities, multi_label)
    fitted = {}
    for k, label in enumerate(classes):
        rows = answers[:, k]
        threshold = fit_threshold(probabilities[rows, k], truth[rows, k], int(truth[:, k].sum()), precision)
        if threshold is not None:
            fitted[label] = threshold
    return fitted


def detections(
    classes: Sequence[str],
    probabilities: Float[np.ndarray, "clip label"],
    thresholds: Mapping[str, Threshold],
    *,
    multi_label: bool,
) -> Bool[np.ndarray, "clip label"]:
    """Say which labels of which clips count: the answers at or above their label's threshold.

    A label without a threshold never counts. Arguments as for `fit_thresholds`.

    Example:
        >>> detections(("frog", "rain"), np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]),
        ...            {"frog": Threshold(0.7, 1.0, 1.0, 1)}, multi_label=False)
        array([[ True, False],
               [False, False],
               [False, False]])
    """
    least = np.array([thresholds[label].probability if label in thresholds else np.inf for label in classes])
    return _answers(probabilities, multi_label) & (probabilities >= least)


def false_alarms_per_hour(n_alarms: int, n_clips: int, clip_s: float) -> float:
    """Compute how often something is heard in an hour of background.

    Args:
        n_alarms: answers that count, in clips of background sound.
        n_clips: these clips, at least 1.
        clip_s: seconds of a clip.

    Example:
        >>> false_alarms_per_hour(2, 144, 5.0)  # two in twelve minutes
        10.0
    """
    if n_clips < 1:
        raise ValueError("false alarms need at least one clip of background sound")
    return n_alarms / (n_clips * clip_s / 3600)


def _answers(probabilities: Float[np.ndarray, "clip label"], multi_label: bool) -> Bool[np.ndarray, "clip label"]:
    """Say which labels of which clips are answers, however sure."""
    if multi_label:
        return np.ones(probabilities.shape, bool)
    answers = np.zeros(probabilities.shape, bool)
    answers[np.arange(len(probabilities)), probabilities.argmax(axis=1)] = True
    return answers
