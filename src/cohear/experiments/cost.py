"""What a grid will cost on this machine: a few signals are timed, the rest is arithmetic."""

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float

from cohear import keys
from cohear.evaluation.fixed_views import N_VIEWS
from cohear.experiments.build import build_front_end, build_network, build_plan, build_view_maker, shown_transform
from cohear.experiments.config import EVERY_CLIP, Config, TransformName
from cohear.experiments.memory import explain_out_of_memory
from cohear.experiments.runs import RunRequest, is_tracked
from cohear.runtime.devices import wait_for
from cohear.tensors import on_device

_N_SIGNALS = {"cpu": 3, "cuda": 48}
"""What is timed at a time: enough to occupy the device."""


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

    Raises:
        UserError: where memory runs out.
    """
    first = requests[0].config
    transforms: set[TransformName] = {shown_transform(request.config) for request in requests}
    with explain_out_of_memory(first, clip_s, "estimate"):
        forward_s = _time_forward(first, clip_s, n_classes)
        view_s = {transform: _time_view(first, transform, clip_s) for transform in transforms}
    n_clips = sum(n_clips_of_fold.values())
    costs = []
    for request in requests:
        config, epochs = request.config, request.config.training.epochs
        n_train = n_clips - (0 if config.fold == EVERY_CLIP else n_clips_of_fold[config.fold])
        items = build_plan(config).items
        n_transformed = n_train * sum(view > 0 for item in items for view in item)
        n_measured = sum(is_tracked(request.track, epoch, epochs) for epoch in range(epochs))
        view_cost_s = view_s[shown_transform(config)]
        epoch_s = n_train * len(items) * len(items[0]) * 3 * forward_s + n_transformed * view_cost_s
        measuring_s = n_clips * (N_VIEWS * forward_s * n_measured + (N_VIEWS - 1) * view_cost_s)
        costs.append(epochs * epoch_s + measuring_s)
    return costs


def _time_forward(config: Config, clip_s: float, n_classes: int) -> float:
    """Time the network's forward pass of one signal, in seconds."""
    waveforms = _noise(config, clip_s)
    device = waveforms.device
    network = build_network(config, n_classes).to(device).eval()
    log_mels = build_front_end(config).to(device)(waveforms)
    is_half = config.training.precision == "bf16"
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=is_half):
        return _fastest(lambda: network(log_mels), device) / len(waveforms)


def _time_view(config: Config, transform: TransformName, clip_s: float) -> float:
    """Time the making of one transformed view, front end included, in seconds."""
    view_maker, waveforms = build_view_maker(config, transform), _noise(config, clip_s)
    view_maker.front_end.to(waveforms.device)
    views = np.ones((1, len(waveforms)), np.int64)
    cell_keys = keys.fold_in(np.uint64(0), views * np.arange(len(waveforms)))
    return _fastest(lambda: view_maker.make(waveforms, views, cell_keys), waveforms.device) / len(waveforms)


def _noise(config: Config, clip_s: float) -> Float[torch.Tensor, "batch time"]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    n_signals, n_samples = _N_SIGNALS[device.type], int(clip_s * config.data.sample_rate)
    return on_device(keys.uniform(np.arange(n_signals, dtype=np.uint64), n_samples), device, torch.float32)


def _fastest(work: Callable[[], object], device: torch.device) -> float:
    times = []
    for _ in range(3):
        wait_for(device)
        started = time.perf_counter()
        work()
        wait_for(device)
        times.append(time.perf_counter() - started)
    return min(times)
