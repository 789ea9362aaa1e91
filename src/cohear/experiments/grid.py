"""Grids: many runs, resumed where they stopped, skipped where they are done, side by side where cores allow."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from typing import Any

import torch

from cohear.errors import UserError
from cohear.experiments.build import PreparedData, prepare_data
from cohear.experiments.config import DataConfig
from cohear.experiments.plans import GridRun
from cohear.experiments.runs import RunRequest, execute
from cohear.runtime.interrupts import Interrupted, disregard_signals, is_over, signals_held, stop_on_signals


def run_grid(
    runs: Sequence[GridRun],
    n_jobs: int,
    on_progress: Callable[[float, int], None],
    after_run: Callable[[Path], None],
    deadline_s: float | None = None,
) -> list[Path]:
    """Make every run that is not finished, `n_jobs` at a time, each with its share of the cores.

    Args:
        runs: what to run, at least one.
        n_jobs: processes; 1 runs in this one.
        on_progress: called with the share of the whole grid that is done, 0 to 1, and the number of finished runs.
        after_run: called in the run's process with each new finished folder; must be importable by its name.
        deadline_s: when to save and leave, on the clock of `time.time`; None: when all are finished.

    Returns:
        The folders of the finished runs: of all, unless the deadline came first; what was begun is saved then.

    Raises:
        Interrupted: after a signal; every unfinished run is saved.
        UserError: where runs failed; the others are finished.
    """
    missing = [run for run in runs if not run.is_done]
    n_done = len(runs) - len(missing)

    def on_missing(share: float, n: int) -> None:
        on_progress((n_done + share) / len(runs), n_done + n)

    on_missing(0.0, 0)
    failures: list[str] = []
    if n_jobs == 1:
        failures = _run_here(missing, after_run, deadline_s, on_missing)
    elif missing and not is_over(deadline_s):
        failures = _run_in_processes(missing, n_jobs, after_run, deadline_s, on_missing)
    finished = [run.folder for run in runs if run.is_done]
    if failures:
        n_left = len(runs) - len(failures) - len(finished)
        others = "the others are finished" if n_left <= 0 else f"{len(finished)} are finished, {n_left} are left"
        raise UserError(f"{len(failures)} of {len(runs)} runs failed, {others}; {failures[0]}")
    return finished


Prepare = Callable[[RunRequest], PreparedData]


def _prepare_once() -> Prepare:
    """Return what prepares the data of runs; those that agree share a store, and what devices keep of it."""
    kept: dict[tuple[Path, DataConfig], PreparedData] = {}

    def prepare(request: RunRequest) -> PreparedData:
        wanted = request.data_path, request.config.data
        if wanted not in kept:
            kept.clear()
            kept[wanted] = prepare_data(request.data_path, request.config)
        return kept[wanted]

    return prepare


def _work(
    run: GridRun,
    prepare: Prepare,
    after_run: Callable[[Path], None],
    deadline_s: float | None,
    on_share: Callable[[float], None],
) -> None:
    if is_over(deadline_s):
        raise Interrupted("not begun", None)

    def on_step(done: int, total: int) -> None:
        on_share(done / total)

    if execute(run.request, prepare(run.request), run.folder, resume=True, deadline_s=deadline_s, on_step=on_step):
        after_run(run.folder)


def _describe_failure(run: GridRun, error: UserError) -> str:
    return f"{run.folder.name}: {error}"


def _run_here(
    runs: Sequence[GridRun],
    after_run: Callable[[Path], None],
    deadline_s: float | None,
    on_progress: Callable[[float, int], None],
) -> list[str]:
    """Make runs one after the other; returns what failed."""
    failures: list[str] = []
    prepare = _prepare_once()
    for index, run in enumerate(runs):

        def on_share(share: float, index: int = index) -> None:
            on_progress(index + share, index - len(failures))

        try:
            _work(run, prepare, after_run, deadline_s, on_share)
        except UserError as error:
            failures.append(_describe_failure(run, error))
        except Interrupted as stopped:
            if stopped.signal_number is not None:
                raise
            break
        on_progress(index + 1, index + 1 - len(failures))
    return failures


_shares: Any = None
"""In a worker process: the share of each run that is done, in memory shared with the parent."""

_stop: Any = None
"""In a worker process: the signal that stops the grid, 0 for none, in memory shared with the parent."""


_prepare: Any = None
"""In a worker process: prepares the data of its runs."""


def _start_worker(shares: Any, stop: Any, n_threads: int) -> None:
    global _shares, _stop, _prepare
    _shares, _stop, _prepare = shares, stop, _prepare_once()
    torch.set_num_threads(n_threads)
    disregard_signals()
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """Do not train on where the parent was killed: its successor resumes the same runs."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _work_in_process(index: int, run: GridRun, after_run: Callable[[Path], None], deadline_s: float | None) -> None:
    if _stop.value:
        raise Interrupted("not begun", _stop.value)

    def on_share(share: float) -> None:
        _shares[index] = share
        if _stop.value:  # the parent's signal may have come when nothing listened
            signal.raise_signal(_stop.value)

    _work(run, _prepare, after_run, deadline_s, on_share)
    _shares[index] = 1.0


def _run_in_processes(
    runs: Sequence[GridRun],
    n_jobs: int,
    after_run: Callable[[Path], None],
    deadline_s: float | None,
    on_progress: Callable[[float, int], None],
) -> list[str]:
    """Make runs side by side; returns what failed."""
    context = get_context("spawn")
    shares, stop = context.Array("d", len(runs), lock=False), context.Value("i", 0, lock=False)
    n_threads = max(1, torch.get_num_threads() // n_jobs)
    with ProcessPoolExecutor(min(n_jobs, len(runs)), context, _start_worker, (shares, stop, n_threads)) as pool:
        try:
            with signals_held():
                futures = [
                    pool.submit(_work_in_process, index, run, after_run, deadline_s) for index, run in enumerate(runs)
                ]
            return _watch(futures, runs, shares, stop, on_progress)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in active_children():
                process.kill()  # whatever a run has written is whole
            raise


def _watch(
    futures: "list[Future[None]]",
    runs: Sequence[GridRun],
    shares: Any,
    stop: Any,
    on_progress: Callable[[float, int], None],
) -> list[str]:
    pending = set(futures)
    failures: list[str] = []
    n_finished = 0
    with stop_on_signals() as request:
        while pending:
            done, pending = wait(pending, timeout=0.5)
            if request.signal_number and not stop.value:
                stop.value = request.signal_number
                for process in active_children():
                    os.kill(process.pid or 0, stop.value)
            for future in done:
                error = future.exception()
                if isinstance(error, UserError):
                    failures.append(_describe_failure(runs[futures.index(future)], error))
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
        raise Interrupted(f"stopped after {n_finished} of {len(runs)} runs, everything is saved", request.signal_number)
    return failures
