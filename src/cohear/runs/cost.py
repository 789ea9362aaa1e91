"""What runs will cost on this machine, of any network: one small step is made and measured, the rest is arithmetic.

The step is of a few signals: their views are made, a network hears them, once as in training and once as in a
measurement. Time and the most memory held at once, of each of the three, grow with the number of signals.
"""

import functools
import math
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cohear import keys
from cohear.errors import UserError
from cohear.evaluation.measure import BATCH_CLIPS, CACHE_BYTES, N_VIEWS
from cohear.kept_views import variants
from cohear.runs.build import (
    COMMON_RECIPE,
    build_network,
    build_on_meta,
    build_schedule,
    build_view_maker,
    open_kept_views,
    shown_recipe,
)
from cohear.runs.config import Config, TrainingConfig, ViewsConfig, result_settings
from cohear.runs.plan import Plan
from cohear.runtime.devices import free_gpu_bytes, wait_for
from cohear.runtime.machine import free_bytes, is_out_of_memory, keep_freed_memory, n_cores, n_processes_here
from cohear.tensors import on_device
from cohear.training.batches import items_per_batch

_N_DRAWN = 1000
"""Views that are drawn to see which share of them has an outcome that can be kept."""

_PER_WEIGHT = 16
"""Bytes in float32: itself, its gradient and its two moments."""


@dataclass(frozen=True)
class StepCost:
    """What a signal costs."""

    step_s: float
    """Seconds of its forward and backward pass."""
    answer_s: float
    """Seconds of a forward pass alone."""
    kept_view_s: float
    """Seconds to make a transformed view that can be kept, front end included."""
    live_view_s: float
    """The same of one that is made anew each time."""
    live_share: float
    """Of such ones among the transformed views."""
    view_bytes: int
    """The most that is held at once while its view is made, the waveform included."""
    step_bytes: int
    """The most that is held at once in its forward and backward pass, beside weights, their gradients and moments."""
    answer_bytes: int
    """The same of a forward pass alone."""
    log_mel_bytes: int
    """Of a view when it is made."""


def estimate_s(plan: Plan) -> float:
    """Estimate the seconds of a run on one process with all cores.

    Raises:
        UserError: where memory runs out.
    """
    config, cost = plan.config, measure_step(plan.config, len(plan.data.store.classes))
    epochs, items = config.training.epochs, build_schedule(config).items
    n_train, n_clips = len(plan.split.train), len(plan.data.store)
    n_measured = sum(is_tracked(plan.track, epoch, epochs) for epoch in range(epochs))
    n_made = epochs * n_train * sum(view > 0 for item in items for view in item)
    n_fixed = (N_VIEWS - 1) * n_clips
    n_live, n_outcomes = n_made * cost.live_share, n_made * (1 - cost.live_share)
    if config.views.kept:
        n_outcomes = _n_new(plan, n_outcomes)
        n_fixed *= _share_missing(plan, shown_recipe(config))
    n_live, n_outcomes = n_live + n_fixed * cost.live_share, n_outcomes + n_fixed * (1 - cost.live_share)
    steps_s = epochs * n_train * len(items) * len(items[0]) * cost.step_s
    measured_s = n_measured * n_clips * N_VIEWS * cost.answer_s
    return steps_s + n_live * cost.live_view_s + n_outcomes * cost.kept_view_s + measured_s


def _n_new(plan: Plan, n_drawn: float) -> float:
    """Return how many spectrograms must be expected to be made, where so many are drawn of those that are kept."""
    n_outcomes = len(plan.split.train) * len(variants(build_view_maker(plan.config)))
    return n_outcomes * _share_missing(plan) * -math.expm1(-n_drawn / n_outcomes)


def _share_missing(plan: Plan, recipe: str | None = None) -> float:
    """Return the share of the spectrograms that are kept once they are made, and are not made yet."""
    kept = open_kept_views(plan.config, plan.data.store, build_view_maker(plan.config, recipe), recipe)
    assert kept is not None
    n_clips = len(plan.data.store)
    return 1 - kept.n_there(n_clips) / (n_clips * kept.n_variants)


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


def is_tracked(track: str, epoch: int, n_epochs: int) -> bool:
    """Whether clips are measured after an epoch; the last one always is.

    Args:
        track: `every`, `end`, or a number N of epochs.
        epoch: counted from 0.
        n_epochs: of the run.
    """
    every = {"every": 1, "end": n_epochs}.get(track) or int(track)
    return epoch == n_epochs - 1 or (epoch + 1) % every == 0


def needed_bytes(plan: Plan, free: int | None = None) -> int:
    """Estimate what a run holds at once: in a step or in a batch of a measurement, and what is kept between these.

    Args:
        plan: of the run.
        free: bytes; where its weights alone take more, nothing is made to see what the rest does. None: any number.
    """
    config, n_classes, n_train = plan.config, len(plan.data.store.classes), len(plan.split.train)
    weights = _PER_WEIGHT * sum(one.numel() for one in build_on_meta(config, n_classes).parameters())
    if free is not None and weights > free:
        return weights
    cost, items = measure_step(config, n_classes), build_schedule(config).items
    n_items = min(items_per_batch(items, config.training.batch_size), n_train * len(items))
    n_clips = min(BATCH_CLIPS, max(map(len, (plan.split.train, plan.split.validation, plan.split.test))))
    training = n_items * len(items[0]) * max(cost.step_bytes, cost.view_bytes)
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


