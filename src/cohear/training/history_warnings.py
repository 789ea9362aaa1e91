"""What a history gives reason to warn of, while training goes on and in what it leaves behind."""

import logging
from collections.abc import Sequence
from typing import Any

from cohear.training.collapse import collapse_warning
from cohear.training.nonfinite import dropped_warning

_LOG = logging.getLogger(__name__)


def history_warnings(history: Sequence[dict[str, Any]], guessing: float) -> list[str]:
    """Say how many steps were dropped, and whether the network has collapsed.

    Args:
        history: one record per epoch.
        guessing: from `guessing_loss`.
    """
    warnings = [dropped_warning(history), collapse_warning(history, guessing)]
    return [warning for warning in warnings if warning is not None]


def warn_of_epoch(history: Sequence[dict[str, Any]], guessing: float) -> None:
    """Say aloud what the last epoch brought: steps that were dropped, and the beginning of a collapse."""
    dropped = dropped_warning(history[-1:])
    collapse = None if collapse_warning(history[:-1], guessing) else collapse_warning(history, guessing)
    for warning in (dropped, collapse):
        if warning is not None:
            _LOG.warning("%s", warning)
