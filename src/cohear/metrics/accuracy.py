"""How often the answer is right, and how sure one can be of that number.

Conventions:
    Labels are class indices, 0 to n_classes - 1. Every result that is a share lies in [0, 1]; percent is for
    reports.

Metrics:
    confusion_matrix: how often a clip of one class was called another.
    standard_error: of a mean over folds or seeds.
    wilson_interval: of one accuracy, from the number of its clips alone.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from jaxtyping import Float, Int, Int64


def confusion_matrix(
    predicted: Int[np.ndarray, " clip"], labels: Int[np.ndarray, " clip"], n_classes: int
) -> Int64[np.ndarray, "label label"]:
    """Count the clips of each class (row) that were called each class (column).

    Example:
        >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 1, 0]), n_classes=2)
        array([[1, 1],
               [0, 1]])
    """
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
    return max(0.0, center - half), min(1.0, center + half)
