"""What a network says of fixed views, and the numbers that follow."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from cohear.evaluation.fixed_views import FixedViews
from cohear.metrics.accuracy import accuracy
from cohear.metrics.likelihood import negative_log_likelihood
from cohear.objectives import jensen_shannon_divergence, log_probabilities


@dataclass(frozen=True)
class Answers:
    """What a network says of every view of every clip."""

    log_probabilities: Float[np.ndarray, "view clip label"]
    jsd: Float[np.ndarray, " clip"]
    """Divergence over the views of each clip, nats."""


@dataclass(frozen=True)
class Scores:
    """How good and how consistent the answers are, means over clips."""

    accuracy: float
    """Of the clean view, 0 to 1."""
    nll: float
    """Negative log-likelihood of the clean view, nats."""
    jsd: float
    """Jensen-Shannon divergence over the views, nats."""


@torch.no_grad()
def answer(network: nn.Module, views: FixedViews, should_stop: Callable[[], bool] = lambda: False) -> Answers | None:
    """Ask a network, in eval mode, about every view; its mode is put back afterwards.

    Args:
        network: log-mels `[..., band, frame]` to logits `[..., label]`.
        views: what to ask about.
        should_stop: asked before each batch; where it says yes, the result is None.
    """
    was_training = network.training
    network.eval()
    said, divergences = [], []
    try:
        for log_mels in views.batches():
            if should_stop():
                return None
            logits = network(log_mels)
            said.append(log_probabilities(logits))
            divergences.append(jensen_shannon_divergence(logits))
    finally:
        network.train(was_training)
    return Answers(torch.cat(said, 1).cpu().numpy(), torch.cat(divergences).cpu().numpy())


def score(answers: Answers, labels: np.ndarray) -> Scores:
    """Compute the mean numbers of some answers.

    Args:
        answers: of all views, the clean one first.
        labels: true classes.
    """
    clean = answers.log_probabilities[0]
    return Scores(
        accuracy=accuracy(clean.argmax(1), labels),
        nll=negative_log_likelihood(clean, labels),
        jsd=float(answers.jsd.mean(dtype=np.float64)),
    )
