"""Collapse: networks that cannot learn are called so, and those that do learn are not."""

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path

from faults.forked import leave_pictures_blank, run_forked
from faults.tally import Tally
from tiny import OPTIONS, write_classes, write_tones

RESULTS = Path(__file__).parents[2] / "results"
HUGE_WEIGHT = ("objective.consistency_weight=10000", "objective.ramp_epochs=0")
NO_STEPS = ("optimizer.learning_rate=1e-9",)
COLLAPSES = {
    "no learning rate to speak of": NO_STEPS,
    "the same without augmentation": (*NO_STEPS, "method=none", "views.transform=none"),
    "a huge consistency weight": HUGE_WEIGHT,
    "the same with larger steps": (*HUGE_WEIGHT, "optimizer.learning_rate=0.005"),
    "masking and a huge weight": (*HUGE_WEIGHT, "views.transform=masking"),
}
HEALTHY = {
    "as it comes": (),
    "without augmentation": ("method=none", "views.transform=none"),
    "batched augmentation": ("method=bda",),
    "a small learning rate": ("optimizer.learning_rate=1e-4",),
    "the weight at once": ("objective.ramp_epochs=0",),
}


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Train networks that cannot learn and networks that do, and read the histories of all kept runs."""
    os.environ["COHEAR_CACHE"] = str(scratch / "cache")
    one, several = write_tones(scratch / "tones", n_clips=8), write_classes(scratch / "several", several=True)
    few = 2 if quick else len(COLLAPSES)
    collapsed = Tally("A collapse is said aloud while training goes on, and stands in metrics and report", 2 * few)
    for data in (one, several):
        for name, settings in list(COLLAPSES.items())[-few:]:
            collapsed.judge(f"{name}, {data.stem}", _unnoticed(scratch, data, settings))
    yield collapsed
    kept = sorted(RESULTS.rglob("history.jsonl"))
    healthy = Tally("No run that learns is said to have collapsed", len(kept) + 2 * (few if quick else len(HEALTHY)))
    for path in kept:
        healthy.judge(str(path.parent.name), _false_alarm(path))
    for data in (one, several):
        for name, settings in list(HEALTHY.items())[: few if quick else None]:
            problem = _unnoticed(scratch, data, settings)
            healthy.judge(f"{name}, {data.stem}", None if problem == "nothing was said" else problem or "called so")
    healthy.figures = f"{len(kept)} of them kept runs, judged after every epoch"
    yield healthy


def _unnoticed(scratch: Path, data: Path, settings: tuple[str, ...]) -> str | None:
    """Train for fourteen epochs, and say where nothing is said of a collapse."""
    run = scratch / "run" / str(len(list((scratch / "run").glob("*"))))
    words = [word for text in (*settings, "training.epochs=14") for word in ("--set", text)]
    options = ["--validation", "0", "--track", "end", "--out", run]
    ended = run_forked(
        ["train", data, *OPTIONS, *words, *options], scratch, prepare=lambda _note: leave_pictures_blank()
    )
    if ended.status != 0:
        return f"status {ended.status}: {ended.last_line}"
    said = "the network has collapsed" in ended.err
    warned = any("collapsed" in warning for warning in json.loads((run / "metrics.json").read_text())["warnings"])
    shown = "the network has collapsed" in (run / "report.html").read_text()
    if not (said or warned or shown):
        return "nothing was said"
    return None if said and warned and shown else f"aloud {said}, in metrics {warned}, in the report {shown}"


def _false_alarm(path: Path) -> str | None:
    from cohear.training.collapse import collapse_warning

    n_classes = len(json.loads((path.parent / "config.json").read_text())["classes"])
    history = [json.loads(line) for line in path.read_text().splitlines()]
    alarms = [n for n in range(1, len(history) + 1) if collapse_warning(history[:n], math.log(n_classes))]
    return f"called so after {alarms[0]} epochs" if alarms else None
