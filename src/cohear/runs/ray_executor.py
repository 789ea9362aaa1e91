"""Grids on a Ray cluster: each run is a task, and one whose machine dies goes on elsewhere from its last checkpoint.

`RAY_ADDRESS` names a cluster, as `auto` or `host:port`; without it there is one on this machine, for as long as the
grid takes. What the machines must share: `cohear.runs.elsewhere`.
"""

import logging
import os
import socket
from collections.abc import Sequence
from typing import Any

from cohear.errors import UserError, in_one_line
from cohear.runs.elsewhere import POLL_S, Outcome, Task
from cohear.runs.executors import AfterRun, OnProgress, failure
from cohear.runs.plan import Plan
from cohear.runtime.interrupts import Interrupted, is_over, stop_on_signals

_MOST_RETRIES = 5
"""Of a run, where its worker or machine dies."""
_ANSWER_S = 10.0
"""That a cluster may take to answer."""


def run_ray(
    plans: Sequence[Plan], n_jobs: int | None, on_progress: OnProgress, after_run: AfterRun, deadline_s: float | None
) -> list[str]:
    """Make runs on a Ray cluster, each with one core, and a GPU where there are any; as `Executor`.

    Raises:
        UserError: where Ray is not installed, or no cluster answers.
    """
    if is_over(deadline_s):
        return []
    ray, task = _connect(), Task.of(plans, after_run, deadline_s)
    try:
        return _run(ray, task, n_jobs, on_progress)
    finally:
        ray.shutdown()


def _connect() -> Any:
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError(f"Ray is not installed here ({error}): pip install 'cohear[ray]'") from error
    address = os.environ.get("RAY_ADDRESS", "")
    try:
        host, _, port = address.rpartition(":")
        if host and port.isdecimal() and "://" not in address:  # Ray would try for minutes
            socket.create_connection((host, int(port)), timeout=_ANSWER_S).close()
        ray.init(ignore_reinit_error=True, log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"no Ray cluster answers at '{address}' ({in_one_line(str(error))[:200]}); RAY_ADDRESS names one, as auto "
            "or host:port"
        ) from error
    return ray


def _run(ray: Any, task: Task, n_jobs: int | None, on_progress: OnProgress) -> list[str]:
    has_gpus, shared = ray.cluster_resources().get("GPU", 0) > 0, ray.put(task)
    make = ray.remote(_make).options(num_cpus=1, num_gpus=int(has_gpus), max_retries=_MOST_RETRIES)
    waiting, running, outcomes = list(range(len(task.plans))), dict[Any, int](), dict[int, Outcome]()
    n_made = 0
    with stop_on_signals() as request:
        is_told = False
        while (waiting and not request.signal_number) or running:
            while waiting and not request.signal_number and (n_jobs is None or len(running) < n_jobs):
                index = waiting.pop(0)
                running[make.remote(shared, index)] = index
            if request.signal_number and not is_told:
                is_told = True
                for reference in running:
                    ray.cancel(reference)  # as Ctrl-C there: it saves
            done, _ = ray.wait(list(running), num_returns=1, timeout=POLL_S)
            for reference in done:
                index = running.pop(reference)
                outcomes[index] = _outcome(ray, reference, task.plans[index])
                request.signal_number = request.signal_number or outcomes[index].stopped_by
            n_made = sum(outcome.is_made for outcome in outcomes.values())
            on_progress(len(outcomes) + sum(map(task.share, running.values())), n_made)
    if request.signal_number:
        raise Interrupted(
            f"stopped after {n_made} of {len(task.plans)} runs, everything is saved", request.signal_number
        )
    return [outcome.failure for outcome in outcomes.values() if outcome.failure]


def _make(task: Task, index: int) -> Outcome:
    return task.make(index)


def _outcome(ray: Any, reference: Any, plan: Plan) -> Outcome:
    try:
        return ray.get(reference)
    except ray.exceptions.TaskCancelledError:
        return Outcome()
    except ray.exceptions.RayError as error:
        return Outcome(failure(plan, UserError(f"Ray gave it up ({in_one_line(str(error))[:200]})")))
