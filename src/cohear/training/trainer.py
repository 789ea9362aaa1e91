"""The loop: one for every method, precision and number of devices.

It receives objects, never configurations, and knows nothing of methods: what differs between them arrives as items,
objective and weight. Every step is a function of (seed, epoch, step), so a run resumed from any checkpoint takes the
same steps as one that was never stopped.
"""

import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt64
from lightning_fabric import Fabric
from torch import Tensor, nn

from cohear.errors import UserError
from cohear.models import VGG
from cohear.objectives import ClassificationObjective, Losses
from cohear.runtime.files import write_text
from cohear.runtime.interrupts import Interrupted, StopRequest
from cohear.tensors import on_device
from cohear.training.balance import Targets, sampling_classes
from cohear.training.batches import Batch, Items, epoch_batches, n_steps
from cohear.training.checkpoints import load_best, load_checkpoint, save_checkpoint
from cohear.training.early_stopping import is_settled, kept_epoch
from cohear.training.first_step import FirstStep
from cohear.transforms import ClipFacts
from cohear.views import ViewMaker, view_keys


@dataclass(frozen=True)
class TrainingClips:
    """The clips to train on."""

    read: Callable[[Int64[np.ndarray, " batch"]], Float[Tensor, "batch time"]]
    """Rows among these clips to waveforms on the device."""
    targets: Targets
    """Class indices, or rows of 0 and 1."""
    clip_keys: UInt64[np.ndarray, " clip"]
    facts: ClipFacts
    """What transforms may know of them."""


@dataclass(frozen=True)
class TrainingPlan:
    """How weights are found; schedules are functions of the epoch, counted from 0."""

    items: Items
    objective: ClassificationObjective
    n_epochs: int
    batch_size: int
    """Signals in a batch, counting every view."""
    seed: int
    learning_rate: Callable[[int], float]
    consistency_weight: Callable[[int], float]
    weight_decay: float
    draws_classes_equally: bool = False
    """Whether each class is drawn equally often; else each clip once an epoch."""
    patience: int | None = None
    """Epochs without a lower `validation_nll`, which the watch measures, after which training stops and goes back to
    its best epoch; None: never."""


@dataclass
class Watch:
    """Who looks on while training goes on."""

    measure: Callable[[nn.Module, int, Callable[[], bool]], dict[str, float] | None]
    """Called with network, epoch and should_stop after each epoch; what it returns joins the history."""
    on_step: Callable[[int, int], None] = lambda _done, _total: None
    """Called with steps done and steps in all."""
    stop: StopRequest = field(default_factory=StopRequest)

    def is_stopped(self) -> bool:
        """Whether somebody asked this process to stop, or its time is over."""
        return self.stop.is_made

    def is_signaled(self) -> bool:
        """Whether somebody asked this process to stop."""
        return self.stop.signal_number is not None


@dataclass
class _Progress:
    """Where a run stands, all of it JSON."""

    epoch: int = 0
    step: int = 0
    sums: list[float] = field(default_factory=lambda: [0.0] * 3)
    """Of total, classification and consistency over the items of this epoch so far."""
    duration_s: float = 0.0
    """That earlier starts spent on this epoch."""
    history: list[dict[str, Any]] = field(default_factory=list)


class _Step(nn.Module):
    """Network and objective as one module, so that a distributed wrapper sees a single forward."""

    def __init__(self, network: VGG, objective: ClassificationObjective) -> None:
        super().__init__()
        self.network, self.objective = network, objective

    def forward(
        self,
        log_mels: Float[Tensor, "view batch band frame"],
        targets: Int64[Tensor, " batch"] | Float[Tensor, "batch label"],
        weight: float,
    ) -> Losses:
        embeddings = self.network.embed(log_mels) if self.objective.needs_embeddings else None
        logits = self.network(log_mels) if embeddings is None else self.network.classify(embeddings)
        return self.objective(logits, targets, weight, embeddings)


