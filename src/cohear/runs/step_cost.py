"""What a step of any network costs on this machine: a small one is made and measured, the rest is arithmetic.

The step is of a few signals: their views are made, a network hears them, once as in training and once as in a
measurement. Time and the most memory held at once, of each of the three, grow with the number of signals.
"""

import functools
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cohear import keys
from cohear.runs.build import build_network, build_schedule, build_view_maker, shown_recipe
from cohear.runs.config import Config, TrainingConfig, ViewsConfig
from cohear.runtime.devices import wait_for
from cohear.runtime.machine import keep_freed_memory
from cohear.tensors import on_device

_N_DRAWN = 1000
"""Views that are drawn to see which share of them has an outcome that can be kept."""


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


def measure_step(config: Config, n_classes: int) -> StepCost:
    """Make one small step of a configuration's network, views and precision, and measure it.

    Args:
        config: resolved.
        n_classes: K.

    Raises:
        Exception: where memory runs out, as torch words it.
    """
    measured = Config(  # what decides it, so that the models of a grid are measured once
        method="bda",
        data=config.data,
        front_end=config.front_end,
        encoder=config.encoder,
        network=config.network,
        views=ViewsConfig(transform=shown_recipe(config)),
        training=TrainingConfig(precision=config.training.precision),
    )
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
