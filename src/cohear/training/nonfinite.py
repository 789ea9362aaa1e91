"""Steps whose loss or gradients are not finite: found without waiting for the device, and dropped where that is wanted.

What is known of them stays on the device until somebody asks; on a CPU that costs nothing, on a GPU it is asked where
the host waits anyway.

The clips of a bad step are named. Weights are looked at too before they are measured or saved.
"""

from contextlib import suppress

import numpy as np
import torch
import torch.distributed
from jaxtyping import Float32, Float64
from lightning_fabric import Fabric
from torch import Tensor, nn

from cohear.errors import UserError
from cohear.objectives import Losses
from cohear.training.batches import Batch
from cohear.training.inputs import TrainingClips
from cohear.training.together import anywhere
from cohear.views import ViewMaker

LOWER_RATE = "lower optimizer.learning_rate and train under another --out"
"""What helps where numbers grew beyond all bounds; the folder of a run is kept for its own settings."""


class FiniteSteps:
    """Judge every step of an epoch between its backward pass and the optimizer's step.

    A dropped step leaves weights, moments, batch-norm statistics and sums as they were before it.

    Args:
        network: on the device, its layers final.
        optimizer: fused AdamW, which takes no step where its `found_inf` is 1.
        drops: whether steps that are not finite are dropped; else they are only found.
        fabric: of several processes, all come to the same judgement.
    """

    def __init__(self, network: nn.Module, optimizer: torch.optim.Optimizer, drops: bool, fabric: Fabric) -> None:
        self._parameters = list(network.parameters())
        self._statistics = list(network.buffers()) if drops else []
        self._before: list[Tensor] = []
        self._optimizer, self._drops, self._fabric = optimizer, drops, fabric
        self.begin(0)

    def begin(self, step: int) -> None:
        """Forget earlier steps; the next one is `step` of its epoch."""
        device = self._fabric.device
        self._step = torch.full((), step, dtype=torch.int64, device=device)
        self._first = torch.full((), -1, dtype=torch.int64, device=device)
        self._losses = torch.zeros(len(Losses._fields), dtype=torch.float64, device=device)

    def before_forward(self) -> None:
        """Remember what a forward pass changes: the batch-norm statistics."""
        self._before = [statistic.clone() for statistic in self._statistics]

    def judge(self, losses: Losses) -> Float32[Tensor, ""]:
        """Say, on the device, whether the step is bad: 1 where its losses or gradients are not finite, else 0.

        The optimizer will not take a bad one; where steps are dropped, the statistics are put back too.
        """
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        largest = torch.nn.utils.get_total_norm(gradients, norm_type=float("inf"))
        values = torch.stack([loss.detach().double() for loss in losses])
        bad = (~(values.isfinite().all() & largest.isfinite())).float()
        if self._fabric.world_size > 1:  # gradients are those of all, losses are not
            torch.distributed.all_reduce(bad, torch.distributed.ReduceOp.MAX)  # fabric's has a barrier before it
        is_first = (bad > 0) & (self._first < 0)
        self._first = torch.where(is_first, self._step, self._first)
        self._losses = torch.where(is_first, values, self._losses)
        self._step = self._step + 1
        self._optimizer.found_inf = bad  # type: ignore[attr-defined]  # what a GradScaler gives a fused optimizer
        if self._drops:
            for statistic, before in zip(self._statistics, self._before, strict=True):
                statistic.copy_(torch.where(bad > 0, before, statistic))
        return bad

    def first_bad(self) -> tuple[int, Losses] | None:
        """Return the first bad step since `begin` and its losses, None where all are good; waits for the device."""
        step = int(self._first)
        return None if step < 0 else (step, Losses(*self._losses))


def summands(losses: Losses, bad: Float32[Tensor, ""], share: float, n_items: int) -> Float64[Tensor, "5"]:
    """Return what a step adds to the sums of its epoch: losses over its items; then steps and items dropped.

    Args:
        losses: of the step, means over this process's items.
        bad: 1 where the step is dropped, else 0.
        share: of this process in the step, times the number of processes.
        n_items: of the step.
    """
    sums = torch.stack(losses).detach().double() * (share * n_items)
    return torch.cat((torch.where(bad > 0, 0.0, sums), torch.stack((bad, bad * n_items)).double()))


def check_weights(network: nn.Module, epoch: int, step: int, fabric: Fabric) -> None:
    """Refuse to measure or save a network that is no longer finite, though losses and gradients were.

    Weights become so by the step itself; batch-norm statistics by activations that are finite and have no finite
    variance.

    Args:
        network: trained so far.
        epoch: counted from 0.
        step: how many steps of it are done.
        fabric: of several processes, whose statistics may differ, all come to the same judgement.

    Raises:
        UserError: where that is so.
    """
    tensors = [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]
    is_bad = torch.stack([~tensor.isfinite().all() for tensor in tensors]).any()
    if anywhere([bool(is_bad)], fabric)[0]:
        raise UserError(
            f"weights or batch-norm statistics are no longer finite in epoch {epoch + 1}, after step "
            f"{step}; the last checkpoint, where there is one, is as it was: {LOWER_RATE}"
        )


def nonfinite_error(
    clips: TrainingClips, view_maker: ViewMaker, batch: Batch, seed: int, epoch: int, step: int, losses: Losses
) -> UserError:
    """Word that a step was not finite, and name the clips whose spectrograms are not finite, or else all of its clips.

    To find them the batch is made again, clip by clip: everything is a function of seed, epoch and step.

    Args:
        clips: what is trained on.
        view_maker: made the views.
        batch: of the step.
        seed: of the run.
        epoch: counted from 0.
        step: of the epoch, counted from 0.
        losses: of the step.
    """
    what = "gradients are" if all(bool(loss.isfinite()) for loss in losses) else "loss is"
    ids, unsound = [clips.ids[row] for row in batch.clips.tolist()], []
    with suppress(UserError):  # a disk in trouble shall not hide which step it was
        for place, name in enumerate(ids):
            if not clips.make_views(view_maker, batch.take(np.array([place])), seed, epoch).isfinite().all():
                unsound.append(name)
    named = list(dict.fromkeys(unsound or ids))
    listed = ", ".join(f"'{name}'" for name in named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
    whose = "whose spectrograms are not finite" if unsound else "whose spectrograms are finite"
    return UserError(
        f"the {what} not finite in epoch {epoch + 1}, step {step + 1}, with the clips {listed}, {whose}; "
        f"the last checkpoint, where there is one, is as it was: look for damaged clips, {LOWER_RATE}, or go on "
        "without such steps by --on-nonfinite skip (`cohear train` needs --resume too)"
    )
