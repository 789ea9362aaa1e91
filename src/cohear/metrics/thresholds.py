"""From which probability on may an answer be believed, and how often is there one where nothing is?

Conventions:
    Probabilities are those that a classifier shows, after its temperature. Which labels of a clip are answers, its task
    says: the likeliest one, or each for itself. An answer counts where its probability is at or above the label's
    threshold. A threshold is fitted to answers to ten clips or more; where there are fewer it is a default.
    Answers of several runs to one clip are no more evidence than one: clips are counted, not answers.

Functions:
    default_thresholds: one half, where labels were more or less frequent in training than they are.
    fit_thresholds: for each label the smallest probability at or above which a wanted precision is reached.
    detections: which labels of which clips count.
    false_alarms: in how many clips of background something counts.
    false_alarms_per_hour: how often that is.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

FEWEST_ANSWERS = 10
"""At or above a threshold that is fitted. Where nine of ten were right, 60 to 98 % of others may be."""
DEFAULT_THRESHOLD = 0.5
_ROUNDING, _NOISE = 2.0**-9, 1e-6
"""Of a log-probability: four times what half precision takes away, relative, as the others of its row are rounded too;
and what other batches and devices change, nats."""


@dataclass(frozen=True)
class Threshold:
    """From which probability on one label's answers count, as the validation clips say or where these are too few."""

    probability: float
    """Answers at or above it count, 0 to 1."""
    precision: float | None
    """Share of the validation answers at or above it that were right, 0 to 1; None: it was not fitted."""
    recall: float | None
    """Share of the label's validation clips that were found at or above it, 0 to 1; None: it was not fitted."""
    n_answers: int
    """Validation clips with an answer at or above it."""

    @property
    def is_fitted(self) -> bool:
        """Whether there were answers enough to fit it to, and the precision was reached; else it is a default."""
        return self.precision is not None


def default_thresholds(
    learned: Float[np.ndarray, " label"], real: Float[np.ndarray, " label"]
) -> Float64[np.ndarray, " label"]:
    """Compute what a classifier shows where a label is as probable as not, at least one half.

    It was trained as if shares `learned` of the clips had each label, and of the data shares `real` have it. The odds
    that it shows are those of the data times the ratio of both prior odds (Saerens et al. 2002, Neural Comput.
    14:21-41), if the other labels keep their shares among themselves; where the odds of the data are 1, that ratio is
    what it shows. Without balancing it is one half; it is never less, as of labels that balancing made rarer.

    Example:
        >>> default_thresholds(np.array([0.5, 0.5]), np.array([0.1, 0.5])).round(3)  # a rare label made frequent
        array([0.9, 0.5])
    """
    ratio = learned * (1 - real) / np.maximum((1 - learned) * real, 1e-12)
    default = np.where((learned == real) | (real <= 0) | (real >= 1), DEFAULT_THRESHOLD, ratio / (1 + ratio))
    return np.maximum(default, DEFAULT_THRESHOLD)


def fit_threshold(
    probabilities: Float[np.ndarray, " answer"],
    right: Bool[np.ndarray, " answer"],
    n_true: int,
    precision: float,
    fewest: int = FEWEST_ANSWERS,
    clips: Int64[np.ndarray, " answer"] | None = None,
) -> Threshold | None:
    """Find the smallest probability at or above which answers of one label are right often enough.

    Precision does not rise steadily with the threshold, so a smaller one may do where a greater does not: the smallest
    is taken, which finds most. It lies midway between the least sure answer that counts and the next one below, so that
    the very answers that it was fitted on count, though they are kept in half precision and shown in full: a threshold
    at the least sure answer itself would lose it as often as not. Answers so near to each other that rounding could
    exchange them are taken as equal. It holds for these clips; of few answers it promises little for others.

    Args:
        probabilities: of the label's answers, in [0, 1].
        right: whether each was right.
        n_true: clips that have the label, found or not, each as often as it was answered.
        precision: wanted share of right answers, above 0, at most 1.
        fewest: clips with an answer at or above it.
        clips: the number of the clip that each is an answer to; None: each to another.

    Returns:
        None where the precision is not reached at any probability with so many clips.

    Example:
        >>> fit_threshold(np.array([0.9, 0.75, 0.25]), np.array([True, True, False]), n_true=4, precision=0.9, fewest=2)
        Threshold(probability=0.5, precision=1.0, recall=0.5, n_answers=2)
    """
    order = np.argsort(-probabilities, kind="stable")
    falling, n_right = probabilities[order].astype(np.float64), np.cumsum(right[order])
    n_answers = np.arange(1, len(falling) + 1)
    n_clips = n_answers if clips is None else _n_different(clips[order])
    margin = falling * (_NOISE - _ROUNDING * np.log(np.maximum(falling, np.finfo(np.float64).tiny)))
    below = np.append(falling[1:], -np.inf)[: len(falling)]
    reached = np.flatnonzero((falling - below > margin) & (n_right / n_answers >= precision) & (n_clips >= fewest))
    if not len(reached):
        return None
    last = reached[-1]
    next_lower = below[last] if last + 1 < len(falling) else falling[last] - margin[last]  # nothing is known below
    shares = (float(n_right[last] / n_answers[last]), float(n_right[last] / n_true))
    return Threshold(float((falling[last] + next_lower) / 2), *shares, int(n_clips[last]))


