"""The loop: one for every method, precision and number of devices.

It receives objects, never configurations, and knows nothing of methods: what differs between them arrives as items,
objective and weight. Every step is a function of (seed, epoch, step), so a run resumed from any checkpoint takes the
same steps as one that was never stopped.
"""

import signal
import time
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import torch
from jaxtyping import Float, Int64
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn.functional import one_hot

from cohear import keys
from cohear.errors import UserError
from cohear.models.network import parameter_groups
from cohear.objectives import ClassificationObjective, Losses
from cohear.runtime.interrupts import Interrupted
from cohear.tensors import on_device
from cohear.training.batches import Batch, epoch_batches, n_steps, sampling_classes
from cohear.training.checkpoints import CheckpointClock, resume, save_checkpoint
from cohear.training.history import guessing_loss, is_settled, kept_epoch, warn_of_epoch, write_history
from cohear.training.inputs import Schedule, TrainingClips, Watch
from cohear.training.nonfinite import LOWER_RATE, FiniteSteps, check_weights, nonfinite_error, summands
from cohear.training.together import AfterSteps, anywhere, mean_over_processes, share_statistics, synchronize_batch_norm
from cohear.views import ViewMaker

if TYPE_CHECKING:
    from cohear.training.averaging import WeightAverage
    from cohear.training.mixup import Mixture


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

    def __init__(self, network: nn.Module, objective: ClassificationObjective) -> None:
        super().__init__()
        self.network, self.objective = network, objective

    def forward(
        self,
        log_mels: Float[Tensor, "view batch band frame"],
        targets: Int64[Tensor, " batch"] | Float[Tensor, "batch label"],
        weight: float,
    ) -> Losses:
        network: Any = self.network
        embeddings = network.embed(log_mels)
        return self.objective(network.classify(embeddings), targets, weight, embeddings)


def train(
    network: nn.Module,
    view_maker: ViewMaker,
    clips: TrainingClips,
    schedule: Schedule,
    folder: Path,
    fabric: Fabric,
    watch: Watch,
    *,
    identity: str,
) -> list[dict[str, Any]]:
    """Train a network in place, from its checkpoint in `folder` if there is one.

    Args:
        network: already initialized: `embed` makes features of log-mels `[..., band, frame]`, and `classify` logits
            `[..., label]` of these.
        view_maker: makes the views of a batch; its front end is moved to the device.
        clips: what to train on.
        schedule: how.
        folder: where `checkpoint/` and `history.jsonl` go.
        fabric: device and precision, launched.
        watch: who looks on.
        identity: what the run is known by; its checkpoints say so, and those of another run are refused.

    Returns:
        The history: one JSON object per epoch, as in `history.jsonl`. The weights are those after its `kept_epoch`, or
        the average up to then.

    Raises:
        Interrupted: after a signal or at the deadline; everything is saved.
        UserError: where loss, gradients or weights are not finite, the disk is full, or no checkpoint can be used.
    """
    training = _Training(network, view_maker, clips, schedule, folder, fabric, watch, identity)
    gpus = [fabric.device] if fabric.device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):  # of which each step draws dropout
        while training.goes_on():
            training.make_epoch()
    network.load_state_dict(training.best or training.kept_state())
    return training.progress.history


