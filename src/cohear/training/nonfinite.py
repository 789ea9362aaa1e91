"""Steps whose loss or gradients are not finite: found without waiting for the device, and dropped where that is wanted.

What is known of them stays on the device until somebody asks; on a CPU that costs nothing, on a GPU it is asked where
the host waits anyway.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float32, Float64
from lightning_fabric import Fabric
from torch import Tensor, nn

from cohear.errors import UserError
from cohear.objectives import Losses
from cohear.training.checkpoint_files import checkpoint_paths

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

        Where steps are dropped, the optimizer will not take this one, and the statistics are put back.
        """
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        largest = torch.nn.utils.get_total_norm(gradients, norm_type=float("inf"))
        values = torch.stack([loss.detach().double() for loss in losses])
        bad = (~(values.isfinite().all() & largest.isfinite())).float()
        if self._fabric.world_size > 1:  # gradients are those of all, losses are not
            bad = self._fabric.all_reduce(bad, reduce_op="max")
        assert isinstance(bad, Tensor)
        is_first = (bad > 0) & (self._first < 0)
        self._first = torch.where(is_first, self._step, self._first)
        self._losses = torch.where(is_first, values, self._losses)
        self._step = self._step + 1
        if self._drops:
            self._optimizer.found_inf = bad  # type: ignore[attr-defined]  # what a GradScaler gives a fused optimizer
            for statistic, before in zip(self._statistics, self._before, strict=True):
                statistic.copy_(torch.where(bad > 0, before, statistic))
        return bad

    def refuse_bad(self, look_into: Callable[[int, Losses], UserError]) -> None:
        """End the run where a step was bad and none is dropped; the host waits for the device.

        Args:
            look_into: makes the sentence of a step of this epoch and its losses.

        Raises:
            UserError: that one.
        """
        if not self._drops and (step := int(self._first)) >= 0:
            raise look_into(step, Losses(*self._losses))


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


def kept_text(folder: Path) -> str:
    """Say of a run that ends that its last checkpoint is as it was, where there is one.

    A disk that does not tell is no reason to leave out what the sentence is about: that is said instead.
    """
    try:
        return ", and the last checkpoint is as it was" if checkpoint_paths(folder) else ""
    except UserError as error:
        return f", and whether there is a checkpoint is not known ({error})"


def check_weights(network: nn.Module, folder: Path, epoch: int, step: int, fabric: Fabric) -> None:
    """Refuse to measure or save a network that is no longer finite, though losses and gradients were.

    Weights become so by the step itself; batch-norm statistics by activations that are finite and have no finite
    variance.

    Args:
        network: trained so far.
        folder: of the run.
        epoch: counted from 0.
        step: how many steps of it are done.
        fabric: of several processes, whose statistics may differ, all come to the same judgement.

    Raises:
        UserError: where that is so.
    """
    weights = {name for name, _ in network.named_parameters()}
    bad = torch.zeros(2, device=fabric.device)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            bad[0 if name in weights else 1] += ~tensor.isfinite().all()
    if fabric.world_size > 1:
        reduced = fabric.all_reduce(bad, reduce_op="max")
        assert isinstance(reduced, Tensor)
        bad = reduced
    of_weights, of_statistics = bad.tolist()
    if of_weights or of_statistics:
        raise UserError(
            f"the {'weights' if of_weights else 'batch-norm statistics'} are no longer finite in epoch {epoch}, after "
            f"step {step - 1}, both counted from 0{kept_text(folder)}: {LOWER_RATE}"
        )


def all_dropped_error(epoch: int, n_steps: int) -> UserError:
    """Word that an epoch trained nothing."""
    return UserError(
        f"the loss or its gradients were not finite in every one of the {n_steps} steps of epoch {epoch}, and all were "
        f"dropped; {LOWER_RATE}, or leave out --on-nonfinite skip (`cohear train` then needs --resume) to see clips "
        "and views of such a step"
    )


def dropped_warning(history: Sequence[dict[str, Any]]) -> str | None:
    """Say how many steps were dropped and in which epochs; None where none was.

    Example:
        >>> dropped_warning([{"epoch": 0, "n_steps": 9}, {"epoch": 1, "n_steps": 9, "n_skipped": 2}])
        'the loss or its gradients were not finite in 2 of 18 steps, which were dropped (epoch 1)'
    """
    epochs = [record for record in history if record.get("n_skipped")]
    if not epochs:
        return None
    n_dropped, n_steps = sum(r["n_skipped"] for r in epochs), sum(r["n_steps"] for r in history)
    numbers = [str(record["epoch"]) for record in epochs]
    listed = ", ".join(numbers[:10]) + (f" and {len(numbers) - 10} more" if len(numbers) > 10 else "")
    return (
        f"the loss or its gradients were not finite in {n_dropped} of {n_steps} steps, which were dropped "
        f"(epoch{'s' * (len(numbers) > 1)} {listed})"
    )
