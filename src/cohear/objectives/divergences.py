"""How far the views of a clip disagree: functions of V distributions, or of V embeddings.

| name           | of V distributions P_v, M their mean               | views | source                             |
|----------------|----------------------------------------------------|-------|------------------------------------|
| `jsd`          | 1/V sum_v KL(P_v, M)                               | any   | Iqbal et al. 2021, Eq. (5)         |
| `kl`           | KL(P_0, P_1), from the clean view                  | two   | Zheng et al. 2016                  |
| `l2`           | mean over pairs of |P_a - P_b|, also of embeddings | 2 up  | Zheng et al. 2016                  |
| `symmetric_kl` | mean over a != b of KL(constant P_a, P_b)          | 2 up  | Xie et al. 2020, Chen and He 2021  |

To add one: a `Divergence` in `DIVERGENCES`, or in a package of one's own under an entry point of the group
`cohear.divergences`.

Conventions:
    Functions of `logits` take `[view, batch, label]`, of `log_probabilities` any number of axes between the first and
    the last, over which probabilities sum to 1; results are in nats. Everything is computed from log-probabilities in
    float32 (float64 for float64 input), outside autocast: no probability is ever clamped, and values and gradients are
    finite for logits of +-1e4.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations, permutations

import torch
from jaxtyping import Float
from torch import Tensor

from cohear.registry import Registry


@dataclass(frozen=True)
class Divergence:
    """One way to measure how far views disagree."""

    of_distributions: Callable[[Tensor], Tensor]
    """Of log-probabilities `[view, *batch, outcome]`: `[*batch]`, differentiable, 0 where views agree."""
    of_points: Callable[[Tensor], Tensor] | None = None
    """Of embeddings `[view, batch, feature]`: `[batch]`; None where it compares distributions only."""


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
    return divergence_from_mixture(log_probabilities(logits))


def largest_divergence(n_views: int, n_classes: int) -> float:
    """Return the Jensen-Shannon divergence of views that are certain and disagree as far as they can, nats.

    With as many classes as views it is ln V. With fewer, some views must agree, and it is the entropy of their most
    even division among the classes.

    Example:
        >>> round(largest_divergence(3, 10), 4), round(largest_divergence(3, 2), 4)  # ln 3; two against one
        (1.0986, 0.6365)
    """
    sizes = [(n_views + k) // n_classes for k in range(n_classes)]
    shares = [size / n_views for size in sizes if size]
    return -sum(share * math.log(share) for share in shares)


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
    return divergence_from_first(log_probabilities(logits))


def divergence_from_mixture(
    log_probabilities: Float[Tensor, "view *batch outcome"],
) -> Float[Tensor, "*batch"]:
    """Measure the Jensen-Shannon divergence of V distributions that are given by their log-probabilities."""
    log_mixture = torch.logsumexp(log_probabilities, dim=0) - math.log(len(log_probabilities))
    return _expected(log_probabilities, log_probabilities - log_mixture).mean(0)


def divergence_from_first(log_probabilities: Float[Tensor, "view *batch outcome"]) -> Float[Tensor, "*batch"]:
    """Measure KL(P_0 || P_1) of two distributions that are given by their log-probabilities.

    Raises:
        ValueError: for other than two views.
    """
    n_views = len(log_probabilities)
    if n_views != 2:
        raise ValueError(f"the Kullback-Leibler divergence compares two views and was given {n_views}; use JSD")
    log_p, log_q = log_probabilities
    return _expected(log_p, log_p - log_q)


def divergence_from_each_other(log_probabilities: Float[Tensor, "view *batch outcome"]) -> Float[Tensor, "*batch"]:
    """Measure the mean over ordered pairs of different views of KL(P_a || P_b), P_a taken as a constant.

    Every view is pulled towards each of the others and none towards being pulled: the teacher's side of each term has
    no gradient, as in the consistency term of Xie et al. 2020 ("Unsupervised data augmentation for consistency
    training", Eq. 1), made symmetric over the views as in Chen and He 2021 ("Exploring simple Siamese representation
    learning", Eq. 4).

    Raises:
        ValueError: for fewer than two views.
    """
    _check_two(log_probabilities)
    pairs = permutations(log_probabilities, 2)
    return torch.stack([_expected(log_p.detach(), log_p.detach() - log_q) for log_p, log_q in pairs]).mean(0)


def euclidean_distance(representations: Float[Tensor, "view *batch feature"]) -> Float[Tensor, "*batch"]:
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
    _check_two(representations)
    with torch.autocast(representations.device.type, enabled=False):
        pairs = [torch.linalg.vector_norm(a - b, dim=-1) for a, b in combinations(widened(representations), 2)]
        return torch.stack(pairs).mean(0)


def log_probabilities(logits: Float[Tensor, "*batch label"]) -> Float[Tensor, "*batch label"]:
    """Turn logits into log-probabilities, in float32 or wider whatever autocast says.

    Example:
        >>> log_probabilities(torch.zeros(2)).exp()
        tensor([0.5000, 0.5000])
    """
    with torch.autocast(logits.device.type, enabled=False):
        return torch.log_softmax(widened(logits), dim=-1)


def widened(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return float32 for narrower numbers, float64 as it is."""
    return values if values.dtype == torch.float64 else values.float()


def _expected(log_p: Tensor, values: Tensor) -> Tensor:
    return (log_p.exp() * values).sum(-1)


def _check_two(views: Tensor) -> None:
    if len(views) < 2:
        raise ValueError(f"a comparison of views needs two of them and was given {len(views)}")


DIVERGENCES: Mapping[str, Divergence] = Registry(
    "divergence",
    "cohear.divergences",
    {
        "jsd": Divergence(divergence_from_mixture),
        "kl": Divergence(divergence_from_first),
        "l2": Divergence(lambda log_probabilities: euclidean_distance(log_probabilities.exp()), euclidean_distance),
        "symmetric_kl": Divergence(divergence_from_each_other),
    },
)
"""By name; those of other packages are loaded when they are asked for."""
