"""A promise, how often it was put to the test, and when it was broken."""

from dataclasses import dataclass, field


@dataclass
class Tally:
    """One line of the table that `make faults` prints."""

    promise: str
    """A sentence that can be true or false."""
    wanted: int
    """How often it must be tried; a promise that was tried less counts as not tried."""
    tried: int = 0
    lost: list[str] = field(default_factory=list)
    """What happened each time that the promise was broken."""
    figures: str = ""
    """What was measured, as `77 % past the first header check`."""

    def judge(self, case: str, problem: str | None) -> None:
        """Count one try; `problem` says how the promise was broken, None that it held."""
        self.tried += 1
        if problem is not None:
            self.lost.append(f"{case}: {problem}")

    @property
    def survived(self) -> int:
        """Tries after which the promise still held."""
        return self.tried - len(self.lost)

    @property
    def holds(self) -> bool:
        """Whether it was tried often enough, and never broken."""
        return self.tried >= self.wanted > 0 and not self.lost
