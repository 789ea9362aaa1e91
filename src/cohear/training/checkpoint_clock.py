"""When the next checkpoint is due, so that a run that is killed does at most five minutes of its work twice."""

import time
from typing import Literal

INTERVAL_S = 300.0
"""Longest time between two checkpoints, but for a single piece of work that takes longer."""

Work = Literal["step", "measurement"]


class CheckpointClock:
    """Knows when the last checkpoint was written, and how long a piece of each kind of work took."""

    def __init__(self) -> None:
        self._saved = self._lap = time.monotonic()
        self._took_s: dict[Work, float] = {}

    def did(self, work: Work) -> None:
        """Note that a piece of work ends now."""
        now = time.monotonic()
        self._took_s[work] = now - self._lap
        self._lap = now

    def is_due_before(self, work: Work) -> bool:
        """Whether to write a checkpoint now, since after such a piece of work it would be late."""
        return time.monotonic() - self._saved + self._took_s.get(work, 0.0) >= INTERVAL_S

    def saved(self) -> None:
        """Note that a checkpoint was written."""
        self._saved = self._lap = time.monotonic()
