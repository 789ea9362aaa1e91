"""Run the fault tests, print a line per promise, and fail where one was broken or not tried.

Every part is a module with a function `trials(scratch, quick)` that yields tallies. It runs in a process of its own, so
that one which dies takes nothing with it and counts as not tried.
"""

import argparse
import importlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from faults.tally import Tally

PARTS = ("kills", "disks", "processes", "remaking", "soak", "fuzz", "strangers")
"""Modules beside this one, the longest first."""
TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "reliability.md"
"""Lists what is tried, and nothing else."""
LIMIT_S = 7200.0
"""Of a part; one that hangs is killed then."""


def main(arguments: Sequence[str]) -> int:
    """Run the parts that are asked for, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all where none is given")
    parser.add_argument("--quick", action="store_true", help="a selection of each part")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="parts side by side (2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the tallies there too")
    parser.add_argument("--here", action="store_true", help="run the one part in this process; prints JSON lines")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.parts) - set(PARTS)):
        parser.error(f"there is no part '{unknown[0]}'; choose of {', '.join(PARTS)}")
    parts = options.parts or PARTS
    if options.here:
        return _run_here(parts[0], options.quick)
    began = time.monotonic()
    with ThreadPoolExecutor(options.jobs) as pool:
        found = dict(zip(parts, pool.map(lambda part: _run(part, options.quick), parts), strict=True))
    minutes = (time.monotonic() - began) / 60
    if options.json:
        told = {part: [asdict(tally) for tally in tallies] for part, tallies in found.items()}
        versions: dict[str, Any] = {"python": platform.python_version(), "torch": metadata.version("torch")}
        about = {
            "quick": options.quick,
            "minutes": round(minutes),
            "n_cores": os.cpu_count(),
            **versions,
            "parts": told,
        }
        options.json.write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", "utf-8")
    tallies = [tally for of_part in found.values() for tally in of_part]
    broken = [tally for tally in tallies if not tally.holds]
    print(f"\n{len(tallies)} promises, {len(tallies) - len(broken)} held, {minutes:.0f} minutes")
    other = {tally.promise for tally in tallies} ^ promises_on(PAGE.read_text("utf-8")) if parts == PARTS else set()
    if other:
        print("docs/reliability.md and what is tried differ:", *sorted(other), sep="\n")
    return 1 if broken or other else 0


def promises_on(page: str) -> set[str]:
    """Return what the table of a page promises."""
    table = page.partition("<!-- promises")[2].partition("<!-- end")[0]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if line.startswith("| ")]
    return set(rows) - {"promise"}


def _run_here(part: str, quick: bool) -> int:
    """Put a part's promises to the test; one line of JSON each on standard output, all else on standard error."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory(prefix=f"faults-{part}-") as scratch:
        os.environ["COHEAR_CACHE"] = os.path.join(scratch, "cache")
        for tally in importlib.import_module(f"faults.{part}").trials(Path(scratch), quick):
            print(json.dumps(asdict(tally)), file=lines, flush=True)
    return 0


def _run(part: str, quick: bool) -> list[Tally]:
    """Run a part in a process of its own, and print its promises as they come in."""
    command = [sys.executable, "-m", "faults", part, "--here", *["--quick"] * quick]
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    tallies = []
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        limit = threading.Timer(LIMIT_S, process.kill)
        limit.start()
        for line in process.stdout:
            tallies.append(Tally(**json.loads(line)))
            _say(tallies[-1])
        status = process.wait()
        limit.cancel()
    if status or not tallies:
        tallies.append(Tally(f"The part '{part}' was put to the test to its end", 1, figures=f"exit status {status}"))
        _say(tallies[-1])
    return tallies


def _say(tally: Tally) -> None:
    verdict = "held" if tally.holds else "LOST" if tally.lost else "NOT TRIED"
    figures = f"; {tally.figures}" if tally.figures else ""
    counts = f"{tally.tried} tried, {tally.survived} survived, {len(tally.lost)} lost"
    lines = [f"{verdict:9} {tally.promise}: {counts}{figures}", *(f"          {what}" for what in tally.lost[:20])]
    print("\n".join(lines), flush=True)


if hasattr(signal, "SIGHUP"):  # under `nohup` it is ignored, and so it would be by the commands under test
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
