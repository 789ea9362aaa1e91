"""What a benchmark found, and its page as Markdown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.contenders import CLIP_S, HOP_LENGTH, N_FFT, N_MELS, RESPONSE_S, SAMPLE_RATE, Task
from benchmarks.measuring import Lap
from benchmarks.pitch_quality import PAPER_SHIFTS, TONES_HZ, PitchSurvey

_NOTHING = "-"
_TITLES: dict[Task, str] = {
    "pitch": "Pitch shift",
    "reverb": f"Reverb, a response of {RESPONSE_S:g} s per clip",
    "log_mel": f"Log-mel, {N_MELS} bands, n_fft {N_FFT}, hop {HOP_LENGTH}",
    "spec_augment": f"SpecAugment, {N_MELS} bands",
}
_SURVEY = {
    "error_cents": ("cents", ".3f"),
    "residual_db": ("residual, dB", ".1f"),
    "level_db": ("level, dB", "+.2f"),
    "noise_level_db": ("noise level, dB", "+.2f"),
    "low_pair_db": ("low pair, dB", ".1f"),
    "harmonics_db": ("harmonics, dB", ".1f"),
    "click_share": ("clicks", ".2f"),
    "click_level_db": ("click level, dB", "+.2f"),
    "alias_db": ("alias, dB", ".1f"),
}
"""Columns: fields of `PitchSurvey`, their heads and how they are printed."""
_SURVEY_WORDS = """\
- Tones: error of the frequency; residual, the energy further than 50 cents and 8 Hz from where the tone belongs over
  all energy; level over that of the input.
- Noise and click level: over the ideal, which loses 10 log10 of the ratio upward and nothing downward.
- Low pair: 110 and 165 Hz, energy further than 6 Hz from where both belong over all energy.
- Harmonics: 220 Hz and nine partials, residual as of tones.
- Clicks: share of the energy that stays within 5 ms.
- Alias: what is left of tones at least 5 % above the highest frequency that fits after the shift."""


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    n_clips: int = 32
    """Of a batch."""
    n_rounds: int = 10
    """Of a call that takes long; short ones get more."""
    budget_s: float = 15.0
    """A peer that has taken as long is left out of further rounds."""
    semitones: Sequence[float] = PAPER_SHIFTS
    """At which a pitch shift's quality is measured."""
    tones_hz: Sequence[float] = TONES_HZ
    """At which it is measured."""
    n_rooms: int = 500
    """Room responses, as the paper has them."""
    judged: bool = True
    """Whether the targets, which are for a full run, are held against it."""


FULL = Effort()
QUICK = Effort(4, 3, 1.0, (-2.5, 0.5, 2.5), TONES_HZ[::6], n_rooms=50, judged=False)


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
    unit: str
    """What ours was divided by, or seconds."""
    measured: Lap | None
    """Medians of the ratios of each round, or seconds; None where it could not be measured."""

    @property
    def reached(self) -> bool | None:
        """Whether both CPU and wall time are within the limit; None where nothing was measured."""
        return None if self.measured is None else max(self.measured) <= self.limit


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
    transforms: dict[str, list[float]] = field(default_factory=dict)
    """CPU milliseconds per clip of one clip and of a batch."""
    worst_room: float = math.nan
    """Greatest relative error of a reverberation time."""


