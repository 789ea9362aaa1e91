"""What a training step costs, part by part, and beside the bare network: the trainer's own loop on made-up clips.

The bare network is what any PyTorch user writes: forward, cross-entropy and divergence, backward, a fused AdamW, on
log-mels that are ready. Everything is timed in turns, one process, the same shapes.
"""

import dataclasses
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from cohear import keys
from cohear.benchmarks.step_floor import StepFloor, step_floor
from cohear.dsp.quantization import quantize
from cohear.experiments.build import build_front_end, build_network, build_plan, build_transform, is_compiled
from cohear.experiments.config import Config
from cohear.experiments.resident_clips import ResidentClips
from cohear.models import VGG
from cohear.runtime.devices import make_fabric, wait_for
from cohear.training.plan import TrainingClips, TrainingPlan, Watch
from cohear.training.trainer import train
from cohear.transforms import ClipFacts
from cohear.transforms.cached_pitch_shift import ShiftedVersions
from cohear.views import ViewMaker, view_keys

N_CLASSES = 50
_MATRIX_SIDE = {"cuda": 8192, "cpu": 2048}


@dataclass(frozen=True)
class StepTimes:
    """Medians over rounds, seconds per step."""

    whole_s: float
    """The trainer: views, front end, network, objective, optimizer."""
    bare_s: float
    """The network, objective and optimizer on log-mels that are ready."""
    views_s: float
    """Reading, drawing and transforming, without the front end."""
    front_end_s: float
    optimizer_s: float
    overhead: float
    """Median over rounds of the trainer's time over the bare network's."""
    n_signals: int
    n_clips: int
    floor: StepFloor
    matrix_rate: float
    """Measured operations per second of a large matrix product in the training's precision."""

    @property
    def rest_s(self) -> float:
        """What the parts, each measured by itself, leave of the whole; negative where they took longer alone."""
        return self.whole_s - self.views_s - self.front_end_s - self.bare_s

    @property
    def rate(self) -> float:
        """Operations per second that the bare network reaches, its optimizer left out."""
        return self.floor.operations / (self.bare_s - self.optimizer_s)


