"""Between logits and log-probabilities, and how probable the truth was of several labels.

Conventions:
    Log-probabilities are natural logarithms and may hold minus infinity: of one label per clip a row's probabilities
    sum to 1, of several each stands alone. Results are in nats, computed in float64.
"""

import math

import numpy as np
from jaxtyping import Bool, Float, Float64

_SMALLEST_HALF = 2.0**-24  # above zero, in float16
_LEAST_LOG_PROBABILITY = -24 * math.log(2)


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
