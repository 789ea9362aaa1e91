"""Collapse: a network that gives every clip, however it is heard, an answer that knows nothing of the clip.

The divergence of the views is then as small as one can wish, and the cross-entropy stays where one answer for all clips
would have it: at ln K for K classes of equal size.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from cohear.objectives import BERNOULLI
from cohear.training.balance import Targets, sampling_classes
from cohear.training.plan import TrainingPlan

N_EPOCHS, MIN_STEPS = 5, 50
"""In a row, and steps in them, both at least, over which it must have been so: a network may need that to begin."""
_SHARE_OF_GUESSING = 0.98
_SMALL_DIVERGENCE = 0.05


def guessing_loss(plan: TrainingPlan, targets: Targets, n_classes: int) -> float:
    """Compute the lowest classification loss that one answer for all clips can have, in nats.

    Args:
        plan: says how clips are drawn and weighed, and how the losses of views are put together.
        targets: of the training clips.
        n_classes: K.

    Returns:
        For K classes of equal weight ln K, of any number of labels the mean over them.
    """
    objective, n_views = plan.objective, len(plan.items[0])
    draws = _draws(targets, plan.draws_classes_equally)
    weights = np.ones(n_classes) if objective.class_weights is None else np.array(objective.class_weights)
    if objective.likelihood is BERNOULLI:
        present = draws @ targets.astype(np.float64)
        parts = np.stack((present * weights, 1 - present))
    else:
        parts = (np.bincount(targets, draws, n_classes) * weights)[:, None]
    loss = _entropy(parts).mean()
    n_counted = n_views if objective.classified_views == "all" else 1
    return float(loss * (n_counted if objective.over_views == "sum" else 1))


def is_collapsed(history: Sequence[dict[str, Any]], guessing: float) -> bool:
    """Whether the last epochs were no better than guessing, with views that agree, and the next would not be either.

    Args:
        history: one record per epoch.
        guessing: from `guessing_loss`.
    """
    last = _window(history)
    if not last:
        return False
    losses = [record["classification"] for record in last]
    expected = losses[-1] - max(0.0, losses[0] - losses[-1])  # a network that begins to learn may come from far above
    return (
        min(*losses, expected) >= _SHARE_OF_GUESSING * guessing
        and max(record["consistency"] for record in last) <= _SMALL_DIVERGENCE
    )


def collapse_warning(history: Sequence[dict[str, Any]], guessing: float) -> str | None:
    """Say what a collapse means and what to try; None where there is none at the end of the history."""
    if not is_collapsed(history, guessing):
        return None
    last, n_epochs = history[-1], len(_window(history))
    remedies = "another optimizer.learning_rate, or labels that can be heard (`cohear check`)"
    agree = ""
    if last["consistency_weight"]:
        agree = f" and the views agree (divergence {last['consistency']:.4f} nats) since they say nothing"
        remedies = f"a smaller objective.consistency_weight or a longer objective.ramp_epochs, {remedies}"
    return (
        f"the network has collapsed: in the last {n_epochs} epochs (up to {last['epoch']}) its answers told no more of "
        f"the clips than one answer for all of them, the cross-entropy is {last['classification']:.3f} nats where that "
        f"has {guessing:.3f}{agree}; try {remedies}"
    )


def _window(history: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Return the last epochs, as few as are enough; none where all are too few."""
    n_steps = 0
    for n_epochs, record in enumerate(reversed(history), 1):
        n_steps += record["n_steps"]
        if n_epochs >= N_EPOCHS and n_steps >= MIN_STEPS:
            return history[-n_epochs:]
    return []


def _draws(targets: Targets, classes_equally: bool) -> Float64[np.ndarray, " clip"]:
    """Return each clip's share of what is drawn in the long run."""
    if not classes_equally:
        return np.full(len(targets), 1 / len(targets))
    _, classes, counts = np.unique(sampling_classes(targets), return_inverse=True, return_counts=True)
    return 1 / (len(counts) * counts[classes])


def _entropy(parts: Float64[np.ndarray, "outcome answer"]) -> Float64[np.ndarray, " answer"]:
    """Return the cross-entropy of each answer's weighted outcomes under the distribution that fits them best."""
    shares = parts / parts.sum(0)
    return -(parts * np.log(np.where(parts > 0, shares, 1.0))).sum(0)