@dataclass
class _Training:
    """A training that was begun, or is gone on with: what `train` was given, and where it stands."""

    network: nn.Module
    view_maker: ViewMaker
    clips: TrainingClips
    schedule: Schedule
    folder: Path
    fabric: Fabric
    watch: Watch
    identity: str

    def __post_init__(self) -> None:
        network, clips, schedule, fabric = self.network, self.clips, self.schedule, self.fabric
        self.view_maker.to(fabric.device)
        if fabric.world_size > 1 and fabric.device.type == "cuda":
            synchronize_batch_norm(network)
        groups = parameter_groups(network, schedule.layer_decay)
        self.optimizer = torch.optim.AdamW(
            groups, lr=schedule.learning_rate(0), weight_decay=schedule.weight_decay, fused=True
        )
        self.step_module, self.step_optimizer = fabric.setup(_Step(network, schedule.objective), self.optimizer)
        restored = resume(self.folder, network, self.optimizer, self.identity, fabric)
        self.progress = _Progress(**restored.progress) if restored else _Progress(self.identity)
        self.best = restored.best if restored else {}
        """The network's state after its best epoch, where it may go back to it."""
        self.steps_per_epoch = n_steps(len(clips.targets), schedule.items, schedule.batch_size)
        self.average = self._begin_average(restored.average if restored else {})
        self.classes = sampling_classes(clips.targets) if schedule.draws_classes_equally else None
        self.guessing = guessing_loss(schedule, clips.targets)
        self.drops_out = any("Drop" in type(module).__name__ for module in network.modules())
        self.finite_steps = FiniteSteps(network, self.optimizer, schedule.drops_nonfinite, fabric)
        self.after_steps, self.clock = AfterSteps(fabric), CheckpointClock()
        self.step_module.train()
        if fabric.is_global_zero:
            write_history(self.folder, self.progress.history)

    def _begin_average(self, state: dict[str, Tensor]) -> "WeightAverage | None":
        if not self.schedule.averaging_epochs:
            return None
        from cohear.training.averaging import WeightAverage  # few trainings want one

        return WeightAverage(self.network, self.schedule.averaging_epochs * self.steps_per_epoch, state)

    def goes_on(self) -> bool:
        """Whether another epoch is to be made."""
        is_over = self.fabric.broadcast(is_settled(self.progress.history, self.schedule.patience))
        return self.progress.epoch < self.schedule.n_epochs and not is_over

    def kept_state(self) -> dict[str, Tensor]:
        """Return the network's state that is measured and kept."""
        return self.average.state if self.average else self.network.state_dict()

    def make_epoch(self) -> None:
        """Make the steps of an epoch that are not made yet, measure, and save.

        Raises:
            Interrupted: where somebody asked; everything is saved.
            UserError: as `train`.
        """
        self.epoch_began, epoch, schedule = time.perf_counter(), self.progress.epoch, self.schedule
        self.weight = schedule.consistency_weight(epoch)
        n_clips = len(self.clips.targets)
        self.batches = epoch_batches(n_clips, schedule.items, schedule.batch_size, schedule.seed, epoch, self.classes)
        self.sums = torch.tensor(self.progress.sums, dtype=torch.float64, device=self.fabric.device)
        self.finite_steps.begin(self.progress.step)
        is_stopped = self._make_steps()
        self._check_finite()
        is_due = self.clock.is_due_before("measurement") and self.fabric.is_global_zero
        is_stopped, is_due = anywhere([is_stopped or self.watch.stop.is_made, is_due], self.fabric)
        if is_due and not is_stopped:
            self._save(self._so_far())
        # A measurement that a deadline cut short would be begun anew, and with short budgets never end.
        measured = None if is_stopped else self._measure()
        so_far = self._so_far()
        if measured is None:
            self._save_and_leave(so_far)
        self._end_epoch(so_far, measured)

    def _make_steps(self) -> bool:
        """Make the steps of the epoch; whether somebody asked to stop before the last one."""
        asked = [False, False]
        while self.progress.step < len(self.batches) and not asked[0]:
            if asked[1]:
                self._check_finite()
                self._save(self._so_far())
                asked = self.after_steps.forget() or asked  # several processes had asked once more before it
                if asked[0]:
                    break
            self._make_step(self.batches[self.progress.step])
            done = self.progress.epoch * self.steps_per_epoch + self.progress.step
            self.watch.on_step(done, self.schedule.n_epochs * self.steps_per_epoch)
            self.clock.did("step")
            is_due = self.clock.is_due_before("step") and self.fabric.is_global_zero
            asked = self.after_steps.ask([self.watch.stop.is_made, is_due])
        of_last_step = self.after_steps.forget()
        return asked[0] or (of_last_step is not None and of_last_step[0])

    def _learning_rate(self, step: int) -> float:
        return self.schedule.learning_rate(self.progress.epoch + step / self.steps_per_epoch)

    def _make_step(self, batch: Batch) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * self._learning_rate(self.progress.step)
        self.finite_steps.before_forward()
        schedule, epoch, mixture = self.schedule, self.progress.epoch, None
        if self.drops_out:
            place = keys.fold_in(keys.fold_in(keys.key(schedule.seed, "dropout"), epoch), self.progress.step)
            torch.manual_seed(int(keys.fold_in(place, self.fabric.global_rank) >> np.uint64(1)))
        if schedule.mixup:
            from cohear.training.mixup import draw_mixture  # which others need not wait for

            mixture = draw_mixture(schedule.seed, epoch, self.progress.step, len(batch.clips), schedule.mixup)
        losses, share = _forward(
            self.step_module, self.view_maker, self.clips, schedule.seed, epoch, batch, self.weight, self.fabric,
            mixture,
        )  # fmt: skip
        self.fabric.backward(losses.total * share)
        bad = self.finite_steps.judge(losses)
        if self.fabric.device.type == "cpu":  # nothing is waited for
            self._refuse_bad()
        self.step_optimizer.step()
        self.step_optimizer.zero_grad()
        if self.average:
            self.average.update(epoch * self.steps_per_epoch + self.progress.step, bad)
        self.sums += summands(losses, bad, share, len(batch.clips))
        self.progress.step += 1

    def _refuse_bad(self) -> None:
        if not self.schedule.drops_nonfinite and (bad := self.finite_steps.first_bad()):
            step, losses = bad
            epoch, batch = self.progress.epoch, self.batches[step]
            raise nonfinite_error(self.clips, self.view_maker, batch, self.schedule.seed, epoch, step, losses)

    def _check_finite(self) -> None:
        """Refuse to measure or save what is not finite; the host waits for the device."""
        self._refuse_bad()
        check_weights(self.network, self.progress.epoch, self.progress.step, self.fabric)

    def _measure(self) -> dict[str, float] | None:
        share_statistics(self.network.buffers(), self.fabric)
        if self.average:
            share_statistics(self.average.statistics, self.fabric)
        asked = self.watch.stop
        with self.average.in_place() if self.average else nullcontext(), self.fabric.autocast():
            measured = self.watch.measure(self.network, self.progress.epoch, lambda: asked.signal_number is not None)
        self.clock.did("measurement")
        return measured

    def _so_far(self) -> _Progress:
        """Return where the epoch stands; all processes must ask."""
        duration_s = self.progress.duration_s + time.perf_counter() - self.epoch_began
        return replace(self.progress, sums=mean_over_processes(self.sums, self.fabric), duration_s=duration_s)

    def _save(self, progress: _Progress) -> None:
        if self.fabric.is_global_zero:
            average = self.average.state if self.average else {}
            save_checkpoint(self.folder, self.network, self.optimizer, vars(progress), self.best, average)
        self.clock.saved()

    def _save_and_leave(self, progress: _Progress) -> NoReturn:
        self._save(progress)
        asked = self.watch.stop
        raise Interrupted(
            f"stopped in epoch {progress.epoch + 1} after step {progress.step}, everything is saved",
            asked.signal_number if asked.is_made else signal.SIGINT,  # another process was asked
        )

    def _end_epoch(self, done: _Progress, measured: dict[str, float]) -> None:
        """Add the epoch to the history, keep its weights where they are the best so far, and save."""
        *of_losses, n_skipped, n_items_skipped = done.sums
        if n_skipped == self.steps_per_epoch:
            raise UserError(
                f"every one of the {self.steps_per_epoch} steps of epoch {done.epoch + 1} was dropped, as its loss or "
                f"its gradients were not finite; {LOWER_RATE}, or leave out --on-nonfinite skip to see the clips of one"
            )
        n_items = len(self.clips.targets) * self.schedule.items.n_per_clip - n_items_skipped
        total, classification, consistency = (value / n_items for value in of_losses)
        record = {
            "epoch": done.epoch + 1,
            "learning_rate": self._learning_rate(self.steps_per_epoch - 1),
            "consistency_weight": self.weight,
            "loss": total,
            "classification": classification,
            "consistency": consistency,
            "n_steps": self.steps_per_epoch,
            **({"n_skipped": int(n_skipped)} if n_skipped else {}),
            "duration_s": round(done.duration_s, 3),
            **measured,
        }
        history = [*done.history, record]
        if self.fabric.is_global_zero:
            warn_of_epoch(history, self.guessing)
        is_best = self.schedule.patience is not None and kept_epoch(history, self.schedule.patience) == record["epoch"]
        if self.fabric.broadcast(is_best):  # the first process says so, all must agree
            self.best = {name: tensor.clone() for name, tensor in self.kept_state().items()}
        self.progress = _Progress(done.identity, done.epoch + 1, history=history)
        self._save(self.progress)
        if self.fabric.is_global_zero:
            write_history(self.folder, history)


