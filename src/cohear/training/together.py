"""How processes that train one network decide together, so that all do the same at the same step.

Nothing here makes a process wait for its device within an epoch: what is asked after each step goes from host to host,
beside the gradients, and is known one step later, when it has long arrived.
"""

from collections.abc import Iterable

import torch
import torch.distributed
from jaxtyping import Float
from lightning_fabric import Fabric
from torch import Tensor, nn


class AfterSteps:
    """Ask after each step whether things are so in any process.

    One process knows at once. Several know of a step at the end of the next one: each host says what it has to say and
    goes on; it waits for nobody who is less than a step behind.

    Args:
        fabric: launched; all its processes must ask after the same steps.
    """

    def __init__(self, fabric: Fabric) -> None:
        # Messages of hosts, since to read those of GPUs would be to wait for all that is queued there.
        self._group = torch.distributed.new_group(backend="gloo") if fabric.world_size > 1 else None
        self._sent: tuple[Tensor, torch.distributed.Work] | None = None

    def ask(self, here: list[bool]) -> list[bool]:
        """Say what is so here, and hear what was so anywhere, of several processes one step ago."""
        if self._group is None:
            return here
        heard = self.forget() or [False] * len(here)
        flags = torch.tensor(here, dtype=torch.int64)
        work = torch.distributed.all_reduce(flags, torch.distributed.ReduceOp.MAX, group=self._group, async_op=True)
        assert work is not None
        self._sent = flags, work
        return heard

    def forget(self) -> list[bool] | None:
        """Return what was asked last, and ask anew from the next step on."""
        sent, self._sent = self._sent, None
        if sent is None:
            return None
        sent[1].wait()
        return [flag > 0 for flag in sent[0].tolist()]


def anywhere(here: list[bool], fabric: Fabric) -> list[bool]:
    """Ask whether things are so in any process; all wait for each other, as they do at the end of an epoch anyway."""
    if fabric.world_size == 1:
        return here
    flags = fabric.all_reduce(torch.tensor(here, dtype=torch.float32, device=fabric.device), reduce_op="sum")
    assert isinstance(flags, Tensor)
    return [flag > 0 for flag in flags.tolist()]


def mean_over_processes(values: Float[Tensor, " value"], fabric: Fabric) -> list[float]:
    """Return the mean of each value over all processes."""
    reduced = fabric.all_reduce(values, reduce_op="mean")
    assert isinstance(reduced, Tensor)
    return reduced.tolist()


def share_statistics(statistics: Iterable[Tensor], fabric: Fabric) -> None:
    """Give all processes the batch-norm statistics of the first, which its checkpoints hold."""
    if fabric.world_size > 1:
        for statistic in statistics:
            torch.distributed.broadcast(statistic, src=0)


def synchronize_batch_norm(network: nn.Module) -> None:
    """Let the batch norms of all processes on GPUs use the statistics of the whole batch.

    Plain ones alone: torch would put the same layer in place of any class derived from them, and what that class does
    beside, as the activation in timm's `BatchNormAct2d`, would be lost. Those keep the statistics of their process.
    """
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if type(layer) is nn.BatchNorm2d:
                setattr(parent, name, nn.SyncBatchNorm.convert_sync_batchnorm(layer))
