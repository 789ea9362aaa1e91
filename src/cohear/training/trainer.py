"""The loop: one for every method, precision and number of devices.

It receives objects, never configurations, and knows nothing of methods: what differs between them arrives as items,
objective and weight. Every step is a function of (seed, epoch, step), so a run resumed from any checkpoint takes the
same steps as one that was never stopped.
"""

import dataclasses
import json
import signal
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from jaxtyping import Float, Int64
from lightning_fabric import Fabric
from torch import Tensor, nn

from cohear.models import VGG
from cohear.objectives import ClassificationObjective, Losses
from cohear.runtime.files import write_text
from cohear.runtime.interrupts import Interrupted
from cohear.tensors import on_device
from cohear.training.balance import sampling_classes
from cohear.training.batches import Batch, epoch_batches, n_steps
from cohear.training.checkpoint_clock import CheckpointClock
from cohear.training.checkpoints import save_checkpoint
from cohear.training.collapse import guessing_loss
from cohear.training.early_stopping import is_settled, kept_epoch
from cohear.training.first_step import FirstStep
from cohear.training.history_warnings import warn_of_epoch
from cohear.training.nonfinite import FiniteSteps, all_dropped_error, check_weights, summands
from cohear.training.nonfinite_batch import look_into_batch
from cohear.training.plan import TrainingClips, TrainingPlan, Watch
from cohear.training.resuming import resume
from cohear.views import ViewMaker, view_keys


