"""Who does the pieces of work that a grid or a bulk prediction has; `local` is the processes of this machine.

A piece leaves what it made in a folder, and is gone on with where it was begun; so whoever does it may die.
"""

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence, Sized
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from cohear.data.wording import counted
from cohear.errors import UserError
from cohear.runtime.interrupts import Interrupted, disregard_signals, is_over, signals_held, stop_on_signals

OnShare = Callable[[float], None]
OnProgress = Callable[[float, int], None]


@runtime_checkable
class Work(Sized, Protocol):
    """Pieces of work, at least one; it travels between processes by pickling, once."""

    @property
    def folder(self) -> Path:
        """Where what is made lies."""
        ...

    @property
    def sources(self) -> Sequence[Path]:
        """What else each machine must see."""
        ...

    @property
    def noun(self) -> str:
        """What a piece is, as `run`."""
        ...

    def name(self, index: int) -> str:
        """Return what a piece is called in a sentence."""
        ...

    def piece(self, index: int) -> "Work":
        """Return a piece alone, as work of one."""
        ...

    def apart(self, folder: Path) -> "Work":
        """Return the same pieces as a machine does them that shares no disk with this one.

        Args:
            folder: on that machine, for what is made.

        Raises:
            UserError: where it does not see what it needs.
        """
        ...

    def made(self, index: int) -> dict[str, bytes]:
        """Return all files that there are of a piece, by name; that by which it is done comes last."""
        ...

    def begun(self, index: int) -> dict[str, bytes]:
        """Return those of them with which a machine goes on that does not see them."""
        ...

    def put(self, index: int, files: Mapping[str, bytes]) -> None:
        """Put there what such a machine made of a piece, unless there is more of it by now.

        Raises:
            UserError: where the disk refuses, or another process is at it.
        """
        ...

    def do(self, index: int, on_share: OnShare, deadline_s: float | None) -> None:
        """Do a piece, or go on with it, in this process.

        Args:
            index: of the piece.
            on_share: called with the share that is done, 0 to 1.
            deadline_s: when to save and leave, on the clock of `time.time`; None: when it is done.

        Raises:
            Interrupted: after a signal or at the deadline; it is saved.
            UserError: where it fails.
        """
        ...

    def share(self, index: int) -> float:
        """Return how far a piece is, 0 to 1, as its folder tells."""
        ...

    def usual_jobs(self) -> int:
        """Return how many pieces this machine has room for, side by side."""
        ...


@runtime_checkable
class Executor(Protocol):
    """Somebody who does work."""

    def __call__(self, work: Work, n_jobs: int | None, on_progress: OnProgress, deadline_s: float | None) -> list[str]:
        """Do every piece.

        Args:
            work: what to do.
            n_jobs: pieces side by side; None: as many as there is room for.
            on_progress: to be called with the sum of the pieces' shares, 0 to their number, and how many are done.
            deadline_s: when to save and leave, on the clock of `time.time`; None: when all are done.

        Returns:
            A sentence for each piece that failed.

        Raises:
            Interrupted: after a signal; everything is saved.
        """
        ...


def run_local(work: Work, n_jobs: int | None, on_progress: OnProgress, deadline_s: float | None) -> list[str]:
    """Work on this machine: piece by piece here, or side by side, each with its share of the cores."""
    n_jobs = n_jobs or work.usual_jobs()
    if n_jobs == 1:
        return _run_here(work, on_progress, deadline_s)
    return [] if is_over(deadline_s) else _run_in_processes(work, n_jobs, on_progress, deadline_s)


def failure(work: Work, index: int, error: Exception) -> str:
    """Word why a piece failed."""
    return f"{work.name(index)}: {error}"


def _run_here(work: Work, on_progress: OnProgress, deadline_s: float | None) -> list[str]:
    failures: list[str] = []
    shares = [work.share(index) for index in range(len(work))]
    for index in range(len(work)):

        def on_share(share: float, index: int = index) -> None:
            shares[index] = share
            on_progress(sum(shares), index - len(failures))

        try:
            work.do(index, on_share, deadline_s)
        except UserError as error:
            failures.append(failure(work, index, error))
        except Interrupted as stopped:
            if stopped.signal_number is not None:
                raise
            break
        shares[index] = 1.0
        on_progress(sum(shares), index + 1 - len(failures))
    return failures


_work: Any = None
"""In a worker process: all of the work."""
_shares: Any = None
"""In a worker process: the share of each piece that is done, in memory shared with the parent."""
_stop: Any = None
"""In a worker process: the signal that stops all, 0 for none, in memory shared with the parent."""


def _start_worker(work: Work, shares: Any, stop: Any, n_threads: int) -> None:
    global _work, _shares, _stop
    _work, _shares, _stop = work, shares, stop
    torch.set_num_threads(n_threads)
    disregard_signals()
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """Do not train on where the parent was killed: its successor goes on with the same pieces."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _do_in_process(index: int, deadline_s: float | None) -> None:
    if _stop.value:
        raise Interrupted("not begun", _stop.value)

    def on_share(share: float) -> None:
        _shares[index] = share
        if _stop.value:  # the parent's signal may have come when nothing listened
            signal.raise_signal(_stop.value)

    _work.do(index, on_share, deadline_s)
    _shares[index] = 1.0


def _run_in_processes(work: Work, n_jobs: int, on_progress: OnProgress, deadline_s: float | None) -> list[str]:
    context = get_context("spawn")
    begun = [work.share(index) for index in range(len(work))]
    shares, stop = context.Array("d", begun, lock=False), context.Value("i", 0, lock=False)
    n_threads = max(1, torch.get_num_threads() // n_jobs)
    started_with = work, shares, stop, n_threads
    with ProcessPoolExecutor(min(n_jobs, len(work)), context, _start_worker, started_with) as pool:
        workers = list[BaseProcess]()  # whoever calls may have other children, which are none of our business
        try:
            with signals_held():
                futures = [pool.submit(_do_in_process, index, deadline_s) for index in range(len(work))]
                workers += (pool._processes or {}).values()  # which it forgets when one of them dies
            return _watch(futures, workers, work, shares, stop, on_progress)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in workers:
                process.kill()  # whatever a piece has written is whole
            raise


def _watch(
    futures: "list[Future[None]]",
    workers: Sequence[BaseProcess],
    work: Work,
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
                    failures.append(failure(work, futures.index(future), error))
                elif isinstance(error, Interrupted):  # somebody may have stopped a worker alone
                    request.signal_number = request.signal_number or error.signal_number
                elif isinstance(error, BrokenProcessPool) and not request.signal_number:
                    raise UserError(
                        "one of the processes was killed, perhaps for lack of memory; what is finished is kept, go on "
                        "with the same command and fewer --jobs"
                    )
                elif error is not None and not request.signal_number:
                    raise error
            n_finished = sum(future.done() and future.exception() is None for future in futures)
            on_progress(sum(shares), n_finished)
    if request.signal_number:
        said = f"stopped after {n_finished} of {counted(len(work), work.noun)}, everything is saved"
        raise Interrupted(said, request.signal_number)
    return failures
