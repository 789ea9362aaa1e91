"""Whether a run fits in memory, told before its first step, and what to change where memory ran out all the same."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch

from cohear.errors import UserError
from cohear.experiments.build import build_front_end, build_plan, is_compiled
from cohear.experiments.config import Config
from cohear.models.vgg import FEATURE_MAPS
from cohear.runtime.free_memory import free_bytes, free_gpu_bytes, is_out_of_memory
from cohear.runtime.processes import n_processes, n_processes_here
from cohear.training.batches import items_per_batch

_PER_WEIGHT = 16
"""Bytes in float32: itself, its gradient and its two moments."""


def training_bytes(config: Config, clip_s: float, n_classes: int, n_clips: int | None = None) -> int:
    """Estimate from below the memory of a training step in one process: what its backward pass needs at once.

    Args:
        config: resolved.
        clip_s: seconds of a clip.
        n_classes: K.
        n_clips: training clips; None: enough for a whole batch.

    Returns:
        Bytes: the spectrograms, what each layer of the network keeps, weights, gradients and moments. Between 0.7 and
        1.05 of what was measured on a CPU where that is more than half a gigabyte.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    recomputes = is_compiled(config, device, n_processes())  # what is quickly computed again need not be kept
    plan = build_plan(config)
    n_items = items_per_batch(plan.items, plan.batch_size)
    if n_clips is not None:
        n_items = min(n_items, n_clips * len(plan.items))
    n_items = math.ceil(n_items / n_processes())
    n_signals = n_items * len(plan.items[0])
    n_bands = config.front_end.n_mels
    n_frames = build_front_end(config).n_frames(round(clip_s * config.data.sample_rate))
    n_bytes = 2 if config.training.precision == "bf16" else 4
    per_signal = 4 * n_bands * n_frames * (1 + config.network.normalize_input)
    n_weights, n_in = 0, 1
    for n_maps in (max(1, round(n * config.network.width)) for n in FEATURE_MAPS):
        n_numbers = n_maps * n_bands * n_frames
        per_layer = 1 if recomputes else 2  # what enters the batch norm, and what leaves the ReLU behind it
        n_bands, n_frames = n_bands // 2, n_frames // 2
        n_pooled = n_maps * n_bands * n_frames
        index_bytes = 8 if config.network.pooling == "max" and not recomputes else 0
        per_signal += 2 * per_layer * n_bytes * n_numbers + (n_bytes + index_bytes) * n_pooled
        n_weights += 9 * n_maps * (n_in + n_maps) + 4 * n_maps
        n_in = n_maps
    n_weights += (n_in + 1) * n_classes
    return n_signals * per_signal + _PER_WEIGHT * n_weights


def check_memory(runs: Sequence[tuple[Config, int]], clip_s: float, n_classes: int, *, n_jobs: int = 1) -> None:
    """Refuse runs that cannot fit in the memory that is free.

    Args:
        runs: the configuration of each and how many clips it is trained on; at least one.
        clip_s: seconds of a clip.
        n_classes: K.
        n_jobs: runs side by side.

    Raises:
        UserError: with the estimate, what is free, and the settings that decide it.
    """
    needs = [(training_bytes(config, clip_s, n_classes, n_clips), config) for config, n_clips in runs]
    largest = sorted(needs, key=lambda need: -need[0])[:n_jobs]
    on_gpu = torch.cuda.is_available()
    free = free_gpu_bytes() if on_gpu else free_bytes()
    n_at_once = 1 if on_gpu else n_processes_here()
    needed = n_at_once * sum(need for need, _ in largest)
    if free is None or needed <= free:
        return
    config = largest[0][1]
    what, fewer = "training needs", ""
    if len(largest) > 1:
        what, fewer = f"{len(largest)} runs side by side need", f"use fewer --jobs (now {n_jobs}), or "
    raise UserError(
        f"{what} about {needed / 1e9:.1f} GB of {'the GPU' if on_gpu else 'memory'}, and {free / 1e9:.1f} GB are free; "
        f"{fewer}make {_sizes(config, clip_s)}{_other_precision(config)}"
    )


@contextmanager
def explain_out_of_memory(
    config: Config, clip_s: float, during: Literal["training", "measurement", "estimate"] = "training"
) -> Iterator[None]:
    """Turn an error that says that memory could not be had into a sentence that says what to change.

    Args:
        config: of the run.
        clip_s: seconds of a clip.
        during: what is done: training; a measurement, whose batches do not depend on the configuration; or the
            estimate of a run's time, before anything of it is saved.

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
            "estimate": "while the time of a run was estimated",
        }[during]
        kept = "" if during == "estimate" else "; what was saved before is still there"
        raise UserError(
            f"the memory ran out {where}: make {_sizes(config, clip_s, has_batch=during != 'measurement')}"
            f"{_other_precision(config)}{kept}"
        ) from error


def _sizes(config: Config, clip_s: float, *, has_batch: bool = True) -> str:
    sizes = [f"training.batch_size (now {config.training.batch_size})"] * has_batch
    sizes += [f"data.clip_s (now {clip_s:g})", f"network.width (now {config.network.width:g})"]
    return f"{', '.join(sizes[:-1])} or {sizes[-1]} smaller"


def _other_precision(config: Config) -> str:
    return ", or use training.precision=bf16 (now float32)" if config.training.precision == "float32" else ""
