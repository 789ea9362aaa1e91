"""Commands in forked children of this process, which has imported everything once; a start then costs milliseconds."""

import io
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

LIMIT_S = 600
"""Of a command; one that hangs is killed by SIGALRM then."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    """Its exit status, or minus the signal that killed it."""
    err: str
    """What it said on standard error."""
    notes: list[Any]
    """What `note` was called with in the child, in order, up to its very end."""

    @property
    def last_line(self) -> str:
        """The sentence it ended with."""
        return (self.err.strip().splitlines() or [""])[-1]

    @property
    def refusal_problem(self) -> str | None:
        """Why this was no refusal in one sentence; None where it was one."""
        sentences = [line for line in self.err.splitlines() if line.startswith("cohear: ")]
        if self.status != 2 or len(sentences) != 1 or "Traceback" in self.err:
            return f"status {self.status}: {self.err.strip()[-300:]}"
        return None


def import_everything() -> None:
    """Import in this process what commands import when they run."""
    import torch

    import cohear.cli.finish
    import cohear.experiments.grid
    import cohear.experiments.shown_runs
    import cohear.inference.loading
    import cohear.reports.comparison_report
    import cohear.reports.paired_table
    import cohear.reports.run_report
    import cohear.reports.untested_report  # noqa: F401

    torch.set_num_threads(1)


def run_forked(
    arguments: Sequence[object],
    scratch: Path,
    *,
    cache: Path | None = None,
    prepare: Callable[[Callable[[Any], None]], None] = lambda _note: None,
    meanwhile: Callable[[int], None] = lambda _pid: None,
) -> Ended:
    """Run a command of ours in a child, and wait for its end.

    Args:
        arguments: of the command line.
        scratch: a folder for what it says.
        cache: its cache folder; None: that of this process.
        prepare: called in the child before the command, with `note`; here faults are set up.
        meanwhile: called in the parent with the child's number, as to kill it.
    """
    out, err, notes = (scratch / name for name in ("out.txt", "err.txt", "notes.jsonl"))
    notes.write_text("")
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = _work(arguments, cache, prepare, out, err, notes)
        except BaseException:  # as the interpreter would
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    meanwhile(pid)
    _, waited = os.waitpid(pid, 0)
    lines = notes.read_text().splitlines()
    return Ended(
        os.waitstatus_to_exitcode(waited), err.read_text(errors="replace"), [json.loads(line) for line in lines]
    )


def _work(
    arguments: Sequence[object],
    cache: Path | None,
    prepare: Callable[[Callable[[Any], None]], None],
    out: Path,
    err: Path,
    notes: Path,
) -> int:
    from cohear.cli import run
    from cohear.runtime.interrupts import leave_on_signals

    if cache is not None:
        os.environ["COHEAR_CACHE"] = str(cache)
    for path, descriptor in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    descriptor = os.open(notes, os.O_WRONLY | os.O_APPEND)

    def note(value: Any) -> None:
        os.write(descriptor, f"{json.dumps(value)}\n".encode())

    signal.alarm(LIMIT_S)
    leave_on_signals()
    prepare(note)
    return run([str(argument) for argument in arguments])


def leave_pictures_blank() -> None:
    """Let reports of this process have no pictures: drawn, they take four fifths of the time of a tiny run."""
    from matplotlib.figure import Figure

    def save(_figure: Figure, file: IO[Any], **_options: Any) -> None:
        file.write("a picture" if isinstance(file, io.TextIOBase) else b"a picture")

    Figure.savefig = save


def kill_after(seconds: float) -> Callable[[int], None]:
    """Return what kills a child some time after it was begun, if it is still there."""

    def kill(pid: int) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                return
            time.sleep(0.002)
        os.kill(pid, signal.SIGKILL)

    return kill
