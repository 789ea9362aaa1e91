"""Is one model really better than another? A test on the very clips that both of them heard.

Conventions:
    A difference is model A minus model B, as a share in [-1, 1]; p-values are two-sided.
    A pair is one clip under one seed, answered by both models.

Tests:
    paired_test: exact, for any number of seeds; source recordings count as independent, not their clips.
    holm: correction of the p-values of several comparisons.
    detectable_difference: what so much data could have shown at all.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float, Float64, Int64


@dataclass(frozen=True)
class PairedTest:
    """What a paired comparison of two models found."""

    difference: float
    """Accuracy of A minus accuracy of B, in [-1, 1]."""
    interval: tuple[float, float]
    """95 % confidence interval of the difference."""
    p_value: float
    """Two-sided, of the hypothesis that there is no difference."""
    standard_error: float
    """Of the difference."""


def paired_test(
    differences: Float[np.ndarray, " pair"], recordings: Sequence[Hashable], unit: float = 1.0
) -> PairedTest:
    """Test whether two models are right equally often, by source recordings: each with all its clips and seeds.

    Clips cut from one recording, and one clip under several seeds, are not independent evidence; recordings are.
    Without a difference the two models could as well have changed places in any recording, so that each recording's
    difference d_r, pairs that A alone got right less those that B alone did, has either sign with equal probability. p
    is the exact probability that |sum +-d_r| is at least what was found (a randomization test in clusters, Gail et al.
    1996, Stat. Med. 15:1069-1092). The interval is Wald's with the standard error of a ratio of sums over recordings,
    after one pair was added to either model as a recording of its own, so that it is never a point.

    With one pair in each recording this is McNemar's exact test, with the interval and standard error of Bonett and
    Price (2012, J. Educ. Behav. Stat. 37:479-488). The seeds are taken as given: what is tested is the mean over these
    seeds on other recordings.

    Args:
        differences: of each pair, correctness (0 or 1) of A minus that of B.
        recordings: of each pair, a name or a number; pairs of one recording have the same.
        unit: of which differences are whole multiples: a fraction where A and B are means over several models.

    Raises:
        ValueError: if there are no pairs.

    Example:
        >>> differences = np.array([1.0] * 6 + [0.0] * 4)
        >>> test = paired_test(differences, range(10))  # A alone was right six times, B never: p = 2 / 2**6
        >>> test.difference, test.p_value
        (0.6, 0.03125)
        >>> paired_test(differences, [clip // 2 for clip in range(10)]).p_value  # recordings of two clips: 2 / 2**3
        0.25
    """
    n_pairs = len(differences)
    if n_pairs == 0:
        raise ValueError("a paired test needs at least one clip that both models heard.")
    places = {name: place for place, name in enumerate(dict.fromkeys(recordings))}
    rows = np.array([places[name] for name in recordings])
    sums = np.bincount(rows, differences)
    n_in_all, sizes = n_pairs + 2, np.append(np.bincount(rows), (1, 1))
    center = sums.sum() / n_in_all
    error = math.sqrt(np.square(np.append(sums, (1, -1)) - center * sizes).sum()) / n_in_all
    half = NormalDist().inv_cdf(0.975) * error
    interval = max(-1.0, center - half), min(1.0, center + half)
    return PairedTest(
        float(sums.sum() / n_pairs), interval, _either_sign((sums / unit).round().astype(np.int64)), error
    )


def _either_sign(differences: Int64[np.ndarray, " recording"]) -> float:
    """Compute P(|sum +-d| >= |sum d|), every sign as likely as the other."""
    sizes = np.abs(differences[differences != 0])
    probabilities = np.ones(1)  # of the number of steps of two that the sum lies above its least value
    for size in sizes.tolist():
        ways = np.zeros(len(probabilities) + size)
        ways[: len(probabilities)] = probabilities
        ways[size:] += probabilities
        probabilities = ways / 2
    sums = 2 * np.arange(len(probabilities)) - sizes.sum()
    return min(1.0, float(probabilities[np.abs(sums) >= abs(differences.sum())].sum()))


def holm(p_values: Sequence[float] | Float[np.ndarray, " test"]) -> Float64[np.ndarray, " test"]:
    """Correct p-values for the number of comparisons (Holm 1979, Scand. J. Stat. 6:65-70).

    The smallest is multiplied by their number n, the next by n - 1 and so on; none may fall below one before
    it.

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(4)
        array([0.03, 0.06, 0.06])
    """
    p_values = np.asarray(p_values, np.float64)
    order = np.argsort(p_values)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(1, np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1)))
    return corrected


def detectable_difference(
    standard_error: float, n_comparisons: int = 1, significance: float = 0.05, power: float = 0.8
) -> float:
    """Compute the smallest true difference that a two-sided test would find often enough.

    (z(1 - significance / (2 n_comparisons)) + z(power)) * standard_error, z the quantile of the normal
    distribution.

    Args:
        standard_error: of the difference, as observed; the result has its unit.
        n_comparisons: pairs under Holm's correction, whose first step is the strictest: Bonferroni's.
        significance: between 0 and 1.
        power: how often the test shall find it, between 0 and 1.

    Example:
        >>> round(detectable_difference(0.01), 4)
        0.028
    """
    z = NormalDist().inv_cdf
    return (z(1 - significance / (2 * n_comparisons)) + z(power)) * standard_error