def _forward(
    step_module: nn.Module,
    view_maker: ViewMaker,
    clips: TrainingClips,
    seed: int,
    epoch: int,
    batch: Batch,
    weight: float,
    fabric: Fabric,
    mixture: "Mixture | None" = None,
) -> tuple[Losses, float]:
    """Compute this process's part of a step, and the part's share of the batch times the number of processes.

    Gradients are averaged over processes; a process with n of B items therefore weighs its mean by n W / B. One
    without items takes a clip with share 0, since every process must join the exchange.
    """
    mine = np.array_split(np.arange(len(batch.clips)), fabric.world_size)[fabric.global_rank]
    share = len(mine) * fabric.world_size / len(batch.clips)
    mine = mine if len(mine) else np.array([0])
    part = batch.take(mine if mixture is None else mixture.needs(mine))
    log_mels = clips.make_views(view_maker, part, seed, epoch)
    targets = on_device(clips.targets[part.clips], fabric.device)
    if mixture is not None:
        log_mels = mixture.mix(log_mels.flatten(2), mine).unflatten(2, log_mels.shape[2:])
        of_each = targets if targets.ndim == 2 else one_hot(targets, clips.n_classes).float()
        targets = mixture.mix(of_each, mine)
    return step_module(log_mels, targets, weight), share