def train(
    network: VGG,
    view_maker: ViewMaker,
    clips: TrainingClips,
    plan: TrainingPlan,
    folder: Path,
    fabric: Fabric,
    watch: Watch,
) -> list[dict[str, Any]]:
    """Train a network in place, from its checkpoint in `folder` if there is one.

    Args:
        network: already initialized.
        view_maker: makes the views of a batch; its front end is moved to the device.
        clips: what to train on.
        plan: how.
        folder: where `checkpoint/` and `history.jsonl` go.
        fabric: device and precision, launched.
        watch: who looks on.

    Returns:
        The history: one JSON object per epoch, as in `history.jsonl`. The weights are those of its `kept_epoch`.

    Raises:
        Interrupted: after a signal or at the deadline; everything is saved.
        UserError: where the loss is no longer a number, or the disk is full.
    """
    first_step = FirstStep(fabric.device)
    view_maker.front_end.to(fabric.device)
    if fabric.world_size > 1 and fabric.device.type == "cuda":  # the views of all processes share their statistics
        nn.SyncBatchNorm.convert_sync_batchnorm(network)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=plan.learning_rate(0), weight_decay=plan.weight_decay, fused=True
    )
    step_module, step_optimizer = fabric.setup(_Step(network, plan.objective), optimizer)
    progress = _Progress(**(load_checkpoint(folder, network, optimizer) or {}))
    best = load_best(folder)
    _write_history(folder, progress.history)
    n_clips = len(clips.targets)
    classes = sampling_classes(clips.targets) if plan.draws_classes_equally else None
    steps_per_epoch = n_steps(n_clips, plan.items, plan.batch_size)
    step_module.train()
    while progress.epoch < plan.n_epochs and not _first_says(is_settled(progress.history, plan.patience), fabric):
        started = time.perf_counter()
        weight, learning_rate = plan.consistency_weight(progress.epoch), plan.learning_rate(progress.epoch)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        batches = epoch_batches(n_clips, plan.items, plan.batch_size, plan.seed, progress.epoch, classes)
        sums = torch.tensor(progress.sums, dtype=torch.float64, device=fabric.device)
        for batch in batches[progress.step :]:
            losses, share = _forward(step_module, view_maker, clips, plan.seed, progress.epoch, batch, weight, fabric)
            fabric.backward(losses.total * share)
            step_optimizer.step()
            step_optimizer.zero_grad()
            first_step.stop()
            sums += torch.stack(losses).detach().double() * (share * len(batch.clips))
            progress.step += 1
            watch.on_step(progress.epoch * steps_per_epoch + progress.step, plan.n_epochs * steps_per_epoch)
            if _anywhere(watch.is_stopped(), fabric):
                break
        progress.sums = _mean_over_processes(sums, fabric)
        _check_finite(progress, network)
        measured = None
        if not _anywhere(watch.is_stopped(), fabric):
            # A measurement that a deadline cut short would be begun anew, and with short budgets never end.
            with fabric.autocast():
                measured = watch.measure(network, progress.epoch, watch.is_signaled)
        duration_s = progress.duration_s + time.perf_counter() - started
        if _anywhere(measured is None, fabric) or measured is None:
            progress.duration_s = duration_s
            _save_and_leave(folder, network, optimizer, progress, best, watch, fabric)
        n_items = n_clips * len(plan.items)
        total, classification, consistency = (value / n_items for value in progress.sums)
        progress.history.append(
            {
                "epoch": progress.epoch,
                "learning_rate": learning_rate,
                "consistency_weight": weight,
                "loss": total,
                "classification": classification,
                "consistency": consistency,
                "n_steps": steps_per_epoch,
                "duration_s": round(duration_s, 3),
                **first_step.take_record(),
                **measured,
            }
        )
        is_best = plan.patience is not None and kept_epoch(progress.history, plan.patience) == progress.epoch
        if _first_says(is_best, fabric):
            best = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        progress = _Progress(progress.epoch + 1, history=progress.history)
        if fabric.is_global_zero:
            save_checkpoint(folder, network, optimizer, vars(progress), best)
            _write_history(folder, progress.history)
    if best:
        network.load_state_dict(best)
    return progress.history


def _forward(
    step_module: nn.Module,
    view_maker: ViewMaker,
    clips: TrainingClips,
    seed: int,
    epoch: int,
    batch: Batch,
    weight: float,
    fabric: Fabric,
) -> tuple[Losses, float]:
    """Compute this process's part of a step, and the part's share of the batch times the number of processes.

    Gradients are averaged over processes; a process with n of B items therefore weighs its mean by n W / B. One
    without items takes a clip with share 0, since every process must join the exchange.
    """
    mine = np.array_split(np.arange(len(batch.clips)), fabric.world_size)[fabric.global_rank]
    share = len(mine) * fabric.world_size / len(batch.clips)
    mine = mine if len(mine) else np.array([0])
    rows, views = batch.clips[mine], batch.views[:, mine]
    cell_keys = view_keys(seed, epoch, clips.clip_keys[rows], views)
    log_mels = view_maker.make(clips.read(rows), views, cell_keys, clips.facts.take(rows)).log_mels
    targets = on_device(clips.targets[rows], fabric.device)
    return step_module(log_mels, targets, weight), share


def _anywhere(here: bool, fabric: Fabric) -> bool:
    """Ask whether something is so in any process, so that all leave at the same step."""
    if fabric.world_size == 1:
        return here
    flag = torch.tensor(float(here), device=fabric.device)
    return bool(fabric.all_reduce(flag, reduce_op="sum"))


def _first_says(so: bool, fabric: Fabric) -> bool:
    """Let the first process decide: what others measured may differ in its last bits."""
    return _anywhere(so and fabric.is_global_zero, fabric)


def _mean_over_processes(values: Float[Tensor, " value"], fabric: Fabric) -> list[float]:
    reduced = fabric.all_reduce(values, reduce_op="mean")
    assert isinstance(reduced, Tensor)
    return reduced.tolist()


def _check_finite(progress: _Progress, network: nn.Module) -> None:
    """Refuse to go on, measure or save where the last steps left the numbers."""
    weights_are_finite = all(bool(weight.isfinite().all()) for weight in network.parameters())
    if not (weights_are_finite and np.isfinite(progress.sums).all()):
        raise UserError(
            f"in epoch {progress.epoch} the loss or the weights are no longer numbers; lower optimizer.learning_rate "
            "or look for damaged clips"
        )


def _save_and_leave(
    folder: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: _Progress,
    best: dict[str, Tensor],
    watch: Watch,
    fabric: Fabric,
) -> NoReturn:
    if fabric.is_global_zero:
        save_checkpoint(folder, network, optimizer, vars(progress), best)
    raise Interrupted(
        f"stopped in epoch {progress.epoch} after step {progress.step}, everything is saved",
        watch.stop.signal_number if watch.stop.is_made else signal.SIGINT,  # another process was asked
    )


def _write_history(folder: Path, history: list[dict[str, Any]]) -> None:
    write_text(folder / "history.jsonl", "".join(json.dumps(record) + "\n" for record in history))
