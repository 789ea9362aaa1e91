"""What a grid will cost on this machine: a few signals are timed, the rest is arithmetic."""

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from cohear import keys
from cohear.experiments.build import build_network, build_plan, build_view_maker, shown_transform
from cohear.experiments.config import Config
from cohear.experiments.runs import RunRequest, is_tracked

_N_SIGNALS = 3


def estimate_s(
    requests: Sequence[RunRequest], n_clips_of_fold: dict[int, int], clip_s: float, n_classes: int
) -> list[float]:
    """Estimate the seconds of each run on one process with all cores.

    A training step costs about three forward passes, a measurement one.

    Args:
        requests: the runs.
        n_clips_of_fold: clips of each fold.
        clip_s: seconds of a clip.
        n_classes: K.
    """
    timed: dict[str, tuple[float, float]] = {}
    n_clips = sum(n_clips_of_fold.values())
    costs = []
    for request in requests:
        config = request.config
        transform = shown_transform(config)
        if transform not in timed:
            timed[transform] = _time_signal(config, clip_s, n_classes)
        forward_s, view_s = timed[transform]
        n_train = n_clips - n_clips_of_fold[config.fold]
        items = build_plan(config).items
        n_signals = n_train * len(items) * len(items[0])
        n_transformed = n_train * sum(view > 0 for item in items for view in item)
        n_measured = sum(
            is_tracked(request.track, epoch, config.training.epochs) for epoch in range(config.training.epochs)
        )
        epoch_s = n_signals * 3 * forward_s + n_transformed * view_s
        measure_s = n_clips * (3 * forward_s * n_measured + 2 * view_s)
        costs.append(config.training.epochs * epoch_s + measure_s)
    return costs


def _time_signal(config: Config, clip_s: float, n_classes: int) -> tuple[float, float]:
    """Time a forward pass, and the making of a transformed view, of one signal; seconds."""
    network = build_network(config, n_classes).eval()
    view_maker = build_view_maker(config, shown_transform(config))
    waveforms = torch.from_numpy(
        keys.uniform(np.arange(_N_SIGNALS, dtype=np.uint64), int(clip_s * config.data.sample_rate)).astype(np.float32)
    )
    views = np.ones((1, _N_SIGNALS), np.int64)
    cell_keys = keys.fold_in(np.uint64(0), views * np.arange(_N_SIGNALS))
    log_mels = view_maker.make(waveforms, views, cell_keys).log_mels
    with torch.inference_mode():
        forward_s = _fastest(lambda: network(log_mels))
    view_s = _fastest(lambda: view_maker.make(waveforms, views, cell_keys))
    return forward_s / _N_SIGNALS, view_s / _N_SIGNALS


def _fastest(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)
