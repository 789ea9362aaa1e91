"""Is one model really better than another? Tests on the very clips that both of them heard.

Conventions:
    A difference is model A minus model B, as a share in [-1, 1]; p-values are two-sided.
    A pair is one clip under one seed, answered by both models.

Tests:
    mcnemar: exact, for one seed; clips count as independent.
    grouped_bootstrap: for several seeds; resamples source recordings, each with all its clips and seeds.
    holm: correction of the p-values of several comparisons.
    detectable_difference: what so much data could have shown at all.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from cohear import keys

_CHUNK = 2**22  # resampled groups held in memory at a time: 32 MiB of float64


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


def mcnemar(correct_a: Bool[np.ndarray, " clip"], correct_b: Bool[np.ndarray, " clip"]) -> PairedTest:
    """Test whether two models are right equally often on the same clips, by McNemar's exact test.

    Only clips on which exactly one model is right tell anything; without a difference each is a toss of a
    fair coin, so p = min(1, 2 P(X <= min(n_a, n_b))) with X ~ Binomial(n_a + n_b, 1/2). The interval and the
    standard error are those of Bonett and Price (2012, J. Educ. Behav. Stat. 37:479-488): Wald's, with one
    clip added to either count, which keeps its promise for few clips and is never a point.

    Raises:
        ValueError: if there are no clips.

    Example:
        >>> a = np.array([True] * 9 + [False])
        >>> b = np.array([True] * 3 + [False] * 7)
        >>> test = mcnemar(a, b)  # A alone was right six times, B never: p = 2 / 2**6
        >>> test.difference, test.p_value
        (0.6, 0.03125)
    """
    n_clips = len(correct_a)
    if n_clips == 0:
        raise ValueError("a paired test needs at least one clip that both models heard.")
    n_a, n_b = int(np.sum(correct_a & ~correct_b)), int(np.sum(correct_b & ~correct_a))
    n_discordant = n_a + n_b
    tail = sum(math.comb(n_discordant, i) for i in range(min(n_a, n_b) + 1))  # whole numbers: exact
    p_value = min(1.0, 2 * tail / 2**n_discordant)

    share_a, share_b = (n_a + 1) / (n_clips + 2), (n_b + 1) / (n_clips + 2)
    center = share_a - share_b
    error = math.sqrt((share_a + share_b - center**2) / (n_clips + 2))
    half = NormalDist().inv_cdf(0.975) * error
    interval = max(-1.0, center - half), min(1.0, center + half)
    return PairedTest((n_a - n_b) / n_clips, interval, p_value, error)


def grouped_bootstrap(
    differences: Float[np.ndarray, " pair"],
    groups: Int[np.ndarray, " pair"],
    n_resamples: int = 10_000,
    seed: int = 0,
) -> PairedTest:
    """Test a mean difference by resampling groups: source recordings, each with all its clips and seeds.

    Clips cut from one recording, and one clip under several seeds, are not independent evidence; recordings
    are. Each resample draws as many groups as there are, with replacement, and takes the mean over all their
    pairs. The interval holds the central 95 % of these means; p = 2 min(share of means <= 0, share of means
    >= 0), with one added to each count, is the p-value that belongs to that interval (Davison and Hinkley
    1997, ch. 4 and 5). The seeds are taken as given: what is tested is the mean over these seeds on other
    recordings.

    Args:
        differences: of each pair, correctness (0 or 1) of A minus that of B.
        groups: a number per pair; pairs of one recording have the same.
        n_resamples: at least 2.
        seed: the same seed gives the same numbers.

    Raises:
        ValueError: if there are fewer than two groups: nothing can be resampled then.

    Example:
        >>> test = grouped_bootstrap(np.array([1.0, 0.0, 1.0, 0.0]), np.array([0, 0, 1, 1]))
        >>> test.difference, test.interval  # both recordings say the same
        (0.5, (0.5, 0.5))
    """
    names, rows = np.unique(groups, return_inverse=True)
    n_groups = len(names)
    if n_groups < 2:
        raise ValueError(f"a bootstrap over recordings needs at least two of them, {n_groups} was given.")
    totals = np.bincount(rows, weights=differences)
    n_pairs = np.bincount(rows).astype(np.float64)

    # Raw words of a Philox generator are the same under every version of numpy; the upper half of a word
    # times n_groups, shifted down, is a group's number with a bias below n_groups / 2**32.
    generator = np.random.Philox(key=int(keys.key(seed, "bootstrap")))
    chunk = max(1, _CHUNK // n_groups)
    means = np.empty(n_resamples)
    for start in range(0, n_resamples, chunk):
        n = min(chunk, n_resamples - start)
        words = generator.random_raw(n * n_groups).reshape(n, n_groups)
        drawn = ((words >> np.uint64(32)) * np.uint64(n_groups) >> np.uint64(32)).astype(np.int64)
        means[start : start + n] = totals[drawn].sum(axis=1) / n_pairs[drawn].sum(axis=1)

    n_low, n_high = int(np.sum(means <= 0)), int(np.sum(means >= 0))
    p_value = min(1.0, 2 * (min(n_low, n_high) + 1) / (n_resamples + 1))
    low, high = np.quantile(means, [0.025, 0.975])
    return PairedTest(float(differences.mean()), (float(low), float(high)), p_value, float(means.std(ddof=1)))


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
