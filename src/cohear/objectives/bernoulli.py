"""Several labels at once: each class is an answer of its own, yes or no, with a sigmoid's probability.

Conventions:
    As for one label (`divergences`): logits `[view, batch, label]`, nats, float32 or wider outside autocast, no clamp,
    finite for logits of +-1e4. What is measured for each class is averaged over the classes, so that bounds and sizes
    are those of one answer, however many classes there are.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from cohear.objectives.divergences import divergence_from_first, divergence_from_mixture, widened


def bernoulli_jensen_shannon_divergence(logits: Float[Tensor, "view batch label"]) -> Float[Tensor, " batch"]:
    """Measure the Jensen-Shannon divergence of V yes-or-no answers, the mean over classes.

    For each class it is Eq. (5) of Iqbal et al. 2021 with two outcomes, whose log-probabilities are logsigmoid(z) and
    logsigmoid(-z).

    Args:
        logits: of each view; a sigmoid gives the probability of each class.

    Returns:
        Nats, between 0 (views agree; rounding may give -1e-7) and ln V.

    Example:
        >>> certain = torch.tensor([[[30.0, -30.0]], [[-30.0, -30.0]]])  # they disagree on one class of two
        >>> round(bernoulli_jensen_shannon_divergence(certain).item(), 4)  # ln 2 / 2
        0.3466
    """
    return divergence_from_mixture(_log_probabilities_of_both(logits)).mean(-1)


def bernoulli_kullback_leibler_divergence(logits: Float[Tensor, "view batch label"]) -> Float[Tensor, " batch"]:
    """Measure KL(P_0 || P_1) of two views' yes-or-no answers, the mean over classes.

    Returns:
        Nats, 0 or more, without an upper bound.

    Raises:
        ValueError: for other than two views.

    Example:
        >>> bernoulli_kullback_leibler_divergence(torch.zeros(2, 1, 5)).item()
        0.0
    """
    return divergence_from_first(_log_probabilities_of_both(logits)).mean(-1)


def bernoulli_cross_entropy(
    logits: Float[Tensor, "view batch label"],
    targets: Float[Tensor, "batch label"],
    class_weights: Float[Tensor, " label"] | None = None,
) -> Float[Tensor, ""]:
    """Compute the cross-entropy of views with yes-or-no answers, the mean over views, clips and classes.

    Args:
        logits: a sigmoid gives the probability of each class.
        targets: 1 where a class is present, else 0.
        class_weights: factors on the terms of clips where a class is present, torch's `pos_weight`.

    Returns:
        Nats, 0 or more.

    Example:
        >>> present = torch.tensor([[1.0, 0.0, 0.0]])
        >>> round(bernoulli_cross_entropy(torch.zeros(2, 1, 3), present).item(), 4)  # ln 2
        0.6931
    """
    # torch's own takes the difference of two large numbers and loses what is left of sure and right answers.
    log_yes, log_no = bernoulli_log_probabilities(logits), bernoulli_log_probabilities(-logits)
    yes = targets.to(log_yes.dtype)
    weighted_yes = yes if class_weights is None else yes * class_weights.to(log_yes.dtype)
    return -(weighted_yes * log_yes + (1 - yes) * log_no).mean()


def bernoulli_log_probabilities(logits: Float[Tensor, "*batch label"]) -> Float[Tensor, "*batch label"]:
    """Turn logits into the log-probability of each class, in float32 or wider whatever autocast says.

    Example:
        >>> bernoulli_log_probabilities(torch.zeros(2)).exp()
        tensor([0.5000, 0.5000])
    """
    with torch.autocast(logits.device.type, enabled=False):
        return logsigmoid(widened(logits))


def _log_probabilities_of_both(logits: Float[Tensor, "*batch label"]) -> Float[Tensor, "*batch label 2"]:
    return torch.stack((bernoulli_log_probabilities(logits), bernoulli_log_probabilities(-logits)), dim=-1)
