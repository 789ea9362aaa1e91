"""What training receives: clips, a schedule, and somebody who looks on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int64, UInt64
from torch import Tensor, nn

from cohear.data.kept_log_mels import KeptLogMels
from cohear.kept_views import ViewPool, hear
from cohear.metrics.tasks import Targets
from cohear.objectives import ClassificationObjective
from cohear.runtime.interrupts import StopRequest
from cohear.training.batches import Batch, Items
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
    ids: Sequence[str]
    """How people know them."""
    n_classes: int
    """K, of which some may have no clips here."""
    kept: KeptLogMels | None = None
    """Log-mels that are made once, by row of `facts`; None: all are made anew."""
    pool: ViewPool | None = None
    """Where the views come from, by row of `facts`; None: they are made."""

    def make_views(
        self, view_maker: ViewMaker, batch: Batch, seed: int, epoch: int
    ) -> Float[Tensor, "view batch band frame"]:
        """Return what a network hears of a batch: the same whenever, and beside whatever other clips, it is made."""
        clip_keys, facts = self.clip_keys[batch.clips], self.facts.take(batch.clips)
        if self.pool is not None:
            assert facts.rows is not None
            return self.pool.draw(facts.rows, batch.views, clip_keys, seed, epoch)
        cell_keys = view_keys(seed, epoch, clip_keys, batch.views)
        if self.kept is None:
            return view_maker.make(self.read(batch.clips), batch.views, cell_keys, facts).inputs
        clips = batch.clips
        return hear(view_maker, self.kept, lambda places: self.read(clips[places]), batch.views, cell_keys, facts)


@dataclass(frozen=True)
class Schedule:
    """How weights are found; schedules are functions of the epoch, counted from 0."""

    items: Items
    objective: ClassificationObjective
    n_epochs: int
    batch_size: int
    """Signals in a batch, counting every view."""
    seed: int
    learning_rate: Callable[[float], float]
    """Asked before each step: of its time in epochs, as 2.5 halfway through the third."""
    consistency_weight: Callable[[int], float]
    weight_decay: float
    layer_decay: float = 1.0
    """By which the learning rate of a block is that of the block after it times."""
    averaging_epochs: float = 0.0
    """Over which weights are averaged (`averaging`); 0: they are not."""
    mixup: float = 0.0
    """Concentration of the shares by which two clips are mixed (`mixup`); 0: none is."""
    draws_classes_equally: bool = False
    """Whether each class is drawn equally often; else each clip once an epoch."""
    patience: int | None = None
    """Epochs without a lower `validation_nll`, which the watch measures, after which training stops and goes back to
    its best epoch; None: never."""
    drops_nonfinite: bool = False
    """Whether steps whose loss or gradients are not finite are dropped and counted; else the first one ends the run."""


@dataclass
class Watch:
    """Who looks on while training goes on."""

    measure: Callable[[nn.Module, int, Callable[[], bool]], dict[str, float] | None]
    """Called with network, epoch and should_stop after each epoch; what it returns joins the history. None, of several
    processes in all, where it was stopped."""
    on_step: Callable[[int, int], None] = lambda _done, _total: None
    """Called with steps done and steps in all."""
    stop: StopRequest = field(default_factory=StopRequest)
