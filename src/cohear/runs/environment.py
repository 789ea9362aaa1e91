"""The file `environment.json` of a run: what it ran on, at each of its starts."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cohear.errors import UserError
from cohear.runs.run import Run
from cohear.runtime.devices import describe_environment
from cohear.runtime.files import write_json

_log = logging.getLogger(__name__)
_CHANGES_LAST_BITS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "number of threads": lambda start: start["n_threads"],
    "number of processes": lambda start: start["n_processes"],
    "processor": lambda start: start["processor"],
    "GPU": lambda start: start["gpu"] or "none",
    "version of torch": lambda start: start["packages"]["torch"],
}
"""What of an environment a resumed run should have kept, and where it stands."""


def write_environment(folder: Path, *, is_compiled: bool) -> None:
    """Write what runs here, and below it what ran at earlier starts of the same run, where it was another.

    A damaged one is replaced: what it says is not worth a run.
    """
    path, starts = folder / "environment.json", list[dict[str, Any]]()
    if path.exists():
        try:
            starts = _starts(folder)
        except UserError as error:
            _log.warning("%s; it is written anew, without the earlier starts of this run", error)
    environment = {**describe_environment(), "is_compiled": is_compiled}
    environment["earlier_starts"] = [start for start in starts if start != environment]
    write_json(path, environment)


def environment_warnings(folder: Path) -> list[str]:
    """Say what of the environments that a run had changes its result."""
    try:
        told = {what: dict.fromkeys(map(tell, _starts(folder))) for what, tell in _CHANGES_LAST_BITS.items()}
    except (UserError, KeyError, TypeError) as error:
        return [f"what the run was made with is not known: {error}"]
    return [
        f"the run was resumed with another {what} ({' and '.join(map(str, values))}), so its last bits are of neither"
        for what, values in told.items()
        if len(values) > 1
    ]


def _starts(folder: Path) -> list[dict[str, Any]]:
    """Return what ran at each start of a run, the newest last."""
    newest = Run(folder).environment
    return [*newest.pop("earlier_starts", []), newest]
