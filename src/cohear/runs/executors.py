"""Who makes the runs of a grid: an executor gets plans and brings their folders; `local` is this machine."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from typing import Any, Protocol, runtime_checkable

import torch

from cohear.errors import UserError
from cohear.runs.execution import execute
from cohear.runs.plan import Plan
from cohear.runs.run import Run
from cohear.runtime.interrupts import Interrupted, disregard_signals, is_over, signals_held, stop_on_signals

OnProgress = Callable[[float, int], None]
AfterRun = Callable[[Run, Plan], None]


@runtime_checkable
class Executor(Protocol):
    """Something that makes runs."""

    def __call__(
        self,
        plans: Sequence[Plan],
        n_jobs: int | None,
        on_progress: OnProgress,
        after_run: AfterRun,
        deadline_s: float | None,
    ) -> list[str]:
        """Make each run's folder complete, or go on with it.

        Args:
            plans: of unfinished runs, at least one; a plan travels between processes by pickling.
            n_jobs: runs side by side; None: as many as there is room for.
            on_progress: to be called with the sum of the runs' shares done, 0 to their number, and the finished ones.
            after_run: to be called with each run that was finished and its plan, where the run was made.
            deadline_s: when to save and leave, on the clock of `time.time`; None: when all are finished.

        Returns:
            A sentence for each run that failed.

        Raises:
            Interrupted: after a signal; every unfinished run is saved.
        """
        ...


def run_local(
    plans: Sequence[Plan], n_jobs: int | None, on_progress: OnProgress, after_run: AfterRun, deadline_s: float | None
) -> list[str]:
    """Make runs on this machine: one after the other here, or side by side, each with its share of the cores."""
    if n_jobs is None:
        from cohear.runs.cost import usual_jobs

        n_jobs = usual_jobs(plans)
    if n_jobs == 1:
        return _run_here(plans, on_progress, after_run, deadline_s)
    return [] if is_over(deadline_s) else _run_in_processes(plans, n_jobs, on_progress, after_run, deadline_s)


def make_run(plan: Plan, on_share: Callable[[float], None], after_run: AfterRun, deadline_s: float | None) -> None:
    """Make one run's folder complete, in this process.

    Args:
        plan: of it.
        on_share: called with the share that is done, 0 to 1.
        after_run: as for `Executor`.
        deadline_s: as for `Executor`.

    Raises:
        Interrupted: after a signal or at the deadline; it is saved.
        UserError: where it fails.
    """
    if is_over(deadline_s):
        raise Interrupted("not begun", None)
    run, was_made = execute(
        plan, resume=True, deadline_s=deadline_s, on_step=lambda done, total: on_share(done / total)
    )
    if was_made:
        after_run(run, plan)


def failure(plan: Plan, error: UserError) -> str:
    """Word why a run failed."""
    return f"{plan.folder.name}: {error}"


def _run_here(
    plans: Sequence[Plan], on_progress: OnProgress, after_run: AfterRun, deadline_s: float | None
) -> list[str]:
    failures: list[str] = []
    for index, plan in enumerate(plans):

        def on_share(share: float, index: int = index) -> None:
            on_progress(index + share, index - len(failures))

        try:
            make_run(plan, on_share, after_run, deadline_s)
        except UserError as error:
            failures.append(failure(plan, error))
        except Interrupted as stopped:
            if stopped.signal_number is not None:
                raise
            break
        on_progress(index + 1, index + 1 - len(failures))
    return failures


_plans: Sequence[Plan] = ()
"""In a worker process: the runs of the grid; they travel once, and share their data."""
_shares: Any = None
"""In a worker process: the share of each run that is done, in memory shared with the parent."""
_stop: Any = None
"""In a worker process: the signal that stops the grid, 0 for none, in memory shared with the parent."""


def _start_worker(plans: Sequence[Plan], shares: Any, stop: Any, n_threads: int) -> None:
    global _plans, _shares, _stop
    _plans, _shares, _stop = plans, shares, stop
    torch.set_num_threads(n_threads)
    disregard_signals()
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """Do not train on where the parent was killed: its successor resumes the same runs."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _work_in_process(index: int, after_run: AfterRun, deadline_s: float | None) -> None:
    if _stop.value:
        raise Interrupted("not begun", _stop.value)

    def on_share(share: float) -> None:
        _shares[index] = share
        if _stop.value:  # the parent's signal may have come when nothing listened
            signal.raise_signal(_stop.value)

    make_run(_plans[index], on_share, after_run, deadline_s)
    _shares[index] = 1.0


def _run_in_processes(
    plans: Sequence[Plan], n_jobs: int, on_progress: OnProgress, after_run: AfterRun, deadline_s: float | None
) -> list[str]:
    context = get_context("spawn")
    shares, stop = context.Array("d", len(plans), lock=False), context.Value("i", 0, lock=False)
    n_threads = max(1, torch.get_num_threads() // n_jobs)
    started_with = plans, shares, stop, n_threads
    with ProcessPoolExecutor(min(n_jobs, len(plans)), context, _start_worker, started_with) as pool:
        workers = list[BaseProcess]()  # whoever calls may have other children, which are none of our business
        try:
            with signals_held():
                futures = [pool.submit(_work_in_process, i, after_run, deadline_s) for i in range(len(plans))]
                workers += (pool._processes or {}).values()  # which it forgets when one of them dies
            return _watch(futures, workers, plans, shares, stop, on_progress)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in workers:
                process.kill()  # whatever a run has written is whole
            raise


def _watch(
    futures: "list[Future[None]]",
    workers: Sequence[BaseProcess],
    plans: Sequence[Plan],
    shares: Any,
    stop: Any,
    on_progress: OnProgress,
) -> list[str]:
    pending = set(futures)
    failures: list[str] = []
    n_finished = 0
    with stop_on_signals() as request:
        while pending:
            done, pending = wait(pending, timeout=0.5)
            if request.signal_number and not stop.value:
                stop.value = request.signal_number
                for process in workers:
                    if process.pid and process.is_alive():
                        os.kill(process.pid, stop.value)
            for future in done:
                error = future.exception()
                if isinstance(error, UserError):
                    failures.append(failure(plans[futures.index(future)], error))
                elif isinstance(error, Interrupted):  # somebody may have stopped a worker alone
                    request.signal_number = request.signal_number or error.signal_number
                elif isinstance(error, BrokenProcessPool) and not request.signal_number:
                    raise UserError(
                        "a process of the grid was killed, perhaps for lack of memory; finished runs are kept, go on "
                        "with the same command and fewer --jobs"
                    )
                elif error is not None and not request.signal_number:
                    raise error
            n_finished = sum(future.done() and future.exception() is None for future in futures)
            on_progress(sum(shares), n_finished)
    if request.signal_number:
        raise Interrupted(
            f"stopped after {n_finished} of {len(plans)} runs, everything is saved", request.signal_number
        )
    return failures
