"""Functions called in a process of their own: a library that crashes, hangs or fills the memory takes nothing along.

Every library gets as many threads as is asked for: their pools read the environment when they are first imported.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from cohear.benchmarks.timing import first_line, without_folders

_POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class ChildError(Exception):
    """What went wrong in the child, in one line."""


def call_in_child(function: str, *arguments: Any, n_threads: int = 1, timeout_s: float = 600.0) -> Any:
    """Call `module:function` in a fresh interpreter and return what it returns.

    Args:
        function: as `cohear.benchmarks.jobs:survey_pitch`.
        arguments: as JSON has them.
        n_threads: for each pool of threads.
        timeout_s: seconds, then the child is stopped.

    Raises:
        ChildError: if it raises, ends otherwise without a result, or takes too long.
    """
    with tempfile.TemporaryDirectory(prefix="cohear-bench-") as folder:
        # A file and not the standard output, to which libraries print.
        place = Path(folder) / "result.json"
        command = [sys.executable, "-W", "ignore", "-m", "cohear.benchmarks.child", str(place), function]
        environment = {**os.environ, **dict.fromkeys(_POOLS, str(n_threads)), "TMPDIR": folder}
        try:
            ended = subprocess.run(
                [*command, json.dumps(arguments)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired:
            raise ChildError(f"it was stopped after {timeout_s:g} s") from None
        if not place.exists():
            raise ChildError(_last_words(ended.returncode, ended.stderr))
        answer = json.loads(place.read_text())
    if "error" in answer:
        raise ChildError(answer["error"])
    return answer["result"]


def _last_words(status: int, stderr: str) -> str:
    if status < 0:
        return f"its process was ended by {signal.Signals(-status).name}"
    lines = without_folders(stderr).strip().splitlines()
    return f"its process ended with status {status}" + (f": {lines[-1]}" if lines else "")


def main(words: Sequence[str]) -> None:
    """Be the child: call, and write the result or the error's first line as JSON."""
    place, function, arguments = words
    module, name = function.split(":")
    try:
        answer = {"result": getattr(import_module(module), name)(*json.loads(arguments))}
    except Exception as error:  # for the parent to tell
        answer = {"error": first_line(error)}
    Path(place).write_text(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
