"""Commands in forked children of this process, which has imported everything once; a start then costs milliseconds.

Faults are set up within the child: `prepare` is called there before the command, and may replace whatever it likes.
"""

import io
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

LIMIT_S = 600
"""Of a command; one that hangs is killed by SIGALRM then."""
RESULTS = ("model.safetensors", "predictions.safetensors", "predictions.csv", "metrics.json")
"""Files of a run that have the same bytes however it was broken; reports and histories hold times."""

Note = Callable[[Any], None]
Prepare = Callable[[Note], None]


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
    def problem(self) -> str | None:
        """Why this was no success."""
        return None if self.status == 0 else f"status {self.status}: {self.last_line}"

    @property
    def refusal_problem(self) -> str | None:
        """Why this was no refusal in one sentence; None where it was one."""
        sentences = [line for line in self.err.splitlines() if line.startswith("cohear: ")]
        if self.status != 2 or len(sentences) != 1 or "Traceback" in self.err:
            return f"status {self.status}: {self.err.strip()[-300:]}"
        return None

    def noted(self, kind: str) -> list[Any]:
        """Return what was noted as `{kind: value}`."""
        return [note[kind] for note in self.notes if kind in note]


def warm_up() -> None:
    """Import and make in this process what commands would import and make: 500 rooms among it."""
    import torch

    from cohear.cli import grids, pack, predict, show, train  # noqa: F401
    from cohear.transforms.reverb import Reverb, _aligned_bank
    from tiny import SAMPLE_RATE

    torch.set_num_threads(1)
    _aligned_bank(Reverb(sample_rate=SAMPLE_RATE), torch.device("cpu"))


def run_forked(
    words: Sequence[object],
    scratch: Path,
    *,
    cache: Path | None = None,
    prepare: Prepare = lambda _note: None,
    meanwhile: Callable[[int], None] = lambda _pid: None,
) -> Ended:
    """Run a command of ours in a child, and wait for its end.

    Args:
        words: of the command line.
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
            status = _work(words, cache, prepare, out, err, notes)
        except BaseException:  # as the interpreter would
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    meanwhile(pid)
    _, waited = os.waitpid(pid, 0)
    noted = [json.loads(line) for line in notes.read_text().splitlines()]
    return Ended(os.waitstatus_to_exitcode(waited), err.read_text(errors="replace"), noted)


def _work(words: Sequence[object], cache: Path | None, prepare: Prepare, out: Path, err: Path, notes: Path) -> int:
    from cohear.cli import run
    from cohear.runtime.interrupts import leave_on_signals

    if cache is not None:
        os.environ["COHEAR_CACHE"] = str(cache)
    for path, descriptor in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    descriptor = os.open(notes, os.O_WRONLY | os.O_APPEND)
    signal.alarm(LIMIT_S)
    leave_on_signals()
    leave_pictures_blank()
    prepare(lambda value: os.write(descriptor, f"{json.dumps(value)}\n".encode()))
    return run([str(word) for word in words])


def leave_pictures_blank() -> None:
    """Let reports of this process have no pictures: drawn, they take four fifths of the time of a tiny run."""
    from matplotlib.figure import Figure

    def save(_figure: Figure, file: IO[Any], **_options: Any) -> None:
        file.write("a picture" if isinstance(file, io.TextIOBase) else b"a picture")

    Figure.savefig = save


def before_each_step(act: Callable[[int, int, Any], None]) -> None:
    """Call `act` in this process with the number of each training step, its epoch and its batch, before it is made."""
    from cohear.training import trainer

    forward, number = trainer._forward, 0

    def watched(*arguments: Any) -> Any:
        nonlocal number
        number += 1
        act(number - 1, *arguments[4:6])
        return forward(*arguments)

    trainer._forward = watched


def checkpoint_each_step() -> None:
    """Let a training of this process write a checkpoint after every step."""
    from cohear.training import checkpoints

    checkpoints.INTERVAL_S = 0.0


def results_of(folder: Path) -> dict[str, bytes]:
    """Read the results of the runs below a folder; of other files, but for checkpoints, only that they are there."""
    beside = {"cache", "checkpoint", "second"}
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not beside & {*path.parts}]
    kept = [path for path in files if path.parent != folder and path.suffix != ".partial"]
    return {str(path.relative_to(folder)): path.read_bytes() if path.name in RESULTS else b"" for path in kept}


def difference(found: dict[str, bytes], wanted: dict[str, bytes]) -> str | None:
    """Say in what results differ."""
    if found.keys() != wanted.keys():
        return f"other files: {sorted(found.keys() ^ wanted.keys())}"
    other = [name for name, content in found.items() if content != wanted[name]]
    return f"other bytes in {other}" if other else None


def fresh(folder: Path) -> Path:
    """Return an empty folder, where another may have been."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
