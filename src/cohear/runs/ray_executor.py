"""Work on a Ray cluster: each piece is a task, and one whose machine dies goes on elsewhere where it was.

`RAY_ADDRESS` names a cluster, as `auto` or `host:port`; without it there is one on this machine, for as long as the
work takes. What the machines must share: `cohear.runs.elsewhere`.
"""

import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from cohear.data.wording import counted
from cohear.errors import UserError, in_one_line
from cohear.runs.elsewhere import POLL_S, Outcome, Shares, Task, last_line
from cohear.runs.executors import OnProgress, Work, failure
from cohear.runtime.interrupts import Interrupted, is_over, stop_on_signals

_MOST_RETRIES = 5
"""Of a piece, where its worker or machine dies."""
_ANSWER_S = 10.0
"""That a cluster may take to answer."""


def run_ray(work: Work, n_jobs: int | None, on_progress: OnProgress, deadline_s: float | None) -> list[str]:
    """Do pieces on a Ray cluster, each with one core, and a GPU where there are any; as `Executor`.

    Raises:
        UserError: where Ray is not installed, or no cluster answers.
    """
    if is_over(deadline_s):
        return []
    ray, is_ours = _connect()
    try:
        with Task.of(work, deadline_s, carries=True) as task:
            return _run(ray, task, n_jobs, on_progress)
    finally:
        if is_ours:
            ray.shutdown()


def _connect() -> tuple[Any, bool]:
    """Return Ray, connected to a cluster, and whether it was not before."""
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError(f"Ray is not installed here ({error}): pip install 'cohear[ray]'") from error
    if ray.is_initialized():
        return ray, False
    address = os.environ.get("RAY_ADDRESS", "")
    try:
        host, _, port = address.rpartition(":")
        if host and port.isdecimal() and "://" not in address:  # Ray would try for minutes
            socket.create_connection((host, int(port)), timeout=_ANSWER_S).close()
        # Without an address Ray would join any cluster that was started on this machine.
        ray.init(address or "local", log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"no Ray cluster answers at '{address}' ({in_one_line(str(error))[:200]}); RAY_ADDRESS names one, as auto "
            "or host:port"
        ) from error
    return ray, True


def _run(ray: Any, task: Task, n_jobs: int | None, on_progress: OnProgress) -> list[str]:
    has_gpus = ray.cluster_resources().get("GPU", 0) > 0
    shared = _put(ray, task)
    do = ray.remote(_do).options(num_cpus=1, num_gpus=int(has_gpus), max_retries=_MOST_RETRIES)
    waiting, running, outcomes = list(range(len(task.work))), dict[Any, int](), dict[int, Outcome]()
    n_done, shares = 0, Shares(task.work)

    def begin(index: int, begun: Mapping[str, bytes] | None = None) -> None:
        running[do.remote(shared, index, None if begun is None else _put(ray, begun))] = index

    with stop_on_signals() as request, _cancelled_in_the_end(ray, running):
        is_told = False
        while (waiting and not request.signal_number) or running:
            while waiting and not request.signal_number and (n_jobs is None or len(running) < n_jobs):
                begin(waiting.pop(0))
            if request.signal_number and not is_told:
                is_told = True
                for reference in running:
                    ray.cancel(reference)  # as Ctrl-C there: it saves
            done, _ = ray.wait(list(running), num_returns=1, timeout=POLL_S)
            for reference in done:
                index = running.pop(reference)
                outcome = _outcome(ray, reference, task.work, index)
                if outcome.is_apart and not request.signal_number:
                    begin(index, task.work.begun(index))
                    continue
                outcomes[index] = outcome
                request.signal_number = request.signal_number or outcomes[index].stopped_by
            n_done = sum(outcome.is_done for outcome in outcomes.values())
            on_progress(len(outcomes) + shares.of([*waiting, *running.values()]), n_done)
    if request.signal_number:
        raise Interrupted(
            f"stopped after {n_done} of {counted(len(task.work), task.work.noun)}, everything is saved",
            request.signal_number,
        )
    return [outcome.failure for outcome in outcomes.values() if outcome.failure]


@contextmanager
def _cancelled_in_the_end(ray: Any, running: Mapping[Any, int]) -> Iterator[None]:
    """Leave nothing behind on a cluster that goes on without us."""
    try:
        yield
    finally:
        for reference in running:
            ray.cancel(reference)


def _put(ray: Any, value: Any) -> Any:
    """Hand something to Ray for its workers.

    Raises:
        UserError: where its store is full.
    """
    try:
        return ray.put(value)
    except ray.exceptions.RayError as error:
        raise UserError(f"Ray cannot take the work ({last_line(error)}); give its object store more memory") from error


def _do(task: Task, index: int, begun: Mapping[str, bytes] | None) -> Outcome:
    return task.do(index, begun)


def _outcome(ray: Any, reference: Any, work: Work, index: int) -> Outcome:
    """Return what became of a piece, whose files are put where they belong."""
    try:
        outcome: Outcome = ray.get(reference)
        if outcome.files is not None:
            work.put(index, outcome.files)
        return replace(outcome, files=None)
    except UserError as error:
        return Outcome(failure(work, index, error))
    except ray.exceptions.TaskCancelledError:
        return Outcome()
    except ray.exceptions.RayError as error:
        return Outcome(failure(work, index, UserError(f"Ray gave it up ({last_line(error)})")))
