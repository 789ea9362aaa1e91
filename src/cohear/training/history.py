"""What the history of a training tells: which epoch's weights it leaves, when it is over, and what to warn of.

The history is one JSON object per epoch, counted from 1, a line each in `history.jsonl`; everything here is a function
of it.

Only `validation_nll` decides which epoch is best, nats over clips that are neither trained on nor tested.

A collapse is a network that gives every clip, however it is heard, an answer that knows nothing of the clip. The
divergence of the views is then as small as one can wish, and the cross-entropy stays where one answer for all clips
would have it: at ln K for K classes of equal size.
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cohear.metrics.tasks import Targets, task_of
from cohear.runtime.files import write_text
from cohear.training.batches import sampling_classes
from cohear.training.inputs import Schedule

_LOG = logging.getLogger(__name__)
N_EPOCHS, MIN_STEPS = 5, 50
"""In a row, and steps in them, both at least, over which it must have been so: a network may need that to begin."""
_SHARE_OF_GUESSING = 0.98
_SMALL_DIVERGENCE = 0.05


def write_history(folder: Path, history: Sequence[dict[str, Any]]) -> None:
    """Write `history.jsonl` of a run folder."""
    lines = [json.dumps(record, separators=(",", ":")) for record in history]
    write_text(folder / "history.jsonl", "".join(f"{line}\n" for line in lines))


def kept_epoch(history: Sequence[dict[str, Any]], patience: int | None) -> int:
    """Return the epoch whose weights training leaves behind: with patience the best one so far, else the last.

    Args:
        history: one record per epoch, at least one.
        patience: of the training schedule.

    Raises:
        KeyError: with patience, where an epoch has no `validation_nll`.

    Example:
        >>> history = [{"epoch": epoch, "validation_nll": loss} for epoch, loss in enumerate((0.9, 0.5, 0.5, 0.7), 1)]
        >>> kept_epoch(history, patience=None), kept_epoch(history, patience=3)
        (4, 2)
    """
    if patience is None:
        return history[-1]["epoch"]
    return min(history, key=lambda record: record["validation_nll"])["epoch"]  # of equals the first


def is_settled(history: Sequence[dict[str, Any]], patience: int | None) -> bool:
    """Whether the validation loss has not fallen below its lowest for `patience` epochs; never without patience."""
    if patience is None or not history:
        return False
    return history[-1]["epoch"] - kept_epoch(history, patience) >= patience


def guessing_loss(schedule: Schedule, targets: Targets) -> float:
    """Compute the lowest classification loss that one answer for all clips can have, in nats.

    Args:
        schedule: says how clips are drawn and weighed, and how the losses of views are put together.
        targets: of the training clips.

    Returns:
        For K classes of equal weight ln K, of any number of labels the mean over them.
    """
    task, objective, n_views = task_of(targets), schedule.objective, schedule.items.n_views
    shares = np.full(len(targets), 1 / len(targets))
    if schedule.draws_classes_equally:  # each clip's share of what is drawn in the long run
        _, classes, counts = np.unique(sampling_classes(targets), return_inverse=True, return_counts=True)
        shares = 1 / (len(counts) * counts[classes])
    frequencies = np.bincount(targets, shares) if targets.ndim == 1 else shares @ targets
    n_classes = len(frequencies)  # classes without clips add nothing
    weights = np.array(objective.class_weights or np.ones(n_classes))[:n_classes]
    loss = task.guessing_nll(frequencies, weights)
    n_counted = n_views if objective.classified_views == "all" else 1
    return loss * (n_counted if objective.over_views == "sum" else 1)


def history_warnings(history: Sequence[dict[str, Any]], guessing: float) -> list[str]:
    """Say how many steps were dropped, and whether the network has collapsed.

    Args:
        history: one record per epoch.
        guessing: from `guessing_loss`.
    """
    return [w for w in (dropped_warning(history), collapse_warning(history, guessing)) if w is not None]


def warn_of_epoch(history: Sequence[dict[str, Any]], guessing: float) -> None:
    """Say aloud what the last epoch brought: steps that were dropped, and the beginning of a collapse."""
    dropped, collapse = dropped_warning(history[-1:]), collapse_warning(history, guessing)
    if dropped is not None:
        _LOG.warning("%s", dropped)
    if collapse is not None and collapse_warning(history[:-1], guessing) is None:
        _LOG.warning("%s", collapse)


def dropped_warning(history: Sequence[dict[str, Any]]) -> str | None:
    """Say how many steps were dropped; None where none was.

    Example:
        >>> dropped_warning([{"epoch": 1, "n_steps": 9}, {"epoch": 2, "n_steps": 9, "n_skipped": 2}])
        'the loss or its gradients were not finite in 2 of 18 steps, which were dropped (first in epoch 2)'
    """
    epochs = [record for record in history if record.get("n_skipped")]
    if not epochs:
        return None
    n_dropped, n_steps = sum(r["n_skipped"] for r in epochs), sum(r["n_steps"] for r in history)
    return (
        f"the loss or its gradients were not finite in {n_dropped} of {n_steps} steps, which were dropped (first in "
        f"epoch {epochs[0]['epoch']})"
    )


def collapse_warning(history: Sequence[dict[str, Any]], guessing: float) -> str | None:
    """Say what a collapse means and what to try; None where there is none at the end of the history.

    There is one where the last epochs were no better than guessing and the next would not be either, since a network
    that begins to learn may come from far above, and where the views agree.
    """
    window = _window(history)
    if not window:
        return None
    losses, last = [record["classification"] for record in window], window[-1]
    expected = losses[-1] - max(0.0, losses[0] - losses[-1])
    divergence = max(record["consistency"] for record in window)
    if min(*losses, expected) < _SHARE_OF_GUESSING * guessing or divergence > _SMALL_DIVERGENCE:
        return None
    smaller = "a smaller objective.consistency_weight, " if last["consistency_weight"] else ""
    return (
        f"the network has collapsed: in the last {len(window)} epochs (up to {last['epoch']}) it answered as if all "
        f"clips were one, with a cross-entropy of {losses[-1]:.3f} nats where one answer for all has {guessing:.3f}; "
        f"try {smaller}another optimizer.learning_rate, or labels that can be heard (`cohear check`)"
    )


def _window(history: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Return the last epochs, as few as are enough; none where all are too few."""
    n_steps = 0
    for n_epochs, record in enumerate(reversed(history), 1):
        n_steps += record["n_steps"]
        if n_epochs >= N_EPOCHS and n_steps >= MIN_STEPS:
            return history[-n_epochs:]
    return []
