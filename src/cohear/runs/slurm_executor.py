"""Grids on SLURM, by submitit: one array, a run to a job; a job whose time is over is requeued and goes on.

What the machines must share: `cohear.runs.elsewhere`. submitit keeps its files (scripts, logs, pickles of its own) in
a folder of its own for each call, below `.slurm` beside the run folders.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from cohear.errors import UserError, in_one_line
from cohear.runs.elsewhere import POLL_S, Outcome, Task
from cohear.runs.executors import AfterRun, OnProgress, failure
from cohear.runs.plan import Plan
from cohear.runtime.interrupts import Interrupted, is_over, stop_on_signals

_SHARED = frozenset({"name", "timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node", "tasks_per_node"})
"""Parameters that submitit knows for every kind of cluster; others are SLURM's."""


@dataclass(frozen=True)
class _Job:
    """What a job calls; when its time is over, submitit asks how to go on."""

    task: Task

    def __call__(self, index: int) -> Outcome:
        return self.task.make(index)

    def checkpoint(self, index: int) -> Any:
        """Go on with the same run: its folder has a checkpoint."""
        import submitit  # pyright: ignore[reportMissingImports]

        return submitit.helpers.DelayedSubmission(self, index)


def run_slurm(
    plans: Sequence[Plan],
    n_jobs: int | None,
    on_progress: OnProgress,
    after_run: AfterRun,
    deadline_s: float | None,
    options: Mapping[str, str] | None = None,
) -> list[str]:
    """Make runs as jobs of SLURM, each with one core; as `Executor`.

    Args:
        plans: as `Executor`, like the others.
        n_jobs: jobs of the array at once.
        on_progress: is called.
        after_run: is called there.
        deadline_s: when jobs save and leave.
        options: for `sbatch`, as `partition` or `gpus_per_node`; `timeout_min` is a day where it is not given;
            `cluster=local` makes the jobs on this machine, without SLURM.

    Raises:
        UserError: where submitit is not installed, there is no SLURM, or it does not take an option.
    """
    if is_over(deadline_s):
        return []
    task = Task.of(plans, after_run, deadline_s)
    jobs = _submit(task, n_jobs, dict(options or {}))
    outcomes, n_made, is_told = dict[int, Outcome](), 0, False
    with stop_on_signals() as request:
        while len(outcomes) < len(jobs):
            time.sleep(POLL_S)
            if request.signal_number and not is_told:
                is_told = True
                for job in jobs:
                    job.cancel(check=False)  # by SIGTERM: it saves
            for index in set(range(len(jobs))) - outcomes.keys():
                if jobs[index].done(force_check=is_told):
                    outcomes[index] = _outcome(jobs[index], plans[index], is_told)
            running = set(range(len(jobs))) - outcomes.keys()
            n_made = sum(outcome.is_made for outcome in outcomes.values())
            on_progress(len(outcomes) + sum(map(task.share, running)), n_made)
    if request.signal_number:
        raise Interrupted(
            f"stopped after {n_made} of {len(plans)} runs, what was begun is saved", request.signal_number
        )
    return [outcome.failure for outcome in outcomes.values() if outcome.failure]


def _submit(task: Task, n_jobs: int | None, options: dict[str, str]) -> list[Any]:
    """Hand all runs to SLURM at once."""
    try:
        import submitit  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError(f"submitit is not installed here ({error}): pip install 'cohear[slurm]'") from error
    cluster = options.pop("cluster", "slurm")
    if cluster == "slurm" and shutil.which("sbatch") is None:
        raise UserError("there is no SLURM here (no sbatch); give the command where jobs are submitted")
    given = {"name": "cohear", "timeout_min": 24 * 60, "cpus_per_task": 1}
    given |= {name if name in _SHARED else f"slurm_{name}": _number(value) for name, value in options.items()}
    if n_jobs is not None and cluster == "slurm":
        given["slurm_array_parallelism"] = n_jobs
    try:
        # What submitit reads there it unpickles: so it is a folder of this call alone, in which nobody left anything.
        folder = task.plans[0].folder.parent / ".slurm" / uuid4().hex
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
        executor.update_parameters(**given)
        return executor.map_array(_Job(task), list(range(len(task.plans))))
    except Exception as error:  # submitit's errors have no common class
        raise UserError(f"the jobs could not be submitted ({in_one_line(str(error))[:300]})") from error


def _number(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


def _outcome(job: Any, plan: Plan, is_told: bool) -> Outcome:
    """Return what a job left; one that was cancelled, or died, leaves nothing."""
    try:
        return job.result()
    except Exception as error:
        if is_told:
            return Outcome()
        return Outcome(
            failure(plan, UserError(f"its job ended ({in_one_line(str(error))[:200]}); see {job.paths.stderr}"))
        )
