"""Work on SLURM, by submitit: one array, a piece to a job; a job whose time is over is requeued and goes on.

What the machines must share: `cohear.runs.elsewhere`. submitit keeps its files (scripts, logs, pickles of its own) in
a folder of its own for each call, below `.slurm` in the folder of what is made.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from cohear.data.wording import counted
from cohear.errors import UserError, in_one_line
from cohear.runs.elsewhere import POLL_S, Outcome, Shares, Task, last_line
from cohear.runs.executors import OnProgress, Work, failure
from cohear.runtime.interrupts import Interrupted, is_over, stop_on_signals

_SHARED = frozenset({"name", "timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node", "tasks_per_node"})
"""Parameters that submitit knows for every kind of cluster; others are SLURM's."""

_N_TIMEOUTS = 100
"""So often the time of a job may be over, and it goes on in another one."""


@dataclass(frozen=True)
class _Job:
    """What a job calls; when its time is over, submitit asks how to go on."""

    def __call__(self, task: Task) -> Outcome:
        outcome = task.do()
        if outcome.stopped_by and _is_requeued():
            sys.exit(128 + outcome.stopped_by)  # with a result it would be waited for no longer
        return outcome

    def checkpoint(self, task: Task) -> Any:
        """Go on with the same piece: its folder tells how far it is."""
        import submitit  # pyright: ignore[reportMissingImports]

        return submitit.helpers.DelayedSubmission(self, task)


def _is_requeued() -> bool:
    """Whether SLURM stops this job in order to begin it once more, as for another that is preferred."""
    command = ["scontrol", "show", "job", os.environ.get("SLURM_JOB_ID", "")]
    shown = subprocess.run(command, check=False, capture_output=True, text=True).stdout if command[-1] else ""
    n_restarts = max(map(int, re.findall(r"Restarts=(\d+)", shown)), default=0)
    return n_restarts > int(os.environ.get("SLURM_RESTART_COUNT", "0"))


def run_slurm(
    work: Work,
    n_jobs: int | None,
    on_progress: OnProgress,
    deadline_s: float | None,
    options: Mapping[str, str] | None = None,
) -> list[str]:
    """Do pieces as jobs of SLURM, each with one core; as `Executor`.

    Args:
        work: as `Executor`, like the others.
        n_jobs: jobs of the array at once.
        on_progress: is called.
        deadline_s: when jobs save and leave.
        options: for `sbatch`, as `partition` or `gpus_per_node`; `timeout_min` is a day where it is not given;
            `cluster=local` does the jobs on this machine, without SLURM.

    Raises:
        UserError: where submitit is not installed, there is no SLURM, or it does not take an option.
    """
    if is_over(deadline_s):
        return []
    with Task.of(work, deadline_s) as task:
        return _wait(_submit(task, n_jobs, dict(options or {})), work, on_progress)


def _wait(jobs: Sequence[Any], work: Work, on_progress: OnProgress) -> list[str]:
    """Wait for all jobs, and stop them after a signal."""
    outcomes, shares, n_done, is_told = dict[int, Outcome](), Shares(work), 0, False
    with stop_on_signals() as request:
        while len(outcomes) < len(jobs):
            time.sleep(POLL_S)
            if request.signal_number and not is_told:
                is_told = True
                for job in jobs:
                    job.cancel(check=False)  # by SIGTERM: it saves
            for index in set(range(len(jobs))) - outcomes.keys():
                if is_told and not jobs[index].paths.stdout.exists():
                    outcomes[index] = Outcome()  # it had not begun, and without accounts SLURM says nothing of its end
                elif jobs[index].done(force_check=is_told):
                    outcomes[index] = _outcome(jobs[index], work, index, is_told)
            running = set(range(len(jobs))) - outcomes.keys()
            n_done = sum(outcome.is_done for outcome in outcomes.values())
            on_progress(len(outcomes) + shares.of(running), n_done)
    if request.signal_number:
        said = f"stopped after {n_done} of {counted(len(work), work.noun)}, what was begun is saved"
        raise Interrupted(said, request.signal_number)
    return [outcome.failure for outcome in outcomes.values() if outcome.failure]


def _submit(task: Task, n_jobs: int | None, options: dict[str, str]) -> list[Any]:
    """Hand all pieces to SLURM at once."""
    try:
        import submitit  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError(f"submitit is not installed here ({error}): pip install 'cohear[slurm]'") from error
    cluster = options.pop("cluster", "slurm")
    if cluster == "slurm" and shutil.which("sbatch") is None:
        raise UserError("there is no SLURM here (no sbatch); give the command where jobs are submitted")
    given = {"name": "cohear", "timeout_min": 24 * 60, "cpus_per_task": 1}
    given |= {
        name if name in _SHARED else f"slurm_{name}": int(value) if name in _SHARED and value.isdecimal() else value
        for name, value in options.items()
    }
    if n_jobs is not None and cluster == "slurm":
        given["slurm_array_parallelism"] = n_jobs
    try:
        # What submitit reads there it unpickles: so it is a folder of this call alone, in which nobody left anything.
        folder = task.work.folder / ".slurm" / uuid4().hex
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster, slurm_max_num_timeout=_N_TIMEOUTS)
        executor.update_parameters(**given)
        return executor.map_array(_Job(), [task.piece(index) for index in range(len(task.work))])
    except Exception as error:  # submitit's errors have no common class
        raise UserError(f"the jobs could not be submitted ({in_one_line(str(error))[:300]})") from error


def _outcome(job: Any, work: Work, index: int, is_told: bool) -> Outcome:
    """Return what a job left; one that was cancelled, or died, leaves nothing."""
    if is_told and not job.paths.result_pickle.exists():
        return Outcome()  # submitit would look for it for a quarter of a minute
    try:
        outcome: Outcome = job.result()
        if outcome.stopped_by and not is_told:
            return Outcome(failure(work, index, UserError("its job was cancelled; go on with the same command")))
        return outcome
    except Exception as error:
        if is_told:
            return Outcome()
        return Outcome(failure(work, index, UserError(f"its job ended ({last_line(error)}); see {job.paths.stderr}")))
