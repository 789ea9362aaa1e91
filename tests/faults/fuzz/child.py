"""The parent's side of a reading child: it hands over inputs, waits, and starts another where one dies or hangs."""

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from faults.fuzz.inputs import Input

LIMIT_S = 5.0
"""Seconds for one input."""
LIMIT_BYTES = 2 * 2**30
"""Address space for the inputs, beyond what the process has when all is imported."""
_START_S = 120.0


@dataclass(frozen=True)
class Outcome:
    """What became of an input."""

    problem: str | None
    """How the reader failed, None where it read or refused the input as it should."""
    refused: bool
    """Whether it was refused, in a sentence."""
    passes: bool
    """Whether it got past the first header check of its format."""
    said: str | None = None
    """The sentence."""


class ReadingChild:
    """A process that reads one input after another; another one takes its place when an input ends it.

    Args:
        scratch: an existing folder in which its files lie.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._process: subprocess.Popen[bytes] | None = None
        self.n_started = 0
        """Processes that were needed so far."""
        self.torch_seen = False
        """Whether one of them had imported torch."""

    def read(self, reader: str, given: Input) -> Outcome:
        """Have an input read."""
        outcome = self._asked({"reader": reader, "name": given.name, "n_bytes": len(given.data)}, given.data)
        if self._process is None:  # it ended the process
            return outcome
        checked = self._answer(LIMIT_S)
        return replace(outcome, passes=not isinstance(checked, str) and checked["passes"])

    def read_place(self, reader: str, path: Path) -> Outcome:
        """Have read what lies somewhere; whether it gets past the first check is not asked."""
        return self._asked({"reader": reader, "path": str(path)})

    def _asked(self, request: dict[str, Any], data: bytes = b"") -> Outcome:
        process = self._running()
        assert process.stdin is not None
        process.stdin.write(json.dumps(request).encode() + b"\n" + data)
        process.stdin.flush()
        answer = self._answer(LIMIT_S)
        if isinstance(answer, str):
            return Outcome(answer, refused=False, passes=False)
        self.torch_seen |= answer["torch"]
        return Outcome(answer["problem"], answer["said"] is not None, passes=False, said=answer["said"])

    def close(self) -> None:
        """End the process and remove its files."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> "ReadingChild":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._folder = tempfile.mkdtemp(dir=self._scratch)
            path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]).rstrip(
                os.pathsep
            )
            self._process = subprocess.Popen(
                [sys.executable, "-m", "faults.fuzz.reading_child", self._folder, str(LIMIT_BYTES)],
                env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
            self.n_started += 1
            self._waiting = b""
            ready = self._answer(_START_S)
            assert not isinstance(ready, str), f"the reading child does not start: {ready}"
            self.torch_seen |= ready["torch"]
        return self._process

    def _answer(self, limit_s: float) -> dict[str, Any] | str:
        """Return the next line of the child, or how it ended; then it is gone."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._waiting:
                if not selector.select(limit_s):
                    self.close()
                    return f"no answer within {limit_s:g} s"
                part = process.stdout.read(65536)
                if not part:
                    status = process.wait()
                    self.close()
                    name = signal.Signals(-status).name if status < 0 else f"exit status {status}"
                    return f"the process died ({name})"
                self._waiting += part
        line, _, self._waiting = self._waiting.partition(b"\n")
        return json.loads(line)