def _n_different(names: Int64[np.ndarray, " place"]) -> Int64[np.ndarray, " place"]:
    """Count the different ones up to each place."""
    first = np.unique(names, return_index=True)[1]
    return np.cumsum(np.isin(np.arange(len(names)), first))


def fit_thresholds(
    classes: Sequence[str],
    probabilities: Float[np.ndarray, "clip label"],
    answers: Bool[np.ndarray, "clip label"],
    truth: Bool[np.ndarray, "clip label"],
    precision: float,
    default: Float[np.ndarray, " label"] | float = DEFAULT_THRESHOLD,
    fewest: int = FEWEST_ANSWERS,
    clips: Sequence[Hashable] | None = None,
) -> dict[str, Threshold]:
    """Fit a threshold to each label.

    Where none can be fitted, since there are too few answers or too few of them are right, it is the default, unless
    most answers at or above that are wrong.

    Args:
        classes: the names of the labels.
        probabilities: in [0, 1].
        answers: which labels of which clips are answers, from `Task.answers`.
        truth: which labels are true of a clip.
        precision: wanted share of right answers, above 0, at most 1.
        default: of each label, from `default_thresholds`.
        fewest: clips with an answer at or above a threshold that is fitted.
        clips: the identity of each row, where several are answers to one clip.

    Returns:
        By name; a label most of whose answers are wrong is left out.
    """
    thresholds, defaults = {}, np.broadcast_to(default, len(classes))
    names = np.arange(len(truth)) if clips is None else np.unique(np.asarray(clips), return_inverse=True)[1]
    for k, label in enumerate(classes):
        rows, n_true = np.flatnonzero(answers[:, k]), int(truth[:, k].sum())
        threshold = fit_threshold(probabilities[rows, k], truth[rows, k], n_true, precision, fewest, names[rows])
        likely = rows[probabilities[rows, k] >= defaults[k]]
        if threshold is None and 2 * int(truth[likely, k].sum()) >= len(likely):
            threshold = Threshold(float(defaults[k]), None, None, len(np.unique(names[likely])))
        if threshold is not None:
            thresholds[label] = threshold
    return thresholds


def detections(
    classes: Sequence[str],
    probabilities: Float[np.ndarray, "clip label"],
    answers: Bool[np.ndarray, "clip label"],
    thresholds: Mapping[str, Threshold],
) -> Bool[np.ndarray, "clip label"]:
    """Say which labels of which clips count: the answers at or above their label's threshold.

    A label without a threshold never counts. Arguments as for `fit_thresholds`.

    Example:
        >>> likeliest = np.array([[True, False], [True, False], [False, True]])
        >>> detections(("frog", "rain"), np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]), likeliest,
        ...            {"frog": Threshold(0.7, 1.0, 1.0, 1)})
        array([[ True, False],
               [False, False],
               [False, False]])
    """
    least = np.array([thresholds[label].probability if label in thresholds else np.inf for label in classes])
    return answers & (probabilities >= least)


def false_alarms(
    counted: Bool[np.ndarray, "clip label"],
    truth: Bool[np.ndarray, "clip label"],
    classes: Sequence[str],
    background: str | None,
) -> tuple[int, int]:
    """Count the clips of background in which something counts, and all clips of background.

    Args:
        counted: from `detections`.
        truth: which labels are true of a clip; clips without any are background.
        classes: the names of the labels.
        background: the label of 'none of these', which is no alarm; None where there is none.

    Example:
        >>> counted = truth = np.array([[True, False], [False, True], [False, False]])
        >>> false_alarms(counted, truth, ("frog", "rain"), "rain")
        (0, 2)
    """
    is_it = np.array([name == background for name in classes])
    is_background = truth[:, is_it].any(axis=1) | ~truth.any(axis=1)
    return int(counted[is_background][:, ~is_it].any(axis=1).sum()), int(is_background.sum())


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
    return n_alarms / (n_clips * clip_s / 3600)
