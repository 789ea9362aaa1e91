"""Student's interval of a mean over runs."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from cohear.metrics.accuracy import standard_error


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
