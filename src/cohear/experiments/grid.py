"""Grids: many runs, resumed where they stopped, skipped where they are done, side by side where cores allow."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from cohear.errors import UserError
from cohear.experiments.build import PreparedData, prepare_data
from cohear.experiments.config import Config
from cohear.experiments.identity import readable_name
from cohear.experiments.paper import FIGURE_1, PaperModel
from cohear.experiments.presets import change
from cohear.experiments.run_folder import is_finished
from cohear.experiments.runs import RunRequest, execute
from cohear.runtime.interrupts import Interrupted


@dataclass(frozen=True)
class GridRun:
    """One run of a grid and its place."""

    request: RunRequest
    folder: Path


def plan_requests(
    data_path: Path,
    base: Config,
    models: Iterable[PaperModel],
    folds: Sequence[int],
    seeds: Sequence[int],
    track: str | None,
) -> list[RunRequest]:
    """List the runs of a grid: seed by seed, model by model, fold by fold.

    Args:
        data_path: DATA of the command line.
        base: the preset and whatever was changed in it.
        models: rows of the table.
        folds: tested folds.
        seeds: of the runs.
        track: how often each run is measured; None: every epoch for Figure 1's runs, else only at the end.
    """
    return [
        RunRequest(
            data_path,
            model.configure(change(base, {"fold": fold, "seed": seed})),
            model.name,
            track or ("every" if model in FIGURE_1 and fold == min(folds) else "end"),
        )
        for seed in seeds
        for model in models
        for fold in folds
    ]


def place(requests: Iterable[RunRequest], data: PreparedData, parent: Path) -> list[GridRun]:
    """Give each run its folder below `parent`."""
    records = [(request, request.describe(data)) for request in requests]
    return [
        GridRun(request, parent / readable_name(request.config, record.model, record.identity))
        for request, record in records
    ]


def run_grid(
    runs: Sequence[GridRun],
    n_jobs: int,
    on_progress: Callable[[float, int], None],
    after_run: Callable[[Path], None],
) -> list[Path]:
    """Make every run that is not finished, `n_jobs` at a time, each with its share of the cores.

    Args:
        runs: what to run.
        n_jobs: processes; 1 runs in this one.
        on_progress: called with the share of the whole grid that is done, 0 to 1, and the number of finished runs.
        after_run: called in the run's process with each new finished folder; must be importable by its name.

    Returns:
        The folders, all finished.

    Raises:
        Interrupted: after a signal; every unfinished run is saved.
        UserError: where runs failed; the others are finished.
    """
    missing = [run for run in runs if not is_finished(run.folder)]
    n_done = len(runs) - len(missing)
    on_progress(n_done / len(runs), n_done)
    if n_jobs == 1:
        for index, run in enumerate(missing):
            finished = n_done + index

            def on_share(share: float, finished: int = finished) -> None:
                on_progress((finished + share) / len(runs), finished)

            _work(run, after_run, on_share)
            on_progress((finished + 1) / len(runs), finished + 1)
    elif missing:
        _run_in_processes(
            missing, n_jobs, after_run, lambda share, n: on_progress((n_done + share) / len(runs), n_done + n)
        )
    return [run.folder for run in runs]


def _work(run: GridRun, after_run: Callable[[Path], None], on_share: Callable[[float], None]) -> None:
    data = prepare_data(run.request.data_path, run.request.config)
    if execute(run.request, data, run.folder, resume=True, on_step=lambda done, total: on_share(done / total)):
        after_run(run.folder)


_shares: Any = None
"""In a worker process: the share of each run that is done, in memory shared with the parent."""


def _start_worker(shares: Any, n_threads: int) -> None:
    import torch

    global _shares
    _shares = shares
    torch.set_num_threads(n_threads)


def _work_in_process(index: int, run: GridRun, after_run: Callable[[Path], None]) -> None:
    def on_share(share: float) -> None:
        _shares[index] = share

    _work(run, after_run, on_share)
    _shares[index] = 1.0


def _run_in_processes(
    runs: Sequence[GridRun],
    n_jobs: int,
    after_run: Callable[[Path], None],
    on_progress: Callable[[float, int], None],
) -> None:
    context = get_context("spawn")
    shares = context.Array("d", len(runs), lock=False)
    n_threads = max(1, (os.cpu_count() or 1) // n_jobs)
    with ProcessPoolExecutor(n_jobs, context, _start_worker, (shares, n_threads)) as pool:
        futures = [pool.submit(_work_in_process, index, run, after_run) for index, run in enumerate(runs)]
        try:
            _watch(futures, runs, shares, on_progress)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _watch(
    futures: list["Future[None]"],
    runs: Sequence[GridRun],
    shares: Any,
    on_progress: Callable[[float, int], None],
) -> None:
    pending = set(futures)
    failures: list[str] = []
    while pending:
        done, pending = wait(pending, timeout=0.5)
        for future in done:
            error = future.exception()
            if isinstance(error, (Interrupted, BrokenProcessPool)):
                for waiting in pending:
                    waiting.cancel()
                wait(pending)
                raise error
            if error is not None:
                failures.append(f"{runs[futures.index(future)].folder.name}: {error}")
                if not isinstance(error, UserError):
                    raise error
        on_progress(sum(shares), sum(future.done() for future in futures))
    if failures:
        raise UserError(f"{len(failures)} of {len(runs)} runs failed, the others are finished; {failures[0]}")
