"""How probable the right answer was.

Conventions:
    Log-probabilities are natural logarithms; a row's probabilities sum to 1 and may hold zeros (minus
    infinity). Results are in nats, computed in float64.

Metrics:
    negative_log_likelihood: mean over clips of minus the log-probability of the label.
"""

import numpy as np
from jaxtyping import Float, Int

_SUM_TOLERANCE = 1e-3  # float32 log-probabilities over thousands of classes sum to 1 within this


def validate(log_probabilities: Float[np.ndarray, "*axes label"]) -> None:
    """Check that the last axis holds log-probabilities.

    Raises:
        ValueError: if there are none, or a row's probabilities do not sum to 1.
    """
    if log_probabilities.size == 0:
        raise ValueError("a likelihood needs at least one clip: none were given.")
    sums = np.exp(log_probabilities.astype(np.float64)).sum(axis=-1)
    worst = sums.flat[np.argmax(np.abs(sums - 1))]
    if not abs(worst - 1) < _SUM_TOLERANCE:  # written so that NaN is refused too
        raise ValueError(f"a row's probabilities sum to {worst:.4g}, not 1: give log-probabilities, not logits.")


def negative_log_likelihood(
    log_probabilities: Float[np.ndarray, "clip label"], labels: Int[np.ndarray, " clip"]
) -> float:
    """Compute the mean over clips of minus the log-probability of the label, in nats, at least 0.

    Example:
        >>> round(negative_log_likelihood(np.log([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 0])), 4)
        1.0397
    """
    validate(log_probabilities)
    n_classes = log_probabilities.shape[1]
    if labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(f"labels from {labels.min()} to {labels.max()}: class indices here are 0 to {n_classes - 1}.")
    chosen = log_probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(np.abs(-chosen.mean()))  # not minus zero
