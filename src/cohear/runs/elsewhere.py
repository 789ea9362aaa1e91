"""Runs of a grid that are made on other machines: what travels there, what comes back, and how far they are.

Run folders, the cache folder and the sounds must lie where every machine sees them under the same paths, as on a shared
file system; each machine is asked before it trains anything.
"""

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version

import torch

from cohear.errors import UserError
from cohear.runs.executors import AfterRun, failure, make_run
from cohear.runs.identity import InUseError
from cohear.runs.plan import Plan
from cohear.runs.run import Run
from cohear.runtime import disk
from cohear.runtime.files import explain_disk_errors
from cohear.runtime.interrupts import Interrupted

POLL_S, _IN_USE_S = 1.0, 120.0
"""How often is looked who is done; how long a run waits for the worker before it to notice that its machine is gone."""


@dataclass(frozen=True)
class Outcome:
    """What became of a run."""

    failure: str | None = None
    stopped_by: int | None = None
    """A signal."""
    is_made: bool = False


@dataclass(frozen=True)
class Task:
    """What every worker of a grid gets."""

    plans: Sequence[Plan]
    after_run: AfterRun
    deadline_s: float | None
    versions: dict[str, str]
    """Of the packages here."""

    @classmethod
    def of(cls, plans: Sequence[Plan], after_run: AfterRun, deadline_s: float | None) -> "Task":
        """Name folders so that they are the same ones wherever a worker was started, and make those above them."""
        placed = [replace(plan, out=plan.folder.absolute()) for plan in plans]
        for plan in placed:
            with explain_disk_errors(plan.folder.parent):
                disk.make_folder(plan.folder.parent)
        return cls(placed, after_run, deadline_s, {name: version(name) for name in ("cohear", "torch")})

    def make(self, index: int) -> Outcome:
        """Make a run, on whichever machine this is, with one core."""
        plan, until_s = self.plans[index], time.monotonic() + _IN_USE_S
        torch.set_num_threads(1)
        while True:
            try:
                self.check(plan)
                make_run(plan, lambda _share: None, self.after_run, self.deadline_s)
                return Outcome(is_made=True)
            except InUseError as error:
                if time.monotonic() > until_s:
                    return Outcome(failure(plan, error))
                time.sleep(POLL_S)
            except UserError as error:
                return Outcome(failure(plan, error))
            except Interrupted as stopped:
                return Outcome(stopped_by=stopped.signal_number)

    def check(self, plan: Plan) -> None:
        """Refuse a machine that would make another run of it, or that sees other folders.

        Raises:
            UserError: naming the machine.
        """
        here = socket.gethostname()
        for name, theirs in self.versions.items():
            if version(name) != theirs:
                raise UserError(f"'{here}' has {name} {version(name)}, and not {theirs}; install that there")
        for place in (plan.folder.parent, plan.data.store.rows.path):
            if not place.exists():
                raise UserError(
                    f"'{here}' does not see '{place}'; put run folders and the cache (COHEAR_CACHE) on a file system "
                    "that all machines share"
                )

    def share(self, index: int) -> float:
        """Return how far a run is, 0 to 1, as its folder tells."""
        plan = self.plans[index]
        try:
            return len(Run(plan.folder).history) / plan.config.training.epochs
        except UserError:  # it has not begun, or is just writing
            return 0.0