@dataclass(frozen=True, eq=False)
class StepBench:
    """One configuration on this machine's device.

    Args:
        config: of a method whose items have the same views, such as `consistency`.
        clip_s: seconds of a clip.
        n_steps: steps in a row of one measurement, >= 1.
        keep_versions: whether shifted views are read from the device's memory, as `data.pitch_cache` has them.
    """

    config: Config
    clip_s: float = 5.0
    n_steps: int = 3
    keep_versions: bool = False

    def measure(self, n_rounds: int, say: Callable[[str], None]) -> StepTimes:
        """Time everything in turns, after one turn that is not counted."""
        parts = {
            "trainer": self._whole_s,
            "bare network": self._bare_s,
            "views and front end": self._views_s,
            "front end": self._front_end_s,
            "optimizer": self._optimizer_s,
        }
        taken: dict[str, list[float]] = {name: [] for name in parts}
        for turn in range(1 + n_rounds):
            for name, measure in parts.items():
                seconds = measure()
                counted = f"round {turn} of {n_rounds}" if turn else "warming up"
                say(f"{counted}: {name} {1e3 * seconds:.2f} ms per step")
                if turn:
                    taken[name].append(seconds)
        times = {name: median(seconds) for name, seconds in taken.items()}
        n_bands, n_frames = self._log_mels.shape[-2:]
        half = self.config.training.precision == "bf16"
        return StepTimes(
            whole_s=times["trainer"],
            bare_s=times["bare network"],
            views_s=times["views and front end"] - times["front end"],
            front_end_s=times["front end"],
            optimizer_s=times["optimizer"],
            overhead=median(a / b for a, b in zip(taken["trainer"], taken["bare network"], strict=True)),
            n_signals=self._views.size,
            n_clips=self._views.shape[1],
            floor=step_floor(self._views.size, n_bands, n_frames, self.config.network.width, 2 if half else 4),
            matrix_rate=self._matrix_rate(),
        )

    @cached_property
    def device(self) -> torch.device:
        """Where the fabric puts training."""
        return self._fabric.device

    @cached_property
    def _fabric(self) -> Fabric:
        return make_fabric(self.config.training.precision)

    @cached_property
    def _plan(self) -> TrainingPlan:
        return dataclasses.replace(build_plan(self.config), n_epochs=1)

    @cached_property
    def _views(self) -> np.ndarray:
        n_views = len(self._plan.items[0])
        return np.arange(n_views)[:, None].repeat(self.config.training.batch_size // n_views, 1)

    @cached_property
    def _clips(self) -> ResidentClips:
        """Noise: what a clip holds changes no time."""
        n_samples = round(self.clip_s * self.config.data.sample_rate)
        generator = torch.Generator().manual_seed(0)
        steps, scales = quantize(0.1 * torch.randn(self._views.shape[1], n_samples, generator=generator))
        return ResidentClips(steps.to(self.device), scales.to(self.device))

    @cached_property
    def _view_maker(self) -> ViewMaker:
        versions = None
        if self.keep_versions:
            n_clips, n_samples = self._clips.waveforms.shape
            versions = ShiftedVersions.on_device(
                n_clips, len(self.config.views.pitch_semitones), n_samples, self.device
            )
        transform = build_transform(self.config, self.config.views.transform, versions)
        return ViewMaker(transform, build_front_end(self.config).to(self.device))

    @cached_property
    def _log_mels(self) -> Tensor:
        return self._make_views(0)

    @cached_property
    def _clip_keys(self) -> np.ndarray:
        return keys.fold_in(keys.key(0, "made-up clips"), np.arange(self._views.shape[1]))

    def _make_views(self, epoch: int) -> Tensor:
        rows = np.arange(self._views.shape[1])
        cell_keys = view_keys(0, epoch, self._clip_keys, self._views)
        return self._view_maker.make(self._clips.read(rows), self._views, cell_keys, ClipFacts(rows)).log_mels

    def _network(self) -> VGG:
        network = build_network(self.config, N_CLASSES)
        if is_compiled(self.config, self.device):
            network.compile_features()
        return network

    def _time(self, work: Callable[[int], object]) -> float:
        wait_for(self.device)
        started = time.perf_counter()
        for step in range(self.n_steps):
            work(step)
        wait_for(self.device)
        return (time.perf_counter() - started) / self.n_steps

    def _whole_s(self) -> float:
        """Run the trainer itself for one epoch that visits each clip as often as there are steps, and one more."""
        n_clips, n_visits = self._views.shape[1], 1 + self.n_steps
        clips = TrainingClips(
            read=lambda visits: self._clips.read(visits % n_clips),
            targets=np.tile(np.arange(n_clips) % N_CLASSES, n_visits),
            clip_keys=np.tile(self._clip_keys, n_visits),
            facts=ClipFacts(np.tile(np.arange(n_clips), n_visits)),
            ids=[f"clip {visit}" for visit in range(n_clips * n_visits)],
        )
        ends: list[float] = []

        def on_step(done: int, total: int) -> None:
            if done in (1, total):
                wait_for(self.device)
                ends.append(time.perf_counter())

        watch = Watch(measure=lambda _network, _epoch, _should_stop: {}, on_step=on_step)
        with tempfile.TemporaryDirectory() as folder:
            train(
                self._network(),
                self._view_maker,
                clips,
                self._plan,
                Path(folder),
                self._fabric,
                watch,
                identity="bench",
            )
        return (ends[-1] - ends[0]) / self.n_steps

    def _bare_s(self) -> float:
        network, objective = self._network().to(self.device).train(), self._plan.objective
        optimizer = torch.optim.AdamW(network.parameters(), lr=5e-4, fused=True)
        labels = torch.arange(self._views.shape[1], device=self.device) % N_CLASSES
        half = self.config.training.precision == "bf16"

        def step(_step: int) -> None:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
                logits = network(self._log_mels)
            objective(logits, labels, 1.0).total.backward()
            optimizer.step()
            optimizer.zero_grad()

        step(0)
        return self._time(step)

    def _views_s(self) -> float:
        return self._time(self._make_views)

    def _front_end_s(self) -> float:
        waveforms = self._clips.read(np.arange(self._views.shape[1])).repeat(len(self._views), 1)
        with torch.no_grad():
            return self._time(lambda _step: self._view_maker.front_end(waveforms))

    def _optimizer_s(self) -> float:
        network = self._network().to(self.device)
        optimizer = torch.optim.AdamW(network.parameters(), lr=5e-4, fused=True)
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        return self._time(lambda _step: optimizer.step())

    def _matrix_rate(self) -> float:
        dtype = torch.bfloat16 if self.config.training.precision == "bf16" else torch.float32
        n = _MATRIX_SIDE[self.device.type]
        a, b = (torch.randn(n, n, device=self.device).to(dtype) for _ in range(2))
        torch.mm(a, b)  # the first one chooses its kernel
        return 2.0 * n**3 / min(self._time(lambda _step: torch.mm(a, b)) for _ in range(3))
