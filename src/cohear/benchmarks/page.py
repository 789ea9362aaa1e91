"""The benchmark's page, as Markdown."""

import math
from collections.abc import Sequence

from cohear.benchmarks.contender import Task
from cohear.benchmarks.inputs import CLIP_S, HOP_LENGTH, N_FFT, N_MELS, RESPONSE_S, SAMPLE_RATE
from cohear.benchmarks.results import Effort, Goal, Results, Row
from cohear.benchmarks.timing import Lap

_NOTHING = "-"
HOW_TO_GET_PEERS = (
    "`make bench` in cohear's repository installs all peers, in an environment of their own "
    "(`benchmarks/requirements.txt`)."
)
_TITLES: dict[Task, str] = {
    "pitch": "Pitch shift",
    "reverb": f"Reverb, a response of {RESPONSE_S:g} s per clip",
    "log_mel": f"Log-mel, {N_MELS} bands, n_fft {N_FFT}, hop {HOP_LENGTH}",
    "spec_augment": f"SpecAugment, {N_MELS} bands",
}


def render(results: Results) -> str:
    """Return the page; it ends with a line break."""
    effort = results.effort
    parts = [
        "# Speed, memory and accuracy of the transforms",
        f"Clips of {CLIP_S:g} s at {SAMPLE_RATE / 1000:g} kHz, one channel, float32; one thread for every library. All "
        "rows of a table were timed in turns, in one process, on the same clips. ms are CPU time per clip, medians "
        f"over rounds. MB are the peak of one call beyond its input and output, 1e6 bytes, in a process of its own.",
        *([] if effort.judged else ["Measured with `--quick`: few rounds and clips. The targets are not for this."]),
        _environment(results),
        "## Targets",
        _goals(results.goals, effort),
        *_absent(results),
    ]
    for task, rows in results.rows.items():
        parts += [f"## {_TITLES[task]}", _times(rows, effort), *_remarks(rows)]
        if task == "pitch":
            parts += ["### What it does to known signals", _survey_words(effort), _survey(rows)]
    parts += ["## All transforms of cohear, draw and apply", _transforms(results), "## Room responses", _rooms(results)]
    return "\n\n".join(parts) + "\n"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table; the first column is text, the others are figures."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(head))]
    lines = [
        "| "
        + " | ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in cells
    ]
    rule = "|" + "|".join(
        ("-" * (width + 1) + ":") if column else "-" * (width + 2) for column, width in enumerate(widths)
    )
    return "\n".join([lines[0], f"{rule}|", *lines[1:]])


def _environment(results: Results) -> str:
    told = results.environment
    versions = {**told["packages"], **{name: version for name, version in results.versions.items() if version}}
    lines = [
        ("day", results.day),
        ("machine", f"{told['processor']}, {told['n_cores']} cores, {told['platform']}"),
        ("command", " ".join(told["command"])),
        (
            "versions",
            ", ".join(f"{name} {version}" for name, version in [("Python", told["python"]), *versions.items()]),
        ),
    ]
    return "\n".join(f"- {name}: {text}" for name, text in lines)


def _goals(goals: Sequence[Goal], effort: Effort) -> str:
    rows = []
    for goal in goals:
        verdict = {True: "reached", False: "missed", None: "not measured"}[goal.reached]
        if not effort.judged and goal.measured:
            verdict = "not judged"
        rows.append(
            [
                goal.what,
                goal.against or "s, two threads",
                *((_NOTHING, _NOTHING) if goal.measured is None else _ratio_cells(goal.measured, bool(goal.against))),
                f"{goal.limit:g}",
                verdict,
            ]
        )
    head = ["", "in units of", "CPU", "wall", "at most", "verdict"]
    return (
        f"Medians of each round's ratio; reached is what CPU and wall time both reach.\n\n{markdown_table(head, rows)}"
    )


def _ratio_cells(lap: Lap, is_ratio: bool) -> tuple[str, str]:
    return (f"{lap.cpu_s:.2f}" if is_ratio else _NOTHING), f"{lap.wall_s:.2f}"


def _absent(results: Results) -> list[str]:
    absent = [name for name, version in results.versions.items() if version is None]
    return [f"Not installed: {', '.join(absent)}. {HOW_TO_GET_PEERS}"] if absent else []


