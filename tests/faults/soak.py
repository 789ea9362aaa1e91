"""Long use in one process: memory and open files stay what they were after the first tenth."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from faults.soaked import KINDS, MODEL
from faults.tally import Tally


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Try each kind of long use in a process of its own; `quick` trains a tiny network and hears twelve minutes."""
    memory = Tally(
        "Resident memory after the first tenth of long use and at its end differs by at most 5 %", len(KINDS)
    )
    files = Tally("At the end of long use as many files are open as after its first tenth", len(KINDS))
    said = []
    _use(MODEL, scratch, quick).check_returncode()
    for kind in KINDS:
        done = _use(kind, scratch, quick)
        if done.returncode:
            problem = f"status {done.returncode}: {done.stderr[-500:]}"
            memory.judge(kind, problem)
            files.judge(kind, problem)
            continue
        told = json.loads(done.stdout.splitlines()[-1])
        (first_mib, n_first), (last_mib, n_last) = told["first"], told["last"]
        grown = last_mib / first_mib - 1
        memory.judge(told["what"], None if abs(grown) <= 0.05 else f"{first_mib:.0f} MiB, then {last_mib:.0f} MiB")
        files.judge(told["what"], None if n_last == n_first else f"{n_first} open files, then {n_last}")
        said.append(f"{told['what']} {first_mib:.0f} MiB {grown:+.1%} ({told['duration_s'] / 60:.1f} minutes)")
    memory.figures = "; ".join(said)
    yield from (memory, files)


def _use(kind: str, scratch: Path, quick: bool) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "faults.soaked", kind, str(scratch), *["--quick"] * quick]
    environment = {**os.environ, "COHEAR_CACHE": str(scratch / "cache")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=3000, check=False)
