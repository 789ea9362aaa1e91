"""What logits say: one label of K, or for each of K labels whether it is there.

A likelihood is all that training for one label or several differs in: objectives, and whoever measures a network, are
given one and ask it. Which one a task has, its `likelihood` says by name.

| name          | an answer is             | targets                   | class weights multiply                      |
|---------------|--------------------------|---------------------------|---------------------------------------------|
| `categorical` | a softmax over K classes | class indices, `[batch]`  | the cross-entropy of a class's clips        |
| `bernoulli`   | a sigmoid for each class | 0 and 1, `[batch, label]` | a class's term of clips where it is present |

Of mixed clips a target is a row of the labels' shares, `[batch, label]`, of either likelihood.

Conventions:
    As in `divergences`. What is measured for each class of several is averaged over the classes, so that bounds and
    sizes are those of one answer, however many classes there are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid, nll_loss

from cohear.objectives.divergences import divergence_from_mixture, log_probabilities, widened

Targets = Int[Tensor, " batch"] | Float[Tensor, "batch label"]
"""A class index per clip, or a row of 0 and 1 per clip; of mixed clips a row of shares."""


@dataclass(frozen=True)
class Likelihood:
    """How logits are read: functions of `[view, batch, label]`, in nats, finite for logits of +-1e4."""

    cross_entropy: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    """Of logits, targets and class weights, if any: a scalar, the mean over views and clips."""
    log_probabilities: Callable[[Tensor], Tensor]
    """Of each label, `[view, batch, label]`."""
    probabilities: Callable[[Tensor], Tensor]
    """Of each label, in the precision of the logits; what a classifier shows."""
    outcomes: Callable[[Tensor], Tensor]
    """Log-probabilities of each distribution that a clip has, `[view, batch, outcome]` or `[view, batch, label, 2]`."""

    def diverge(
        self, logits: Float[Tensor, "view batch label"], between: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, " batch"]:
        """Measure how far the views of each clip disagree, the mean over its distributions.

        Args:
            logits: of each view.
            between: of log-probabilities `[view, *batch, outcome]`: `[*batch]`, as in a `Divergence`.
        """
        of_each = between(self.outcomes(logits))
        return of_each if of_each.ndim == 1 else of_each.mean(-1)

    def jensen_shannon_divergence(self, logits: Float[Tensor, "view batch label"]) -> Float[Tensor, " batch"]:
        """Measure Eq. (5) of Iqbal et al. 2021, nats, between 0 (rounding may give -1e-7) and ln V."""
        return self.diverge(logits, divergence_from_mixture)


def categorical_cross_entropy(
    logits: Float[Tensor, "view batch label"],
    labels: Targets,
    class_weights: Float[Tensor, " label"] | None = None,
) -> Float[Tensor, ""]:
    """Compute the cross-entropy of views with one label per clip, the mean over views and clips.

    Weighted terms are summed and divided by the number of clips, not by the sum of their weights as
    `torch.nn.functional.cross_entropy` does: what a clip contributes does not depend on the others of its batch, nor on
    which device they are.

    Args:
        logits: a softmax gives the probabilities.
        labels: class indices in [0, K), or shares of each class that add up to 1.
        class_weights: factors on the terms of each class's clips.

    Returns:
        Nats, 0 or more.

    Example:
        >>> import torch
        >>> round(categorical_cross_entropy(torch.zeros(3, 1, 10), torch.tensor([4])).item(), 4)  # ln 10
        2.3026
    """
    if labels.is_floating_point():
        shares = labels if class_weights is None else labels * class_weights
        return -(log_probabilities(logits) * shares).sum(-1).mean()
    log_probabilities_NK, labels_N = log_probabilities(logits).flatten(0, 1), labels.repeat(len(logits))
    weights_K = None if class_weights is None else class_weights.to(log_probabilities_NK.dtype)
    return nll_loss(log_probabilities_NK, labels_N, weights_K, reduction="sum") / len(labels_N)


def bernoulli_cross_entropy(
    logits: Float[Tensor, "view batch label"],
    targets: Float[Tensor, "batch label"],
    class_weights: Float[Tensor, " label"] | None = None,
) -> Float[Tensor, ""]:
    """Compute the cross-entropy of views with yes-or-no answers, the mean over views, clips and classes.

    Args:
        logits: a sigmoid gives the probability of each class.
        targets: 1 where a class is present, 0 where not; of mixed clips the share of those where it is.
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


def _yes_and_no(logits: Float[Tensor, "*batch label"]) -> Float[Tensor, "*batch label 2"]:
    return torch.stack((bernoulli_log_probabilities(logits), bernoulli_log_probabilities(-logits)), dim=-1)


CATEGORICAL = Likelihood(
    categorical_cross_entropy, log_probabilities, lambda logits: logits.softmax(-1), outcomes=log_probabilities
)
"""One label per clip."""

BERNOULLI = Likelihood(bernoulli_cross_entropy, bernoulli_log_probabilities, torch.sigmoid, outcomes=_yes_and_no)
"""Any number of labels per clip, also none."""

LIKELIHOODS: Mapping[str, Likelihood] = MappingProxyType({"categorical": CATEGORICAL, "bernoulli": BERNOULLI})
"""By the name that a task gives."""