def _times(rows: Sequence[Row], effort: Effort) -> str:
    n = effort.n_clips
    cells = []
    for row in rows:
        if row.problem:
            cells.append([row.name, *[_NOTHING] * 6])
            continue
        cells.append(
            [
                row.name,
                _ms(row.single and row.single.cpu_s),
                _ms(row.batch and row.batch.cpu_s / n),
                _ms(row.batch and row.batch.wall_s / n),
                str(row.n_rounds),
                _figure(row.single_mb, ".1f"),
                _figure(row.batch_mb, ".1f"),
            ]
        )
    head = ["", "ms, one clip", f"ms, batch of {n}", "the same, wall", "rounds", "MB, one clip", f"MB, batch of {n}"]
    return markdown_table(head, cells)


def _remarks(rows: Sequence[Row]) -> list[str]:
    remarks = [f"- {row.name}: {text}" for row in rows for text in ([row.problem] if row.problem else row.notes)]
    return ["\n".join(remarks)] if remarks else []


def _survey_words(effort: Effort) -> str:
    shifts = ", ".join(f"{shift:+g}" for shift in effort.semitones)
    lines = [
        f"The worst over shifts by {shifts} semitones, measured between seconds 1 and 4, clicks everywhere.",
        "",
        f"- Tones: {len(effort.tones_hz)} from {effort.tones_hz[0]:.0f} to {effort.tones_hz[-1]:.0f} Hz, the same for "
        "all libraries: error of the frequency; residual, the energy further than 50 cents and 8 Hz from where the "
        "tone belongs over all energy; level over that of the input.",
        "- Noise and click level: over the ideal, which loses 10 log10 of the ratio upward and nothing downward.",
        "- Low pair: 110 and 165 Hz, energy further than 6 Hz from where both belong over all energy.",
        "- Harmonics: 220 Hz and nine partials, residual as of tones.",
        "- Clicks: share of the energy that stays within 5 ms.",
        "- Alias: what is left of tones at least 5 % above the highest frequency that fits after the shift.",
    ]
    return "\n".join(lines)


def _survey(rows: Sequence[Row]) -> str:
    cells = [
        [
            row.name,
            *(
                _figure(getattr(row.survey, name, None), form)
                for name, form in (
                    ("error_cents", ".3f"),
                    ("residual_db", ".1f"),
                    ("level_db", "+.2f"),
                    ("noise_level_db", "+.2f"),
                    ("low_pair_db", ".1f"),
                    ("harmonics_db", ".1f"),
                    ("click_share", ".2f"),
                    ("click_level_db", "+.2f"),
                    ("alias_db", ".1f"),
                )
            ),
        ]
        for row in rows
    ]
    head = ["", "cents", "residual, dB", "level, dB", "noise level, dB", "low pair, dB", "harmonics, dB"]
    return markdown_table([*head, "clicks", "click level, dB", "alias, dB"], cells)


def _transforms(results: Results) -> str:
    timed = {name: ms for name, ms in results.transforms.items() if not isinstance(ms, str)}
    others = [f"- {name}: {why}" for name, why in results.transforms.items() if name not in timed]
    table = markdown_table(
        ["", "ms, one clip", f"ms, batch of {results.effort.n_clips}"],
        [[name, *(_ms(ms / 1e3) for ms in figures)] for name, figures in timed.items()],
    )
    return "\n\n".join([table, *(["\n".join(others)] if others else [])])


def _rooms(results: Results) -> str:
    if isinstance(results.rooms, str):
        return f"Not measured: {results.rooms}."
    duration_s, worst_error = results.rooms
    return (
        f"{results.effort.n_rooms} responses with reverberation times of 0.2 to 1.0 s, two threads: {duration_s:.2f} "
        f"s. Greatest error of a reverberation time: {100 * worst_error:.2f} %."
    )


def _ms(seconds: float | None) -> str:
    if seconds is None or math.isnan(seconds):
        return _NOTHING
    ms = 1e3 * seconds
    return f"{ms:.0f}" if ms >= 100 else f"{ms:.1f}" if ms >= 10 else f"{ms:.3g}"


def _figure(value: float | None, form: str) -> str:
    return _NOTHING if value is None or math.isnan(value) else format(value, form)
