"""How the answers to clips are read and scored: one label per clip, or any number of them.

Measuring code is given one of the two and asks no further.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

from cohear.errors import UserError
from cohear.metrics.accuracy import accuracy
from cohear.metrics.likelihood import negative_log_likelihood
from cohear.metrics.multi_label import bernoulli_likelihood_loss, exact_match
from cohear.objectives import BERNOULLI, CATEGORICAL, Likelihood

Targets = Int64[np.ndarray, " clip"] | Float32[np.ndarray, "clip label"]
"""Class indices, or rows of 0 and 1."""
_ALMOST_ONE = -float(np.finfo(np.float32).smallest_subnormal)


@dataclass(frozen=True)
class Answering:
    """One way to answer; scores are of log-probabilities `[clip, label]` and targets."""

    likelihood: Likelihood
    accuracy: Callable[[np.ndarray, np.ndarray], float]
    """Share of clips that are answered rightly, 0 to 1."""
    nll: Callable[[np.ndarray, np.ndarray], float]
    """Negative log-likelihood, nats; of any number of labels the mean over them."""


def answering_of(targets: Targets) -> Answering:
    """Return the way to answer that targets are made for."""
    return MULTI_LABEL if targets.ndim == 2 else SINGLE_LABEL


class NotFiniteError(UserError):
    """A network's answers are no numbers; whoever knows the clips and whose the weights are says so in its place.

    Args:
        network: which answered.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__(
            "the network answers with NaN or infinite numbers: its weights or temperature are damaged or have grown "
            "too large, so train it again, with a lower optimizer.learning_rate"
        )
        self.network = network


def check_answers(answers: Float[Tensor, "*axes"], network: nn.Module) -> None:
    """Refuse answers that are no numbers: finite weights can be so large that what they make of a clip is not.

    Args:
        answers: logits, log-probabilities or divergences.
        network: which answered.

    Raises:
        NotFiniteError: where that is so.
    """
    if not answers.isfinite().all():
        raise NotFiniteError(network)


def _likeliest_is_right(
    log_probabilities: Float[np.ndarray, "clip label"], labels: Int64[np.ndarray, " clip"]
) -> float:
    return accuracy(log_probabilities.argmax(1), labels)


def _all_are_right(
    log_probabilities: Float[np.ndarray, "clip label"], present: Float32[np.ndarray, "clip label"]
) -> float:
    return float(exact_match(log_probabilities >= np.log(0.5), present > 0).mean())


def _bernoulli_nll(
    log_probabilities: Float[np.ndarray, "clip label"], present: Float32[np.ndarray, "clip label"]
) -> float:
    log_yes = np.minimum(log_probabilities.astype(np.float64), _ALMOST_ONE)  # of a rounded one the other side is zero
    return bernoulli_likelihood_loss(log_yes - np.log(-np.expm1(log_yes)), present > 0)


SINGLE_LABEL = Answering(CATEGORICAL, _likeliest_is_right, negative_log_likelihood)
"""One distribution over the labels; the likeliest is the answer."""

MULTI_LABEL = Answering(BERNOULLI, _all_are_right, _bernoulli_nll)
"""A probability of each label; those of at least a half are the answer, right where no label is missing or too many."""
