"""Plans and runs of a few steps."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cohear.runs.execution import execute
from cohear.runs.plan import Plan, list_clips
from cohear.runs.run import Run
from tiny import TINY_SETTINGS, tiny_config

NONE: Mapping[str, Any] = {"method": "none", "views.transform": "none"}
ONE_EPOCH: Mapping[str, Any] = {"training.epochs": 1}


def make_plan(
    data: Path,
    out: Path | None = None,
    changes: Mapping[str, Any] = MappingProxyType({}),
    track: str = "end",
    **options: Any,
) -> Plan:
    """Plan a tiny run; `options` are of the plan."""
    listing = list_clips(data, tiny_config(changes), {*TINY_SETTINGS, *changes})
    listing.check(listing.config)
    return Plan(listing.config, listing.decode(), track, out=out, **options)


def make_run(
    data: Path,
    out: Path,
    changes: Mapping[str, Any] = MappingProxyType({}),
    track: str = "end",
    *,
    resume: bool = False,
    on_step: Callable[[int, int], None] = lambda _done, _total: None,
    **options: Any,
) -> Run:
    """Plan a tiny run and make it."""
    return execute(make_plan(data, out, changes, track, **options), resume=resume, on_step=on_step)[0]


def weights(run: Run) -> bytes:
    """The bytes of a run's weights."""
    return run.weights_path.read_bytes()


def stop_after(n_steps: int) -> Callable[[int, int], None]:
    """An `on_step` that presses Ctrl-C."""

    def on_step(done: int, _total: int) -> None:
        if done == n_steps:
            signal.raise_signal(signal.SIGINT)

    return on_step