def render(results: Results) -> str:
    """Return the page; it ends with a line break."""
    effort = results.effort
    n = effort.n_clips
    timed = [[name, *(_ms(ms / 1e3) for ms in figures)] for name, figures in results.transforms.items()]
    shifts = ", ".join(f"{shift:+g}" for shift in effort.semitones)
    parts = [
        "# Speed, memory and accuracy of the transforms",
        f"Clips of {CLIP_S:g} s at {SAMPLE_RATE / 1000:g} kHz, one channel, float32; one thread for every library. All "
        "rows of a table were timed in turns, in one process, on the same clips. ms are CPU time per clip, medians "
        f"over rounds. MB are the peak of one call beyond its input and output, 1e6 bytes, in a process of its own.",
        *([] if effort.judged else ["Measured with `--quick`: few rounds and clips. The targets are not for this."]),
        _environment(results),
        "## Targets",
        "Medians of each round's ratio; reached is what CPU and wall time both reach.",
        _goals(results.goals, effort),
    ]
    for task, rows in results.rows.items():
        remarks = "\n".join(f"- {row.name}: {text}" for row in rows for text in (row.notes or [row.problem]) if text)
        parts += [f"## {_TITLES[task]}", _times(rows, n), *([remarks] if remarks else [])]
        if task == "pitch":
            words = (
                f"The worst over shifts by {shifts} semitones and {len(effort.tones_hz)} tones from "
                f"{effort.tones_hz[0]:.0f} to {effort.tones_hz[-1]:.0f} Hz, measured between seconds 1 and 4, clicks "
                "everywhere."
            )
            parts += ["### What it does to known signals", words, _SURVEY_WORDS, _survey(rows)]
    parts += [
        "## All transforms of cohear, draw and apply",
        markdown_table(["", "ms, one clip", f"ms, batch of {n}"], timed),
        "## Room responses",
        f"{effort.n_rooms} responses with reverberation times of 0.2 to 1.0 s. Greatest error of a reverberation time: "
        f"{100 * results.worst_room:.2f} %.",
    ]
    return "\n\n".join(parts) + "\n"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table; the first column is text, the others are figures."""
    widths = [max(3, *(len(row[column]) for row in (head, *rows))) for column in range(len(head))]
    rule = ["-" * width if column == 0 else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    lines = [
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        for row in (head, rule, *rows)
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _environment(results: Results) -> str:
    told = results.environment
    versions = {"Python": told["python"], **told["packages"], **results.versions}
    facts = {
        "day": results.day,
        "machine": f"{told['processor']}, {told['n_cores']} cores, {told['platform']}",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items() if version),
    }
    return "\n".join(f"- {name}: {text}" for name, text in facts.items())


def _goals(goals: Sequence[Goal], effort: Effort) -> str:
    rows = []
    for goal in goals:
        verdict = {True: "reached", False: "missed", None: "not measured"}[goal.reached]
        if goal.measured and not effort.judged:
            verdict = "not judged"
        figures = [f"{lap:.2f}" for lap in (goal.measured.cpu_s, goal.measured.wall_s)] if goal.measured else ["-", "-"]
        rows.append([goal.what, goal.unit, *figures, f"{goal.limit:g}", verdict])
    return markdown_table(["", "in units of", "CPU", "wall", "at most", "verdict"], rows)


def _times(rows: Sequence[Row], n_clips: int) -> str:
    cells = []
    for row in rows:
        wall_s, cpu_s = row.batch or (math.nan, math.nan)
        times = [_ms(s) for s in (row.single.cpu_s if row.single else None, cpu_s / n_clips, wall_s / n_clips)]
        cells.append([row.name, *times, str(row.n_rounds), _figure(row.single_mb, ".1f"), _figure(row.batch_mb, ".1f")])
    batch = f"batch of {n_clips}"
    head = ["", "ms, one clip", f"ms, {batch}", "the same, wall", "rounds", "MB, one clip", f"MB, {batch}"]
    return markdown_table(head, cells)


def _survey(rows: Sequence[Row]) -> str:
    cells = [
        [row.name, *(_figure(getattr(row.survey, name, None), form) for name, (_head, form) in _SURVEY.items())]
        for row in rows
    ]
    return markdown_table(["", *(head for head, _form in _SURVEY.values())], cells)


def _ms(seconds: float | None) -> str:
    ms = math.nan if seconds is None else 1e3 * seconds
    return _figure(ms, ".0f" if ms >= 100 else ".1f" if ms >= 10 else ".3g")


def _figure(value: float | None, form: str) -> str:
    return _NOTHING if value is None or math.isnan(value) else format(value, form)
