"""When training is over before its last epoch, and which epoch's weights it leaves: functions of the history alone.

Only `validation_nll` decides, nats over clips that are neither trained on nor tested.
"""

from collections.abc import Sequence
from typing import Any


def kept_epoch(history: Sequence[dict[str, Any]], patience: int | None) -> int:
    """Return the epoch whose weights training leaves behind: with patience the best one so far, else the last.

    Args:
        history: one record per epoch, at least one.
        patience: of the training plan.

    Raises:
        KeyError: with patience, where an epoch has no `validation_nll`.

    Example:
        >>> history = [{"epoch": epoch, "validation_nll": loss} for epoch, loss in enumerate((0.9, 0.5, 0.5, 0.7))]
        >>> kept_epoch(history, patience=None), kept_epoch(history, patience=3)
        (3, 1)
    """
    if patience is None:
        return history[-1]["epoch"]
    return min(history, key=lambda record: record["validation_nll"])["epoch"]  # of equals the first


def is_settled(history: Sequence[dict[str, Any]], patience: int | None) -> bool:
    """Whether the validation loss has not fallen below its lowest for `patience` epochs; never without patience."""
    if patience is None or not history:
        return False
    return history[-1]["epoch"] - kept_epoch(history, patience) >= patience