def measure_step(config: Config, n_classes: int) -> StepCost:
    """Make one small step of a configuration's network, views and precision, and measure it.

    Args:
        config: resolved.
        n_classes: K.

    Raises:
        UserError: where memory runs out.
    """
    measured = Config(  # what decides it, so that the models of a grid are measured once
        method="bda",
        data=config.data,
        front_end=config.front_end,
        network=config.network,
        views=ViewsConfig(transform=shown_recipe(config)),
        training=TrainingConfig(precision=config.training.precision),
    )
    with explain_out_of_memory(config, "estimate"):
        return _measure(measured, n_classes)  # pyright: ignore[reportArgumentType] -- frozen models have a hash


@functools.lru_cache(maxsize=32)
def _measure(config: Config, n_classes: int) -> StepCost:
    assert config.data.clip_s is not None
    keep_freed_memory()  # as a training does
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    n_signals = 48 if device.type == "cuda" else 4  # enough to occupy the device
    noise = keys.uniform(np.arange(n_signals, dtype=np.uint64), round(config.data.clip_s * config.data.sample_rate))
    waveforms, labels = on_device(noise, device, torch.float32), torch.zeros(n_signals, dtype=torch.long, device=device)
    views = np.ones((1, n_signals), np.int64)
    cell_keys = keys.fold_in(np.uint64(0), views * np.arange(n_signals))
    view_maker, network = build_view_maker(config).to(device), build_network(config, n_classes).to(device)
    objective, is_half = build_schedule(config).objective, config.training.precision == "bf16"
    transform = view_maker.transform
    assert transform is not None  # for `none` the recipe is that of its measurements
    drawn_keys = keys.fold_in(np.uint64(0), np.arange(_N_DRAWN))
    is_live = np.array([name is None for name in transform.variants_of(transform.draw(drawn_keys))])

    def make(n: int, its_keys: np.ndarray = cell_keys) -> torch.Tensor:
        return view_maker.make(waveforms[:n], views[:, :n], its_keys[:, :n]).inputs

    def make_s(of: np.ndarray) -> float:
        its_keys = drawn_keys[of][None, :n_signals]
        n = its_keys.shape[1]
        return _fastest_s(lambda: make(n, its_keys), device) / n if n else 0.0

    made = make(n_signals)

    def hear(n: int) -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=is_half):
            return network(made[:, :n])

    def step(n: int) -> None:
        objective(hear(n).float(), labels[:n], 0.0).total.backward()

    def bytes_each(work: Callable[[int], object]) -> int:
        some, more = (_most_held(lambda n=n: work(n), device) for n in (n_signals // 2, n_signals))
        return max(0, more - some) // (n_signals - n_signals // 2)

    step(n_signals)  # which makes the gradients
    with torch.no_grad():
        network.eval()
        answer_bytes = bytes_each(hear)
        answer_s = _fastest_s(lambda: hear(n_signals), device) / n_signals
        network.train()
    return StepCost(
        step_s=_fastest_s(lambda: step(n_signals), device) / n_signals,
        answer_s=answer_s,
        kept_view_s=make_s(~is_live),
        live_view_s=make_s(is_live),
        live_share=is_live.mean(),
        view_bytes=bytes_each(make) + waveforms[0].nbytes,
        step_bytes=bytes_each(step) + made[0, 0].nbytes,
        answer_bytes=answer_bytes + made[0, 0].nbytes,
        log_mel_bytes=made[0, 0].nbytes,
    )


class _Held(TorchDispatchMode):
    """Counts the bytes of what operations on a CPU make, each storage as long as it is there."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._there = set[int]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {id(storage) for storage in _storages((args, kwargs))}
        made = func(*args, **(kwargs or {}))
        for storage in _storages(made):
            if id(storage) not in given and id(storage) not in self._there:
                self._there.add(id(storage))
                self.now += storage.nbytes()
                weakref.finalize(storage, self._forget, id(storage), storage.nbytes())
        self.most = max(self.most, self.now)
        return made

    def _forget(self, storage: int, n_bytes: int) -> None:
        self._there.discard(storage)
        self.now -= n_bytes


def _storages(values: Any) -> list[torch.UntypedStorage]:
    return [value.untyped_storage() for value in tree_leaves(values) if isinstance(value, torch.Tensor)]


def _most_held(work: Callable[[], object], device: torch.device) -> int:
    """Return the most bytes that work holds at once beside what was there before."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    with _Held() as held:
        work()
    return held.most


def _fastest_s(work: Callable[[], object], device: torch.device) -> float:
    times = []
    for _ in range(3):
        wait_for(device)
        started = time.perf_counter()
        work()
        wait_for(device)
        times.append(time.perf_counter() - started)
    return min(times)


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
