"""The file `environment.json` of a run: what it ran on, at each of its starts."""

import itertools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cohear.errors import UserError
from cohear.experiments.build import build_reverb
from cohear.experiments.config import Config
from cohear.runtime.environment import describe_environment
from cohear.runtime.files import write_json
from cohear.runtime.json_text import parse_json
from cohear.runtime.reading import read_plain

_log = logging.getLogger(__name__)
_CHANGES_LAST_BITS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "number of threads": lambda start: start["n_threads"],
    "number of processes": lambda start: start.get("n_processes", 1),
    "processor": lambda start: start["processor"],
    "GPU": lambda start: start["gpu"] or "none",
    "version of torch": lambda start: start["packages"]["torch"],
}
"""What of an environment a resumed run should have kept, and where it stands."""


def write_environment(folder: Path, config: Config, *, is_compiled: bool) -> None:
    """Write what runs here, and below it what ran at earlier starts of the same run, where it was another.

    A damaged one is replaced: what it says is not worth a run.
    """
    path = folder / "environment.json"
    starts: list[dict[str, Any]] = []
    if path.exists():
        try:
            starts = _read_starts(path)
        except UserError as error:
            _log.warning("%s; it is written anew, without the earlier starts of this run", error)
    environment = describe_environment()
    environment["room_bank"] = build_reverb(config).bank_hash()  # every run is measured on views of `combination`
    environment["is_compiled"] = is_compiled
    environment["earlier_starts"] = [start for start in starts if start != environment]
    write_json(path, environment)


def environment_warnings(folder: Path) -> list[str]:
    """Say what of the environments that a run had changes its result; those of earlier versions tell less of it."""
    try:
        starts = _read_starts(folder / "environment.json")
    except UserError as error:
        return [f"what the run was made with is not known: {error}"]
    warnings = []
    for what, tell in _CHANGES_LAST_BITS.items():
        told = {tell(start): None for start in starts}
        if len(told) > 1:
            said = " and ".join(str(value) for value in told)
            warnings.append(f"the run was resumed with another {what} ({said}), so its last bits are of neither")
    return warnings


def _read_starts(path: Path) -> list[dict[str, Any]]:
    """Return what ran at each start of a run, the newest last."""
    try:
        newest = parse_json(read_plain(path))
        starts = [*newest.pop("earlier_starts"), newest]
        for tell, start in itertools.product(_CHANGES_LAST_BITS.values(), starts):
            hash(tell(start))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"'{path}' is missing or damaged") from error
    return starts
