"""What logits say: one label of K, or for each of K labels whether it is there.

A likelihood is all that single-label and multi-label training differ in: objectives, and whoever measures a network,
are given one and ask it.

| likelihood    | an answer is             | targets                   | class weights multiply                      |
|---------------|--------------------------|---------------------------|---------------------------------------------|
| `CATEGORICAL` | a softmax over K classes | class indices, `[batch]`  | the cross-entropy of a class's clips        |
| `BERNOULLI`   | a sigmoid for each class | 0 and 1, `[batch, label]` | a class's term of clips where it is present |
"""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import nll_loss

from cohear.objectives.bernoulli import (
    bernoulli_cross_entropy,
    bernoulli_jensen_shannon_divergence,
    bernoulli_kullback_leibler_divergence,
    bernoulli_log_probabilities,
)
from cohear.objectives.divergences import jensen_shannon_divergence, kullback_leibler_divergence, log_probabilities

Targets = Int[Tensor, " batch"] | Float[Tensor, "batch label"]
"""A class index per clip, or a row of 0 and 1 per clip."""


@dataclass(frozen=True)
class Likelihood:
    """How logits are read: functions of `[view, batch, label]`, in nats, finite for logits of +-1e4."""

    cross_entropy: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    """Of logits, targets and class weights, if any: a scalar, the mean over views and clips."""
    log_probabilities: Callable[[Tensor], Tensor]
    """Of each label, `[view, batch, label]`."""
    jensen_shannon_divergence: Callable[[Tensor], Tensor]
    """Of the views of each clip, `[batch]`, between 0 and ln V."""
    kullback_leibler_divergence: Callable[[Tensor], Tensor]
    """Of the second view of each clip from the first, `[batch]`."""


def categorical_cross_entropy(
    logits: Float[Tensor, "view batch label"],
    labels: Int[Tensor, " batch"],
    class_weights: Float[Tensor, " label"] | None = None,
) -> Float[Tensor, ""]:
    """Compute the cross-entropy of views with one label per clip, the mean over views and clips.

    Weighted terms are summed and divided by the number of clips, not by the sum of their weights as
    `torch.nn.functional.cross_entropy` does: what a clip contributes does not depend on the others of its batch, nor on
    which device they are.

    Args:
        logits: a softmax gives the probabilities.
        labels: class indices in [0, K).
        class_weights: factors on the terms of each class's clips.

    Returns:
        Nats, 0 or more.

    Example:
        >>> import torch
        >>> round(categorical_cross_entropy(torch.zeros(3, 1, 10), torch.tensor([4])).item(), 4)  # ln 10
        2.3026
    """
    log_probabilities_NK, labels_N = log_probabilities(logits).flatten(0, 1), labels.repeat(len(logits))
    weights_K = None if class_weights is None else class_weights.to(log_probabilities_NK.dtype)
    return nll_loss(log_probabilities_NK, labels_N, weights_K, reduction="sum") / len(labels_N)


CATEGORICAL = Likelihood(
    categorical_cross_entropy, log_probabilities, jensen_shannon_divergence, kullback_leibler_divergence
)
"""One label per clip."""

BERNOULLI = Likelihood(
    bernoulli_cross_entropy,
    bernoulli_log_probabilities,
    bernoulli_jensen_shannon_divergence,
    bernoulli_kullback_leibler_divergence,
)
"""Any number of labels per clip, also none."""
