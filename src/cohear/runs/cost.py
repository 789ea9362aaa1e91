"""What runs cost on this machine, in time and memory, and what is said where memory is too little."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Int64

from cohear.errors import UserError
from cohear.evaluation.measure import BATCH_CLIPS, CACHE_BYTES, N_VIEWS
from cohear.kept_views import variants
from cohear.runs.build import (
    COMMON_RECIPE,
    build_on_meta,
    build_schedule,
    build_view_maker,
    open_fixed_views,
    open_kept_views,
    shown_recipe,
)
from cohear.runs.config import Config, is_tracked, result_settings
from cohear.runs.plan import Plan
from cohear.runs.run import Run
from cohear.runs.step_cost import measure_step
from cohear.runtime.devices import free_gpu_bytes
from cohear.runtime.machine import free_bytes, is_out_of_memory, n_cores, n_processes_here
from cohear.training.batches import items_per_batch

_PER_WEIGHT = 16
"""Bytes in float32: itself, its gradient and its two moments."""


def estimate_s(plans: Sequence[Plan]) -> list[float]:
    """Estimate the seconds that each of some runs still takes, one after the other, on one process with all cores.

    A spectrogram that is kept is counted with the first run that makes it.

    Raises:
        UserError: where memory runs out.
    """
    made: dict[Path, float] = {}
    return [_estimate_s(plan, made) for plan in plans]


def _estimate_s(plan: Plan, made: dict[Path, float]) -> float:
    config = plan.config
    with explain_out_of_memory(config, "estimate"):
        cost = measure_step(config, len(plan.data.store.classes))
    epochs, items = config.training.epochs, build_schedule(config).items
    n_train, n_clips = len(plan.split.train), len(plan.data.store)
    first = Run(plan.folder).n_epochs_done
    n_measured = sum(is_tracked(plan.track, epoch, epochs) for epoch in range(first, epochs))
    n_heard = (epochs - first) * n_train * items.n_per_clip * items.n_views
    n_changed = n_heard * float(np.mean(np.array(items.views) > 0))
    n_live, n_outcomes = n_changed * cost.live_share, n_changed * (1 - cost.live_share)
    if config.encoder.file is not None:  # all views are made before, in a bar of their own
        n_live = n_outcomes = 0.0
    else:
        n_fixed = sum(_n_new_fixed(plan, *fixed, made) for fixed in _fixed_views(plan))
        if config.views.kept:
            n_outcomes = _n_new(plan, n_outcomes, made)
        n_live, n_outcomes = n_live + n_fixed * cost.live_share, n_outcomes + n_fixed * (1 - cost.live_share)
    measured_s = n_measured * n_clips * N_VIEWS * cost.answer_s
    return n_heard * cost.step_s + n_live * cost.live_view_s + n_outcomes * cost.kept_view_s + measured_s


def _n_new(plan: Plan, n_drawn: float, made: dict[Path, float]) -> float:
    """Return how many spectrograms must be expected to be made, where so many are drawn of those that may be kept.

    Args:
        plan: of the run.
        n_drawn: views with an outcome that may be kept.
        made: by the runs before it, in the file of that path; what this one makes is added.
    """
    view_maker, rows = build_view_maker(plan.config), plan.split.train
    kept = open_kept_views(plan.config, plan.data.store, view_maker)
    assert kept is not None
    outcomes = view_maker.transform.variants if view_maker.transform else ()
    drawn = [place for place, name in enumerate(variants(view_maker)) if name in outcomes]
    if kept.path is None or not drawn:
        return n_drawn
    n_missing = len(rows) * len(drawn) - kept.n_there(rows, drawn)
    return _count(kept.path, n_missing * (1 - (1 - 1 / len(drawn)) ** (n_drawn / len(rows))), made)


def _fixed_views(plan: Plan) -> Iterator[tuple[str, Int64[np.ndarray, " row"]]]:
    """Name the recipes of measurements, and the clips that they are of."""
    own, split = shown_recipe(plan.config), plan.split
    yield own, np.arange(len(plan.data.store))
    if own != COMMON_RECIPE:
        yield COMMON_RECIPE, np.concatenate([split.validation, split.test])


def _n_new_fixed(plan: Plan, recipe: str, rows: Int64[np.ndarray, " row"], made: dict[Path, float]) -> float:
    """Return how many views of a measurement are not made yet, clean ones left out; `made` as for `_n_new`."""
    n_wanted = (N_VIEWS - 1) * len(rows)
    pool = open_fixed_views(plan.config, plan.data.store, build_view_maker(plan.config, recipe), recipe)
    if pool is None:
        return n_wanted
    n_missing = n_wanted - pool.kept.n_there(rows, range(1, N_VIEWS))
    return n_missing if pool.kept.path is None else _count(pool.kept.path, n_missing, made)


def _count(path: Path, n: float, made: dict[Path, float]) -> float:
    """Count what is made beyond what was made before, as if the same were wanted each time."""
    before = made.get(path, 0.0)
    made[path] = max(n, before)
    return made[path] - before


def check_memory(plans: Sequence[Plan], *, n_jobs: int = 1) -> None:
    """Refuse runs that cannot fit in the memory that is free.

    Args:
        plans: may be none.
        n_jobs: runs side by side.

    Raises:
        UserError: with the estimate, what is free, and the settings that decide it.
    """
    free, needs = _memory(plans)
    needs = needs[:n_jobs]
    if free is None or sum(needs) <= free:
        return
    what, fewer = "training needs", ""
    if len(needs) > 1:
        what, fewer = f"{len(needs)} runs side by side need", f"use fewer --jobs (now {n_jobs}), or "
    place = "the GPU" if torch.cuda.is_available() else "memory"
    raise UserError(
        f"{what} about {sum(needs) / 1e9:.1f} GB of {place}, and {free / 1e9:.1f} GB are free; "
        f"{fewer}make {_sizes(plans[0].config)}"
    )


def usual_jobs(plans: Sequence[Plan]) -> int:
    """Return how many runs to make side by side: on a CPU one for each core, where memory has room; on a GPU one.

    Two runs of a thread each are ahead of two threads that share a run, as much of a step uses one core only.
    """
    if torch.cuda.is_available():
        return 1
    free, needs = _memory(plans)
    n_jobs = min(n_cores(), len(plans))
    while free is not None and n_jobs > 1 and sum(needs[:n_jobs]) > free:
        n_jobs -= 1
    return n_jobs


def _memory(plans: Sequence[Plan]) -> tuple[int | None, list[int]]:
    """Return the bytes that are free, None where nobody knows, and what each run needs, the largest first."""
    on_gpu = torch.cuda.is_available()
    free = free_gpu_bytes() if on_gpu else free_bytes()
    n_together = 1 if on_gpu else n_processes_here()
    return free, sorted((n_together * needed_bytes(plan, free) for plan in plans), reverse=True)


def needed_bytes(plan: Plan, free: int | None = None) -> int:
    """Estimate what a run holds at once: in a step or in a batch of a measurement, and what is kept between these.

    Args:
        plan: of the run.
        free: bytes; where its weights alone take more, nothing is made to see what the rest does. None: any number.
    """
    config, n_classes, n_train = plan.config, len(plan.data.store.classes), len(plan.split.train)
    n_copies = bool(config.optimizer.averaging_epochs) + (config.training.patience is not None)
    weights = 0
    for one in build_on_meta(config, n_classes).parameters():
        weights += ((_PER_WEIGHT if one.requires_grad else 4) + 4 * n_copies) * one.numel()
    if free is not None and weights > free:
        return weights
    items = build_schedule(config).items
    with explain_out_of_memory(config, "estimate"):
        cost = measure_step(config, n_classes)
    n_items = min(items_per_batch(items, config.training.batch_size), n_train * items.n_per_clip)
    n_clips = min(BATCH_CLIPS, max(map(len, (plan.split.train, plan.split.validation, plan.split.test))))
    training = n_items * items.n_views * max(cost.step_bytes, cost.view_bytes)
    measuring = n_clips * N_VIEWS * max(cost.answer_bytes, cost.view_bytes)
    kept = _kept_bytes(plan, cost.log_mel_bytes)
    epochs, is_patient = config.training.epochs, config.training.patience is not None
    is_kept_early = is_patient or any(is_tracked(plan.track, epoch, epochs) for epoch in range(epochs - 1))
    return weights + max(training + kept * is_kept_early, measuring + kept)


def _kept_bytes(plan: Plan, log_mel_bytes: int) -> int:
    """Return what the log-mels take that measurements keep: of all parts its own views, in the end the common ones."""
    split, is_own = plan.split, shown_recipe(plan.config) != COMMON_RECIPE
    parts = [split.train, split.validation, split.test, *[split.validation, split.test] * is_own]
    sizes = [N_VIEWS * log_mel_bytes * len(part) for part in parts]
    return sum(size for size in sizes if size <= CACHE_BYTES)


@contextmanager
def explain_out_of_memory(
    config: Config, during: Literal["training", "measurement", "estimate"] = "training"
) -> Iterator[None]:
    """Turn an error that says that memory could not be had into a sentence that says what to change.

    Args:
        config: of the run, resolved.
        during: what is done: training; a measurement, whose batches do not depend on the configuration; or the
            estimate of a run's cost, before anything of it is saved.

    Raises:
        UserError: in place of that error.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        kept = "" if during == "estimate" else "; what was saved before is still there"
        sizes = _sizes(config, has_batch=during != "measurement")
        raise UserError(f"the memory ran out during {during}: make {sizes}{kept}") from error


def _sizes(config: Config, *, has_batch: bool = True) -> str:
    """Name the settings that decide how much memory a run takes."""
    sizes = [f"training.batch_size (now {config.training.batch_size})"] * has_batch
    sizes += [f"data.clip_s (now {config.data.clip_s:g})"]
    others = ["training.precision=bf16 (now float32)"] * (config.training.precision == "float32")
    if "network.width" in result_settings(config):
        sizes += [f"network.width (now {config.network.width:g})"]
    else:  # others have one width
        others = [f"a smaller network.name (now {config.network.name})", *others]
    *first, last = sizes
    smaller = f"{', '.join(first)} or {last}" if first else last
    return f"{smaller} smaller" + (f", or use {' or '.join(others)}" if others else "")
