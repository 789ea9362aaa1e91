"""How far the views of a clip disagree: functions of V distributions, or of V embeddings.

Conventions:
    Distributions come as logits `[view, batch, label]`; divergences are per clip, in nats. Everything is computed
    from log-probabilities in float32 (float64 for float64 input), outside autocast: no probability is ever clamped,
    and values and gradients are finite for logits of +-1e4.
"""

import math
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor


def jensen_shannon_divergence(logits: Float[Tensor, "view batch label"]) -> Float[Tensor, " batch"]:
    r"""Measure the Jensen-Shannon divergence of V distributions, Eq. (5) of Iqbal et al. 2021.

    With log-probabilities l_v, the log of the mixture M = 1/V sum_v P_v is

        log M = logsumexp_v(l_v) - ln V,

    and JSD = 1/V sum_v sum_k exp(l_vk) (l_vk - log M_k). Since log M_k >= l_vk - ln V, a term whose probability
    underflows is 0 times a finite number: no clamp is needed, forward or backward.

    Args:
        logits: of each view; a softmax over `label` gives P_v.

    Returns:
        Nats, between 0 (views agree; rounding may give -1e-7) and ln V (views are certain of different classes).

    Example:
        >>> certain = torch.tensor([[[30.0, 0.0]], [[0.0, 30.0]]])
        >>> round(jensen_shannon_divergence(certain).item(), 4)  # ln 2
        0.6931
    """
    log_probabilities_VBK = log_probabilities(logits)
    log_mixture_BK = torch.logsumexp(log_probabilities_VBK, dim=0) - math.log(len(logits))
    return (log_probabilities_VBK.exp() * (log_probabilities_VBK - log_mixture_BK)).sum(-1).mean(0)


def kullback_leibler_divergence(logits: Float[Tensor, "view batch label"]) -> Float[Tensor, " batch"]:
    """Measure KL(P_0 || P_1), from the clean view to the transformed one, as Zheng et al. 2016 do.

    Args:
        logits: of exactly two views; the divergence is not defined for more.

    Returns:
        Nats, 0 or more, without an upper bound.

    Raises:
        ValueError: for other than two views.

    Example:
        >>> kullback_leibler_divergence(torch.zeros(2, 1, 5)).item()
        0.0
    """
    if len(logits) != 2:
        raise ValueError(f"the Kullback-Leibler divergence compares two views and was given {len(logits)}; use JSD")
    log_p_BK, log_q_BK = log_probabilities(logits)
    return (log_p_BK.exp() * (log_p_BK - log_q_BK)).sum(-1)


def euclidean_distance(representations: Float[Tensor, "view batch feature"]) -> Float[Tensor, " batch"]:
    """Measure the L2 distance between views, the mean over all pairs (Zheng et al. 2016 for two views).

    Args:
        representations: of at least two views, any unit: embeddings or probabilities.

    Returns:
        In the unit of the representations, 0 or more.

    Raises:
        ValueError: for fewer than two views.

    Example:
        >>> euclidean_distance(torch.tensor([[[0.0, 0.0]], [[3.0, 4.0]]])).item()
        5.0
    """
    if len(representations) < 2:
        raise ValueError(f"a distance between views needs two of them and was given {len(representations)}")
    with torch.autocast(representations.device.type, enabled=False):
        wide = representations if representations.dtype == torch.float64 else representations.float()
        pairs = [torch.linalg.vector_norm(a - b, dim=-1) for a, b in combinations(wide, 2)]
        return torch.stack(pairs).mean(0)


def log_probabilities(logits: Float[Tensor, "*batch label"]) -> Float[Tensor, "*batch label"]:
    """Turn logits into log-probabilities, in float32 or wider whatever autocast says.

    Example:
        >>> log_probabilities(torch.zeros(2)).exp()
        tensor([0.5000, 0.5000])
    """
    with torch.autocast(logits.device.type, enabled=False):
        wide = logits if logits.dtype == torch.float64 else logits.float()
        return torch.log_softmax(wide, dim=-1)
