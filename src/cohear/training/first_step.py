"""How long it takes until the first step is made: compilation, and memory that is asked for, lie in it."""

import time

import torch

from cohear.runtime.devices import wait_for


class FirstStep:
    """A clock that starts when it is made.

    Args:
        device: where steps are made.
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self._began = device, time.perf_counter()
        self._duration_s: float | None = None
        self._is_said = False

    def stop(self) -> None:
        """Stop the clock at the first call; only there the host waits for the device."""
        if self._duration_s is None:
            wait_for(self._device)
            self._duration_s = time.perf_counter() - self._began

    def take_record(self) -> dict[str, float]:
        """Return the duration for the history, seconds; nothing after the first time."""
        if self._is_said or self._duration_s is None:
            return {}
        self._is_said = True
        return {"first_step_s": round(self._duration_s, 3)}
