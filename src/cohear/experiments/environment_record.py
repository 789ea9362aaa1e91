"""The file `environment.json` of a run: what it ran on, at each of its starts."""

import json
from pathlib import Path

from cohear.experiments.build import build_reverb
from cohear.experiments.config import Config
from cohear.runtime.environment import describe_environment
from cohear.runtime.files import write_json


def write_environment(folder: Path, config: Config, *, is_compiled: bool) -> None:
    """Write what runs here, and below it what ran at earlier starts of the same run, where it was another."""
    path = folder / "environment.json"
    earlier = json.loads(path.read_text()) if path.exists() else None
    environment = describe_environment()
    environment["room_bank"] = build_reverb(config).bank_hash()  # every run is measured on views of `combination`
    environment["is_compiled"] = is_compiled
    starts = [*earlier.pop("earlier_starts"), earlier] if earlier else []
    environment["earlier_starts"] = [start for start in starts if start != environment]
    write_json(path, environment)


def environment_warnings(folder: Path) -> list[str]:
    """Say what of the environments that a run had changes its result."""
    environment = json.loads((folder / "environment.json").read_text())
    numbers = {start["n_threads"] for start in [environment, *environment["earlier_starts"]]}
    if len(numbers) == 1:
        return []
    said = " and ".join(str(n) for n in sorted(numbers))
    return [f"the run was resumed with another number of threads ({said}), so its last bits are of neither"]
