"""What runs will cost on this machine, of any network: one small step is made and measured, the rest is arithmetic.

The step trains on one item. Its time is that of every signal; what its backward pass keeps, told by the tensors that
autograd saves, is what a whole batch keeps times the signals of that batch.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from cohear import keys
from cohear.errors import UserError
from cohear.evaluation.fixed_views import N_VIEWS
from cohear.runs.build import build_network, build_on_meta, build_schedule, build_view_maker, shown_recipe
from cohear.runs.config import Config, TrainingConfig, ViewsConfig
from cohear.runs.plan import Plan
from cohear.runtime.devices import free_gpu_bytes, wait_for
from cohear.runtime.machine import free_bytes, is_out_of_memory, n_processes_here
from cohear.tensors import on_device
from cohear.training.batches import items_per_batch

_PER_WEIGHT = 16
"""Bytes in float32: itself, its gradient and its two moments."""


@dataclass(frozen=True)
class StepCost:
    """What one small step took."""

    signal_s: float
    """Seconds of a signal's forward and backward pass, and its share of the step."""
    view_s: float
    """Seconds to make a transformed view, front end included."""
    signal_bytes: int
    """That a signal keeps in memory until its backward pass."""
    weight_bytes: int
    """Of weights, gradients and moments."""


def estimate_s(plan: Plan) -> float:
    """Estimate the seconds of a run on one process with all cores.

    Raises:
        UserError: where memory runs out.
    """
    config, cost = plan.config, measure_step(plan.config, len(plan.data.store.classes))
    epochs, items = config.training.epochs, build_schedule(config).items
    n_train, n_clips = len(plan.split.train), len(plan.data.store)
    n_transformed = n_train * sum(view > 0 for item in items for view in item)
    n_measured = sum(is_tracked(plan.track, epoch, epochs) for epoch in range(epochs))
    epoch_s = n_train * len(items) * len(items[0]) * cost.signal_s + n_transformed * cost.view_s
    # A measurement is a forward pass, about a third of a step.
    measuring_s = n_clips * (N_VIEWS * cost.signal_s / 3 * n_measured + (N_VIEWS - 1) * cost.view_s)
    return epochs * epoch_s + measuring_s


def check_memory(plans: Sequence[Plan], *, n_jobs: int = 1) -> None:
    """Refuse runs that cannot fit in the memory that is free.

    Args:
        plans: may be none.
        n_jobs: runs side by side.

    Raises:
        UserError: with the estimate, what is free, and the settings that decide it.
    """
    on_gpu = torch.cuda.is_available()
    free = free_gpu_bytes() if on_gpu else free_bytes()
    needs = sorted((_training_bytes(plan, free) for plan in plans), reverse=True)[:n_jobs]
    needed = (1 if on_gpu else n_processes_here()) * sum(needs)
    if free is None or needed <= free:
        return
    what, fewer = "training needs", ""
    if len(needs) > 1:
        what, fewer = f"{len(needs)} runs side by side need", f"use fewer --jobs (now {n_jobs}), or "
    raise UserError(
        f"{what} about {needed / 1e9:.1f} GB of {'the GPU' if on_gpu else 'memory'}, and {free / 1e9:.1f} GB are free; "
        f"{fewer}make {_sizes(plans[0].config)}"
    )


def is_tracked(track: str, epoch: int, n_epochs: int) -> bool:
    """Whether clips are measured after an epoch; the last one always is.

    Args:
        track: `every`, `end`, or a number N of epochs.
        epoch: counted from 0.
        n_epochs: of the run.
    """
    every = {"every": 1, "end": n_epochs}.get(track) or int(track)
    return epoch == n_epochs - 1 or (epoch + 1) % every == 0


def _training_bytes(plan: Plan, free: int | None) -> int:
    """Estimate what a run needs at once; weights that are too large by themselves are not made for it."""
    config, n_classes = plan.config, len(plan.data.store.classes)
    n_weights = sum(weight.numel() for weight in build_on_meta(config, n_classes).parameters())
    if free is not None and _PER_WEIGHT * n_weights > free:
        return _PER_WEIGHT * n_weights
    cost, items = measure_step(config, n_classes), build_schedule(config).items
    n_items = min(items_per_batch(items, config.training.batch_size), len(plan.split.train) * len(items))
    return n_items * len(items[0]) * cost.signal_bytes + cost.weight_bytes


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


@lru_cache(maxsize=32)
def _measure(config: Config, n_classes: int) -> StepCost:
    assert config.data.clip_s is not None
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    n_signals = 48 if device.type == "cuda" else 3  # enough to occupy the device
    n_samples = round(config.data.clip_s * config.data.sample_rate)
    noise = keys.uniform(np.arange(n_signals, dtype=np.uint64), n_samples)
    waveforms = on_device(noise, device, torch.float32)
    view_maker = build_view_maker(config)
    view_maker.to(device)
    views = np.ones((1, n_signals), np.int64)
    cell_keys = keys.fold_in(np.uint64(0), views * np.arange(n_signals))
    made = view_maker.make(waveforms, views, cell_keys).inputs
    network = build_network(config, n_classes).to(device)
    labels = torch.zeros(n_signals, dtype=torch.long, device=device)
    objective = build_schedule(config).objective
    is_half = config.training.precision == "bf16"

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=is_half):
            losses = objective(network(made), labels, 0.0)
        losses.total.backward()

    kept = _bytes_kept(step, network)
    return StepCost(
        signal_s=_fastest_s(step, device) / n_signals,
        view_s=_fastest_s(lambda: view_maker.make(waveforms, views, cell_keys), device) / n_signals,
        signal_bytes=kept // n_signals,
        weight_bytes=_PER_WEIGHT * sum(weight.numel() for weight in network.parameters()),
    )


def _bytes_kept(step: Callable[[], None], network: torch.nn.Module) -> int:
    """Count the bytes of what autograd saves in a step, each storage once, without weights."""
    storages = {weight.untyped_storage().data_ptr(): 0 for weight in network.parameters()}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages.setdefault(storage.data_ptr(), storage.nbytes())
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        step()
    return sum(storages.values())


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
        where = {
            "training": "in a training step",
            "measurement": "while clips were measured",
            "estimate": "while the cost of a run was estimated",
        }[during]
        kept = "" if during == "estimate" else "; what was saved before is still there"
        sizes = _sizes(config, has_batch=during != "measurement")
        raise UserError(f"the memory ran out {where}: make {sizes}{kept}") from error


def _sizes(config: Config, *, has_batch: bool = True) -> str:
    """Name the settings that decide how much memory a run takes."""
    sizes = [f"training.batch_size (now {config.training.batch_size})"] * has_batch
    sizes += [f"data.clip_s (now {config.data.clip_s:g})", f"network.width (now {config.network.width:g})"]
    other = ", or use training.precision=bf16 (now float32)" if config.training.precision == "float32" else ""
    return f"{', '.join(sizes[:-1])} or {sizes[-1]} smaller{other}"
