"""Work that is done on other machines: what travels there, what comes back, and how far it is.

What is made, the cache folder and the sounds must lie where every machine sees them under the same paths, as on a
shared file system; each machine is asked before it does anything.
"""

import socket
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from importlib.metadata import version

import torch

from cohear.errors import UserError
from cohear.runs.executors import Work, failure
from cohear.runs.identity import InUseError
from cohear.runtime import disk
from cohear.runtime.files import explain_disk_errors
from cohear.runtime.interrupts import Interrupted

POLL_S, _IN_USE_S = 1.0, 120.0
"""How often is looked who is done; how long a piece waits for its last worker to notice that it lost its machine."""


@dataclass(frozen=True)
class Outcome:
    """What became of a piece."""

    failure: str | None = None
    stopped_by: int | None = None
    """A signal."""
    is_done: bool = False


class Shares:
    """How far pieces are: of one is asked at a time, since that may take a while."""

    def __init__(self, work: Work) -> None:
        self._work, self._known, self._turn = work, dict[int, float](), 0

    def of(self, running: Collection[int]) -> float:
        """Return the sum over some pieces, as far as is known."""
        if running:
            self._turn += 1
            index = sorted(running)[self._turn % len(running)]
            self._known[index] = self._work.share(index)
        return sum(self._known.get(index, 0.0) for index in running)


def last_line(error: Exception) -> str:
    """Return the end of an error that came from elsewhere: before it stands where it happened."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]


@dataclass(frozen=True)
class Task:
    """What every worker gets."""

    work: Work
    deadline_s: float | None
    versions: dict[str, str]
    """Of the packages here."""

    @classmethod
    def of(cls, work: Work, deadline_s: float | None) -> "Task":
        """Make the folder that all share, and note what is installed here."""
        with explain_disk_errors(work.folder):
            disk.make_folder(work.folder)
        return cls(work, deadline_s, {name: version(name) for name in ("cohear", "torch")})

    def piece(self, index: int) -> "Task":
        """Return what a worker needs that does one piece."""
        return replace(self, work=self.work.piece(index))

    def do(self, index: int = 0) -> Outcome:
        """Do a piece, on whichever machine this is, with one core."""
        until_s = time.monotonic() + _IN_USE_S
        torch.set_num_threads(1)
        while True:
            try:
                self.check()
                self.work.do(index, lambda _share: None, self.deadline_s)
                return Outcome(is_done=True)
            except InUseError as error:
                if time.monotonic() > until_s:
                    return Outcome(failure(self.work, index, error))
                time.sleep(POLL_S)
            except UserError as error:
                return Outcome(failure(self.work, index, error))
            except Interrupted as stopped:
                return Outcome(stopped_by=stopped.signal_number)

    def check(self) -> None:
        """Refuse a machine that would make something else, or that sees other folders.

        Raises:
            UserError: naming the machine.
        """
        here = socket.gethostname()
        for name, theirs in self.versions.items():
            if version(name) != theirs:
                raise UserError(f"'{here}' has {name} {version(name)}, and not {theirs}; install that there")
        for place in (self.work.folder, *self.work.sources):
            if not place.exists():
                raise UserError(
                    f"'{here}' does not see '{place}'; put it and the cache (COHEAR_CACHE) on a file system that all "
                    "machines share"
                )
