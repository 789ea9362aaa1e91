"""What a benchmark found, before it becomes a page."""

from dataclasses import dataclass, field
from typing import Any

from cohear.benchmarks.contender import Task
from cohear.benchmarks.pitch_quality import PAPER_SHIFTS, TONES_HZ
from cohear.benchmarks.pitch_survey import PitchSurvey
from cohear.benchmarks.timing import Lap


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    n_clips: int = 32
    """Of a batch."""
    n_rounds: int = 10
    """Of a call that takes long; short ones get more."""
    budget_s: float = 15.0
    """A peer that has taken as long is left out of further rounds."""
    semitones: tuple[float, ...] = PAPER_SHIFTS
    """At which a pitch shift's quality is measured."""
    tones_hz: tuple[float, ...] = TONES_HZ
    """At which it is measured."""
    n_rooms: int = 500
    """Room responses, as the paper has them."""
    judged: bool = True
    """Whether the targets, which are for a full run, are held against it."""


FULL = Effort()
QUICK = Effort(
    n_clips=4,
    n_rounds=3,
    budget_s=1.0,
    semitones=(-2.5, 0.5, 2.5),
    tones_hz=TONES_HZ[::6],
    n_rooms=50,
    judged=False,
)


@dataclass
class Row:
    """One contender."""

    name: str
    problem: str = ""
    """Why it was not measured; else empty."""
    single: Lap | None = None
    """Seconds of a call with one clip, medians over rounds."""
    batch: Lap | None = None
    """Seconds of a call with a batch."""
    n_rounds: int = 0
    """In which the batch was timed."""
    single_mb: float | None = None
    """Peak memory of a call with one clip, 1e6 bytes beyond input and output."""
    batch_mb: float | None = None
    """Peak memory of a call with a batch."""
    survey: PitchSurvey | None = None
    """Of pitch shifts."""
    notes: list[str] = field(default_factory=list)
    """What went wrong on the way."""


@dataclass(frozen=True)
class Goal:
    """What we want to reach, and what came of it."""

    what: str
    limit: float
    """At most."""
    against: str
    """What ours was divided by; empty for a time in seconds."""
    measured: Lap | None
    """Medians of the ratios of each round, or seconds; None where it could not be measured."""

    @property
    def reached(self) -> bool | None:
        """Whether both CPU and wall time are within the limit; None where nothing was measured."""
        return None if self.measured is None else max(self.measured.wall_s, self.measured.cpu_s) <= self.limit


@dataclass
class Results:
    """Everything on the page."""

    effort: Effort
    day: str
    """ISO date."""
    environment: dict[str, Any]
    """As `describe_environment` has it."""
    versions: dict[str, str | None]
    """Of the peers' distributions; None where one is not installed."""
    rows: dict[Task, list[Row]] = field(default_factory=dict)
    """By task, ours first."""
    goals: list[Goal] = field(default_factory=list)
    transforms: dict[str, list[float] | str] = field(default_factory=dict)
    """CPU milliseconds per clip of one clip and of a batch, or why it was not measured."""
    rooms: tuple[float, float] | str = "not measured"
    """Seconds, and greatest relative error of a reverberation time; or what went wrong."""