@dataclass
class _Progress:
    """Where a run stands, all of it JSON."""

    identity: str
    """What the run is known by."""
    epoch: int = 0
    step: int = 0
    sums: list[float] = field(default_factory=lambda: [0.0] * 5)
    """Of total, classification and consistency over the items of this epoch so far; then steps and items dropped."""
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
    *,
    identity: str,
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
        identity: what the run is known by; its checkpoints say so, and those of another run are refused.

    Returns:
        The history: one JSON object per epoch, as in `history.jsonl`. The weights are those of its `kept_epoch`.

    Raises:
        Interrupted: after a signal or at the deadline; everything is saved.
        UserError: where loss, gradients or weights are not finite, the disk is full, or processes that train together
            do not find the same checkpoint.
    """
    first_step = FirstStep(fabric.device)
    view_maker.front_end.to(fabric.device)
    if fabric.world_size > 1 and fabric.device.type == "cuda":  # the views of all processes share their statistics
        nn.SyncBatchNorm.convert_sync_batchnorm(network)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=plan.learning_rate(0), weight_decay=plan.weight_decay, fused=True
    )
    step_module, step_optimizer = fabric.setup(_Step(network, plan.objective), optimizer)
    restored = resume(folder, network, optimizer, identity, fabric)
    progress = _Progress(**restored.progress) if restored else _Progress(identity)
    best = restored.best if restored else {}
    if fabric.is_global_zero:
        _write_history(folder, progress.history)
    n_clips = len(clips.targets)
    classes = sampling_classes(clips.targets) if plan.draws_classes_equally else None
    steps_per_epoch = n_steps(n_clips, plan.items, plan.batch_size)
    step_module.train()
    clock = CheckpointClock()
    guessing = guessing_loss(plan, clips.targets, network.n_classes)
    finite_steps = FiniteSteps(network, optimizer, plan.drops_nonfinite, fabric)
    while progress.epoch < plan.n_epochs and not _first_says(is_settled(progress.history, plan.patience), fabric):
        started = time.perf_counter()
        weight, learning_rate = plan.consistency_weight(progress.epoch), plan.learning_rate(progress.epoch)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        batches = epoch_batches(n_clips, plan.items, plan.batch_size, plan.seed, progress.epoch, classes)
        sums = torch.tensor(progress.sums, dtype=torch.float64, device=fabric.device)
        finite_steps.begin(progress.step)
        look_into = partial(look_into_batch, folder, clips, view_maker, batches, plan.seed, progress.epoch)
        for batch in batches[progress.step :]:
            finite_steps.before_forward()
            losses, share = _forward(step_module, view_maker, clips, plan.seed, progress.epoch, batch, weight, fabric)
            fabric.backward(losses.total * share)
            bad = finite_steps.judge(losses)
            if fabric.device.type == "cpu":  # nothing is waited for
                finite_steps.refuse_bad(look_into)
            step_optimizer.step()
            step_optimizer.zero_grad()
            first_step.stop()
            sums += summands(losses, bad, share, len(batch.clips))
            progress.step += 1
            watch.on_step(progress.epoch * steps_per_epoch + progress.step, plan.n_epochs * steps_per_epoch)
            clock.did("step")
            is_due = clock.is_due_before("measurement" if progress.step == steps_per_epoch else "step")
            is_stopped, is_due = _each_anywhere([watch.is_stopped(), is_due and fabric.is_global_zero], fabric)
            if is_stopped:
                break
            if is_due:
                finite_steps.refuse_bad(look_into)
                check_weights(network, folder, progress.epoch, progress.step, fabric)
                so_far = dataclasses.replace(
                    progress,
                    sums=_mean_over_processes(sums, fabric),
                    duration_s=progress.duration_s + time.perf_counter() - started,
                )
                if fabric.is_global_zero:
                    save_checkpoint(folder, network, optimizer, vars(so_far), best)
                clock.saved()
        finite_steps.refuse_bad(look_into)
        check_weights(network, folder, progress.epoch, progress.step, fabric)
        progress.sums = _mean_over_processes(sums, fabric)
        measured = None
        if not _anywhere(watch.is_stopped(), fabric):
            # A measurement that a deadline cut short would be begun anew, and with short budgets never end.
            with fabric.autocast():
                measured = watch.measure(network, progress.epoch, watch.is_signaled)
            clock.did("measurement")
        duration_s = progress.duration_s + time.perf_counter() - started
        if _anywhere(measured is None, fabric) or measured is None:
            progress.duration_s = duration_s
            _save_and_leave(folder, network, optimizer, progress, best, watch, fabric)
        *of_losses, n_skipped, n_items_skipped = progress.sums
        if n_skipped == steps_per_epoch:
            raise all_dropped_error(progress.epoch, steps_per_epoch)
        n_items = n_clips * len(plan.items) - n_items_skipped
        total, classification, consistency = (value / n_items for value in of_losses)
        progress.history.append(
            {
                "epoch": progress.epoch,
                "learning_rate": learning_rate,
                "consistency_weight": weight,
                "loss": total,
                "classification": classification,
                "consistency": consistency,
                "n_steps": steps_per_epoch,
                **({"n_skipped": int(n_skipped)} if n_skipped else {}),
                "duration_s": round(duration_s, 3),
                **first_step.take_record(),
                **measured,
            }
        )
        if fabric.is_global_zero:
            warn_of_epoch(progress.history, guessing)
        is_best = plan.patience is not None and kept_epoch(progress.history, plan.patience) == progress.epoch
        if _first_says(is_best, fabric):
            best = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        progress = _Progress(progress.identity, progress.epoch + 1, history=progress.history)
        if fabric.is_global_zero:
            save_checkpoint(folder, network, optimizer, vars(progress), best)
            _write_history(folder, progress.history)
        clock.saved()
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
    return _each_anywhere([here], fabric)[0]


def _each_anywhere(here: list[bool], fabric: Fabric) -> list[bool]:
    """Ask of several things at once whether they are so in any process."""
    if fabric.world_size == 1:
        return here
    flags = fabric.all_reduce(torch.tensor(here, dtype=torch.float32, device=fabric.device), reduce_op="sum")
    assert isinstance(flags, Tensor)
    return [flag > 0 for flag in flags.tolist()]


def _first_says(so: bool, fabric: Fabric) -> bool:
    """Let the first process decide: what others measured may differ in its last bits."""
    return _anywhere(so and fabric.is_global_zero, fabric)


def _mean_over_processes(values: Float[Tensor, " value"], fabric: Fabric) -> list[float]:
    reduced = fabric.all_reduce(values, reduce_op="mean")
    assert isinstance(reduced, Tensor)
    return reduced.tolist()


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
    lines = [json.dumps(record, separators=(",", ":")) for record in history]
    write_text(folder / "history.jsonl", "".join(f"{line}\n" for line in lines))
