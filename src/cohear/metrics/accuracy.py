"""How often the answer is right, and how sure one can be of that number.

Conventions:
    Labels are class indices, 0 to n_classes - 1. Every result that is a share lies in [0, 1]; percent is for
    reports.

Metrics:
    accuracy: correct clips over all clips.
    confusion_matrix: how often a clip of one class was called another.
    standard_error: of a mean over folds or seeds.
    mean_interval: of such a mean, by Student's t.
    wilson_interval: of one accuracy, from the number of its clips alone.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from jaxtyping import Float, Int, Int64


def validate(predicted: Int[np.ndarray, " clip"], labels: Int[np.ndarray, " clip"], n_classes: int | None) -> None:
    """Check that predictions and labels can be compared.

    Raises:
        ValueError: if there are no clips, or a class index is outside 0 to n_classes - 1.
    """
    if len(labels) == 0:
        raise ValueError("accuracy needs at least one clip: none were given.")
    smallest, largest = (f(np.concatenate((predicted, labels))) for f in (np.min, np.max))
    if smallest < 0 or (n_classes is not None and largest >= n_classes):
        wrong = smallest if smallest < 0 else largest
        allowed = "0 or more" if n_classes is None else f"0 to {n_classes - 1}"
        raise ValueError(f"{wrong} is not a class index: class indices here are {allowed}.")


def accuracy(predicted: Int[np.ndarray, " clip"], labels: Int[np.ndarray, " clip"]) -> float:
    """Compute the share of clips whose predicted class is their label, in [0, 1].

    Example:
        >>> accuracy(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2]))
        0.75
    """
    validate(predicted, labels, None)
    return float(np.mean(predicted == labels))


def confusion_matrix(
    predicted: Int[np.ndarray, " clip"], labels: Int[np.ndarray, " clip"], n_classes: int
) -> Int64[np.ndarray, "label label"]:
    """Count the clips of each class (row) that were called each class (column).

    Example:
        >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 1, 0]), n_classes=2)
        array([[1, 1],
               [0, 1]])
    """
    validate(predicted, labels, n_classes)
    cells = labels.astype(np.int64) * n_classes + predicted
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes).astype(np.int64)


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


def mean_interval(
    values: Sequence[float] | Float[np.ndarray, " n"], confidence: float = 0.95
) -> tuple[float, float] | None:
    """Compute Student's interval of a mean of independent results.

    Args:
        values: one per run.
        confidence: between 0 and 1.

    Returns:
        In the unit of `values`; None for fewer than two.

    Example:
        >>> [round(bound, 3) for bound in mean_interval([0.80, 0.82, 0.84])]  # 4.303 standard errors about the mean
        [0.77, 0.87]
    """
    error = standard_error(values)
    if error is None:
        return None
    center, half = float(np.mean(values)), _student_quantile(confidence, len(values) - 1) * error
    return center - half, center + half


def _student_quantile(confidence: float, freedom: int) -> float:
    """Find t such that |T| < t with probability `confidence`, by bisection."""
    low, high = 0.0, math.pi / 2  # of the angle whose tangent is t over the root of the degrees of freedom
    while high - low > 1e-15:
        middle = (low + high) / 2
        low, high = (middle, high) if _student_probability(middle, freedom) < confidence else (low, middle)
    return math.tan(low) * math.sqrt(freedom)


def _student_probability(angle: float, freedom: int) -> float:
    """Compute P(|T| < tan(angle) sqrt(freedom)) (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4)."""
    is_odd = freedom % 2
    term, total = math.cos(angle) if is_odd else 1.0, 0.0
    for i in range(1 + is_odd, freedom, 2):
        total += term
        term *= math.cos(angle) ** 2 * i / (i + 1)
    total *= math.sin(angle)
    return 2 / math.pi * (angle + total) if is_odd else total


def wilson_interval(n_correct: int, n_clips: int, confidence: float = 0.95) -> tuple[float, float]:
    """Compute Wilson's score interval of an accuracy (Wilson 1927, JASA 22:209-212).

    It stays inside [0, 1] and is never a point, unlike the accuracy plus or minus a multiple of its standard
    error. The clips count as independent.

    Args:
        n_correct: clips answered rightly, 0 to n_clips.
        n_clips: clips in all, at least 1.
        confidence: between 0 and 1.

    Raises:
        ValueError: if there are no clips, or more correct ones than clips.

    Example:
        >>> [round(bound, 3) for bound in wilson_interval(8, 10)]
        [0.49, 0.943]
    """
    if not 0 <= n_correct <= n_clips or n_clips < 1:
        raise ValueError(
            f"{n_correct} correct of {n_clips} clips: there must be a clip, and no more correct than clips."
        )
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, shrink = n_correct / n_clips, 1 + z * z / n_clips
    center = (share + z * z / (2 * n_clips)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / n_clips + z * z / (4 * n_clips * n_clips))
    return max(0.0, center - half), min(1.0, center + half)
