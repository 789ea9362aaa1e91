"""Does a probability mean what it says? Of answers given with 80 %, four in five should be right.

Conventions:
    Logits are scores before the softmax; log-probabilities are logits too, since a constant per clip changes no
    softmax. An answer is a probability and whether it came true: for one label per clip the largest probability of
    each clip, for several labels each clip's probability of each label. Log-probabilities may be minus infinity; of
    several labels each stands alone. Results are in nats where they are not shares, computed in float64.

Metrics:
    expected_calibration_error: how far probabilities are from shares of right answers, over bins of equal mass.
    calibration_error_by_chance: what so few answers would show if every probability were true.
    reliability_bins: the same bins, for a diagram.
    brier_score: squared error of the probabilities.

Between logits and log-probabilities:
    log_softmax, log_expit, bernoulli_logits; bernoulli_likelihood_loss, how probable the truth was of several labels.

Fitting:
    fit_temperature: the one number that makes a classifier as sure as it is right (Guo et al., "On calibration of
    modern neural networks", ICML 2017).
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

N_BINS = 10
TEMPERATURES = (0.01, 100.0)
"""Where a temperature is looked for; one beyond is cut to the nearer end."""
_SMALLEST_HALF = 2.0**-24  # above zero, in float16
_LEAST_LOG_PROBABILITY = -24 * math.log(2)


@dataclass(frozen=True)
class ReliabilityBin:
    """Answers of about the same probability."""

    probability: float
    """Their mean, 0 to 1."""
    share_right: float
    """How many of them came true, 0 to 1."""
    n_answers: int


def reliability_bins(
    probabilities: Float[np.ndarray, " answer"], right: Bool[np.ndarray, " answer"], n_bins: int = N_BINS
) -> tuple[ReliabilityBin, ...]:
    """Sort answers by their probability into bins of equal mass.

    Equal mass, not equal width: of a few hundred answers most are sure, and bins of equal width would be empty or rest
    on two or three. Equal probabilities share a bin, so the order of the answers has no influence; bins may then be
    fewer than asked for.

    Args:
        probabilities: in [0, 1].
        right: whether each answer came true.
        n_bins: at least 1.

    Example:
        >>> [(b.probability, b.share_right) for b in reliability_bins(
        ...     np.array([0.5, 0.5, 1.0, 1.0]), np.array([True, False, True, True]), n_bins=2)]
        [(0.5, 0.5), (1.0, 1.0)]
    """
    return tuple(
        ReliabilityBin(float(probabilities[rows].mean(dtype=np.float64)), float(right[rows].mean()), len(rows))
        for rows in _equal_mass(probabilities, n_bins)
    )


def expected_calibration_error(
    probabilities: Float[np.ndarray, " answer"], right: Bool[np.ndarray, " answer"], n_bins: int = N_BINS
) -> float:
    """Compute the mean over answers of |share right - mean probability| of their bin, in [0, 1].

    Of few answers it is too large even where every probability is true: see `calibration_error_by_chance`.

    Example:
        >>> expected_calibration_error(np.array([0.9, 0.9, 0.9, 0.9]), np.array([True, True, False, False]))
        0.4
    """
    bins = reliability_bins(probabilities, right, n_bins)
    total = math.fsum(b.n_answers * abs(b.share_right - b.probability) for b in bins)
    return total / len(probabilities)


def calibration_error_by_chance(probabilities: Float[np.ndarray, " answer"], n_bins: int = N_BINS) -> float:
    """Compute what `expected_calibration_error` would be on average, were every probability true.

    The number of right answers of a bin then has the variance sum p (1 - p); with the normal distribution in place of
    its own, the mean distance from its expectation is the root of 2 / pi times its standard deviation.
    """
    p = probabilities.astype(np.float64)
    spread = [np.sqrt((p[rows] * (1 - p[rows])).sum()) for rows in _equal_mass(p, n_bins)]
    return float(math.sqrt(2 / math.pi) * sum(spread) / len(p))


def brier_score(probabilities: Float[np.ndarray, "clip label"], truth: Bool[np.ndarray, "clip label"]) -> float:
    """Compute the mean over clips of the summed squared errors of their probabilities (Brier 1950).

    Args:
        probabilities: in [0, 1].
        truth: which labels are true of a clip; for one label per clip one in each row.

    Returns:
        0 for certain and right; for one label per clip at most 2, for several at most their number.

    Example:
        >>> brier_score(np.array([[0.75, 0.25]]), np.array([[True, False]]))
        0.125
    """
    return float(np.square(probabilities.astype(np.float64) - truth).sum(axis=1).mean())


def fit_temperature(logits: Float[np.ndarray, "clip label"], labels: Int[np.ndarray, " clip"]) -> float:
    """Find the temperature T whose softmax(logits / T) makes the labels likeliest.

    With b = 1 / T the mean negative log-likelihood is L(b) = mean(log sum_k exp(b z_k) - b z_label), a sum of
    log-sum-exps of straight lines, hence convex: its slope, the mean of sum_k p_k z_k - z_label, only rises. So the
    one minimum is where the slope is zero, found by bisection, or an end of `TEMPERATURES`: the lower one where all
    answers are right, so that being surer is always better, and the upper one where logits tell nothing.

    Answers of Bernoulli logits z are the two-class logits (0, z) with labels 0 and 1.

    Args:
        logits: of at least one clip, finite.
        labels: the true classes.

    Example:
        >>> logits = np.log([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.9, 0.1]])
        >>> round(fit_temperature(logits, np.array([0, 0, 0, 1])), 3)  # 90 % sure, 75 % right: ln 9 / ln 3
        2.0
    """
    z = logits.astype(np.float64)
    z -= z.max(axis=1, keepdims=True)
    true = z[np.arange(len(z)), labels].mean()

    def slope(b: float) -> float:
        weights = np.exp(b * z)
        return float(((weights * z).sum(axis=1) / weights.sum(axis=1)).mean() - true)

    low, high = (math.log(1 / t) for t in reversed(TEMPERATURES))
    if slope(math.exp(low)) >= 0:
        return TEMPERATURES[1]
    if slope(math.exp(high)) <= 0:
        return TEMPERATURES[0]
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if slope(math.exp(middle)) < 0 else (low, middle)
    return math.exp(-(low + high) / 2)


def _equal_mass(probabilities: Float[np.ndarray, " answer"], n_bins: int) -> list[Int[np.ndarray, " row"]]:
    """Return the rows of each bin that has some, by rising probability."""
    ranks = np.searchsorted(np.sort(probabilities), probabilities, side="left")  # equal ones share the lowest
    bins = ranks * n_bins // len(probabilities)
    return [np.flatnonzero(bins == bin_) for bin_ in np.unique(bins)]


def log_softmax(logits: Float[np.ndarray, "clip label"]) -> Float64[np.ndarray, "clip label"]:
    """Return natural logarithms of probabilities, whose sum over labels is 1."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def bernoulli_likelihood_loss(
    log_probabilities: Float[np.ndarray, "clip label"], truth: Bool[np.ndarray, "clip label"]
) -> float:
    """Compute the mean over clips and labels of minus the log-probability of what is true, in nats, at least 0.

    Where a probability was rounded to one, its other side is taken to be the smallest number above zero of its type.

    Example:
        >>> round(bernoulli_likelihood_loss(np.log([[0.5, 0.25]]), np.array([[True, False]])), 4)  # ln 2, ln 4/3
        0.4904
    """
    almost_one = -float(
        np.finfo(np.float32 if log_probabilities.dtype == np.float32 else np.float64).smallest_subnormal
    )
    log_yes = np.minimum(log_probabilities.astype(np.float64), almost_one)
    logits = log_yes - np.log(-np.expm1(log_yes))
    return float(-log_expit(np.where(truth, logits, -logits)).mean())


def log_expit(logits: Float[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
    """Return the logarithm of 1 / (1 + exp(-logit)), never of a rounded zero."""
    return -np.logaddexp(0, -logits.astype(np.float64))


def bernoulli_logits(log_probabilities: Float[np.ndarray, "clip label"]) -> Float64[np.ndarray, "clip label"]:
    """Return the logits log p - log(1 - p) of log-probabilities, between -16.6 and 16.6.

    Of half precision: a probability nearer to 1 than 6e-8 is kept there as 1, whose logit would be infinite.

    Example:
        >>> bernoulli_logits(np.log([[0.5, 0.9]])).round(3).tolist()
        [[0.0, 2.197]]
    """
    log_p = np.clip(log_probabilities.astype(np.float64), _LEAST_LOG_PROBABILITY, -_SMALLEST_HALF)
    return log_p - np.log(-np.expm1(log_p))
