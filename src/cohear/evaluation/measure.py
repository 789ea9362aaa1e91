"""What a network says of fixed views, and the numbers that follow."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from cohear.evaluation.answering import Answering, Targets, answering_of, check_answers
from cohear.evaluation.fixed_views import FixedViews


@dataclass(frozen=True)
class Answers:
    """What a network says of every view of every clip."""

    log_probabilities: Float[np.ndarray, "view clip label"]
    """Of one distribution per clip, or of each label by itself."""
    jsd: Float[np.ndarray, " clip"]
    """Divergence over the views of each clip, nats."""


@dataclass(frozen=True)
class Scores:
    """How good and how consistent the answers are, means over clips."""

    accuracy: float
    """Of the clean view, 0 to 1; of any number of labels all must be right."""
    nll: float
    """Negative log-likelihood of the clean view, nats; of any number of labels the mean over them."""
    jsd: float
    """Jensen-Shannon divergence over the views, nats."""


@torch.no_grad()
def answer(
    network: nn.Module,
    views: FixedViews,
    should_stop: Callable[[], bool] = lambda: False,
    answering: Answering | None = None,
) -> Answers | None:
    """Ask a network, in eval mode, about every view; its mode is put back afterwards.

    Args:
        network: log-mels `[..., band, frame]` to logits `[..., label]`.
        views: what to ask about.
        should_stop: asked before each batch; where it says yes, the result is None.
        answering: how the network was trained to answer; None: as the targets of the views say.

    Raises:
        NotFiniteError: where an answer is not finite.
    """
    likelihood = (answering or answering_of(views.targets)).likelihood
    was_training = network.training
    network.eval()
    said, divergences = [], []
    try:
        for log_mels in views.batches():
            if should_stop():
                return None
            logits = network(log_mels)
            said.append(likelihood.log_probabilities(logits))
            divergences.append(likelihood.jensen_shannon_divergence(logits))
    finally:
        network.train(was_training)
    log_probabilities, jsd = torch.cat(said, 1), torch.cat(divergences)
    check_answers(log_probabilities, network)
    check_answers(jsd, network)
    return Answers(log_probabilities.cpu().numpy(), jsd.cpu().numpy())


def score(answers: Answers, targets: Targets) -> Scores:
    """Compute the mean numbers of some answers.

    Args:
        answers: of all views, the clean one first.
        targets: true classes, in the order of the answers' labels.
    """
    clean, answering = answers.log_probabilities[0], answering_of(targets)
    return Scores(
        accuracy=answering.accuracy(clean, targets),
        nll=answering.nll(clean, targets),
        jsd=float(answers.jsd.mean(dtype=np.float64)),
    )
