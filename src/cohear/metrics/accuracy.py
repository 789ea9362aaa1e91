"""How often the answer is right, and how sure one can be of that number.

Conventions:
    Of one label per clip, labels are class indices, 0 to n_classes - 1. Of several, `truth` says which are true of a
    clip and `answered` which were given; scores are probabilities or anything that rises with them. Every result that
    is a share lies in [0, 1], or is NaN where it is not defined: a label that no clip has tells nothing of recall.

Metrics:
    standard_error: of a mean over folds or seeds.
    wilson_interval: of one accuracy, from the number of its clips alone.
    average_precision: of each of several labels, over all its thresholds; its mean over labels is the mAP.
    f1_scores: of each of several labels, and of all answers together (micro), at the thresholds used.
    by_chance: how well answers that have nothing to do with the clips would do, and how often as well.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from statistics import NormalDist

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64


def standard_error(values: Sequence[float] | Float[np.ndarray, " n"], ddof: int = 1) -> float | None:
    """Compute the standard error of a mean: the standard deviation over the root of the number.

    Args:
        values: independent results, one per fold or seed.
        ddof: 1 divides the squared deviations by n - 1, 0 by n.

    Returns:
        The standard error in the unit of `values`; None where `ddof` or fewer values leave it undefined.

    Example:
        >>> round(standard_error([0.80, 0.84]), 4)
        0.02
        >>> standard_error([0.80]) is None
        True
    """
    if len(values) <= ddof:
        return None
    return float(np.std(np.asarray(values, np.float64), ddof=ddof)) / math.sqrt(len(values))


def wilson_interval(n_correct: int, n_clips: int, confidence: float = 0.95) -> tuple[float, float]:
    """Compute Wilson's score interval of an accuracy (Wilson 1927, JASA 22:209-212).

    It stays inside [0, 1] and is never a point, unlike the accuracy plus or minus a multiple of its standard
    error. The clips count as independent.

    Args:
        n_correct: clips answered rightly, 0 to n_clips.
        n_clips: clips in all, at least 1.
        confidence: between 0 and 1.

    Example:
        >>> [round(bound, 3) for bound in wilson_interval(8, 10)]
        [0.49, 0.943]
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, shrink = n_correct / n_clips, 1 + z * z / n_clips
    center = (share + z * z / (2 * n_clips)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / n_clips + z * z / (4 * n_clips * n_clips))
    low = 0.0 if n_correct == 0 else center - half  # exactly, where rounding leaves a little
    high = 1.0 if n_correct == n_clips else center + half
    return low, high


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


def by_chance(
    statistic: Callable[[Int64[np.ndarray, " clip"]], float], groups: Sequence[Hashable], n_draws: int = 999
) -> tuple[float, float]:
    """Compute how well answers do that are dealt out to other clips, and how often as well.

    A permutation test of a classifier (Ojala and Garriga 2010, J. Mach. Learn. Res. 11:1833-1863, test 1). Clips of one
    group are no independent evidence: each group gets the truth of another as a whole, as often as it has clips.

    Args:
        statistic: how good the answers are when clip i gets the truth of clip `rows[i]`; greater is better.
        groups: of each clip, a name or a number.
        n_draws: permutations; the smallest p is 1 / (n_draws + 1).

    Returns:
        The mean of the statistic over the draws, and p.

    Example:
        >>> answers = truth = np.arange(40) % 2
        >>> by_chance(lambda rows: float((answers == truth[rows]).mean()), range(40))[1]
        0.001
        >>> by_chance(lambda rows: float((answers == truth[rows]).mean()), ["one walk"] * 40)
        (1.0, 1.0)
    """
    places: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        places.setdefault(group, []).append(row)
    blocks, rng = [np.array(rows) for rows in places.values()], np.random.default_rng(0)
    dealt, drawn = np.empty(len(groups), np.int64), list[float]()
    found = statistic(np.arange(len(groups)))
    for _ in range(n_draws):
        for block, other in zip(blocks, rng.permutation(len(blocks)), strict=True):
            dealt[block] = np.resize(blocks[other], len(block))
        drawn.append(statistic(dealt))
    return float(np.mean(drawn)), (1 + sum(value >= found - 1e-12 for value in drawn)) / (1 + n_draws)


def _average_precision(scores: Float[np.ndarray, " clip"], truth: Bool[np.ndarray, " clip"]) -> float:
    if not truth.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    n_right = np.cumsum(truth[order])
    last_of_equals = np.append(scores[order][1:] != scores[order][:-1], True)
    n_right, n_answered = n_right[last_of_equals], np.flatnonzero(last_of_equals) + 1
    gained = np.diff(n_right, prepend=0) / truth.sum()
    return float((n_right / n_answered * gained).sum())
