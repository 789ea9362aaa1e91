"""What a network says of views that stay the same, and the numbers that follow.

Every measurement of every run sees the same views of a clip: their keys come from a seed of their own, not the run's,
so that numbers compare between methods, seeds and epochs.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

from cohear import keys
from cohear.data.store import Store
from cohear.errors import UserError
from cohear.kept_views import ViewPool
from cohear.metrics.tasks import Targets, Task
from cohear.objectives import LIKELIHOODS
from cohear.transforms import ClipFacts
from cohear.views import ViewMaker, view_keys

if TYPE_CHECKING:
    from lightning_fabric import Fabric

EVALUATION_SEED = keys.hash_text("evaluation views")
N_VIEWS = 3
"""The clean clip and two transformed views, as in Figure 1 of Iqbal et al. 2021."""
BATCH_CLIPS = 16
CACHE_BYTES = 2 * 2**30
"""Log-mels of a clip set are kept in memory between measurements up to this size."""


def clip_facts(store: Store, rows: Int64[np.ndarray, " clip"]) -> ClipFacts:
    """Say what transforms may know of some clips of a store."""
    return ClipFacts(rows, store.sound_lengths[rows])


class FixedViews:
    """The evaluation views of some clips of a store, made on first use.

    Args:
        store: what the clips are.
        rows: which clips.
        view_maker: transform and front end.
        read: rows of the store to waveforms on the device where the views are wanted.
        n_views: counting the clean one; 1 gives clean clips only.
        pool: where views lie that are made once for all runs; None: each object makes its own.
    """

    def __init__(
        self,
        store: Store,
        rows: Int64[np.ndarray, " clip"],
        view_maker: ViewMaker,
        read: Callable[[Int64[np.ndarray, " batch"]], Float32[Tensor, "batch time"]],
        n_views: int = N_VIEWS,
        pool: ViewPool | None = None,
    ) -> None:
        self.n_views, self._pool = n_views, pool
        self._store, self._rows, self._view_maker, self._read = store, rows, view_maker, read
        self._cache: dict[int, Float[Tensor, "view batch band frame"]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def n_batches(self) -> int:
        """Batches that hold all clips in order."""
        return math.ceil(len(self) / BATCH_CLIPS)

    def places(self, number: int) -> slice:
        """Return which of the clips a batch holds."""
        return slice(number * BATCH_CLIPS, (number + 1) * BATCH_CLIPS)

    def batch(self, number: int) -> Float[Tensor, "view batch band frame"]:
        """Return the log-mels of a batch, counted from 0."""
        if number not in self._cache:
            rows = self._rows[self.places(number)]
            made = self._make(rows)
            if made.nbytes / len(rows) * len(self) > CACHE_BYTES:
                return made
            self._cache[number] = made
        return self._cache[number]

    def _make(self, rows: Int64[np.ndarray, " batch"]) -> Float[Tensor, "view batch band frame"]:
        clip_keys, facts = self._store.clip_keys[rows], clip_facts(self._store, rows)
        if self._pool is not None:
            return self._pool.take(rows, self._read, clip_keys, facts)
        views = np.repeat(np.arange(self.n_views)[:, None], len(rows), axis=1)
        cell_keys = view_keys(EVALUATION_SEED, 0, clip_keys, views)
        return self._view_maker.make(self._read(rows), views, cell_keys, facts).inputs


@dataclass(frozen=True)
class Answers:
    """What a network says of every view of every clip."""

    logits: Float[np.ndarray, "view clip label"]
    """Before any temperature."""
    log_probabilities: Float[np.ndarray, "view clip label"]
    """Of one distribution per clip, or of each label by itself."""
    jsd: Float[np.ndarray, " clip"]
    """Divergence over the views of each clip, nats."""


@dataclass(frozen=True)
class Scores:
    """How good and how consistent the answers are, means over clips."""

    accuracy: float
    """Of the clean view, 0 to 1; of any number of labels all must be right."""
    nll: float
    """Negative log-likelihood of the clean view, nats; of any number of labels the mean over them."""
    jsd: float
    """Jensen-Shannon divergence over the views, nats."""


class NotFiniteError(UserError):
    """A network's answers are no numbers; whoever knows the clips and whose the weights are says so in its place.

    Args:
        network: which answered.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__(
            "the network answers with NaN or infinite numbers: its weights or temperature are damaged or have grown "
            "too large, so train it again, with a lower optimizer.learning_rate"
        )
        self.network = network


def check_answers(answers: Float[Tensor, "*axes"], network: nn.Module) -> None:
    """Refuse answers that are no numbers: finite weights can be so large that what they make of a clip is not.

    Args:
        answers: logits, log-probabilities or divergences.
        network: which answered.

    Raises:
        NotFiniteError: where that is so.
    """
    if not answers.isfinite().all():
        raise NotFiniteError(network)


@torch.no_grad()
def answer(
    network: nn.Module,
    views: FixedViews,
    task: Task,
    should_stop: Callable[[], bool] = lambda: False,
    fabric: "Fabric | None" = None,
) -> Answers | None:
    """Ask a network, in eval mode, about every view; its mode is put back afterwards.

    Args:
        network: log-mels `[..., band, frame]` to logits `[..., label]`.
        views: what to ask about.
        task: how the network was trained to answer.
        should_stop: asked before each batch; where it says yes, in any process, the result is None in all.
        fabric: of several processes with equal networks that all call this; each is asked about some batches, and all
            get the answers to all. None: this process answers alone.

    Raises:
        NotFiniteError: where an answer is not finite.
    """
    likelihood = LIKELIHOODS[task.likelihood]
    rank, n_processes = (fabric.global_rank, fabric.world_size) if fabric else (0, 1)
    logits: list[Tensor] = []
    was_training, is_stopped = network.training, False
    network.eval()
    try:
        for number in range(rank, views.n_batches, n_processes):
            if is_stopped := should_stop():
                break
            logits.append(network(views.batch(number)))
    finally:
        network.train(was_training)
    if fabric is not None and n_processes > 1:
        together = _from_all(logits, is_stopped, views, fabric)
    else:
        together = None if is_stopped else torch.cat(logits, 1)
    if together is None:
        return None
    log_probabilities, jsd = likelihood.log_probabilities(together), likelihood.jensen_shannon_divergence(together)
    check_answers(log_probabilities, network)
    check_answers(jsd, network)
    return Answers(*(values.float().cpu().numpy() for values in (together, log_probabilities, jsd)))


def _from_all(logits: list[Tensor], is_stopped: bool, views: FixedViews, fabric: "Fabric") -> Tensor | None:
    """Put together what processes answered to their batches; None where one of them was stopped.

    Each lays what it has into zeros of the size of all, and the sum is everybody's. A process without a batch does not
    know how many labels there are, so that is asked for first, together with whether any was stopped.
    """
    facts = torch.tensor([is_stopped, logits[0].shape[-1] if logits else 0], device=fabric.device)
    any_stopped, n_labels = _reduced(facts, "max", fabric).tolist()
    if any_stopped:
        return None
    together = torch.zeros(views.n_views, len(views), n_labels, device=fabric.device)
    for place, of_batch in enumerate(logits):
        together[:, views.places(fabric.global_rank + place * fabric.world_size)] = of_batch.float()
    return _reduced(together, "sum", fabric)


def _reduced(values: Tensor, how: Literal["max", "sum"], fabric: "Fabric") -> Tensor:
    reduced = fabric.all_reduce(values, reduce_op=how)
    assert isinstance(reduced, Tensor)
    return reduced


def score(answers: Answers, targets: Targets, task: Task) -> Scores:
    """Compute the mean numbers of some answers.

    Args:
        answers: of all views, the clean one first.
        targets: of the clips.
        task: of the network.
    """
    logits = answers.logits[0]
    truth = task.truth(targets, logits.shape[1])
    return Scores(
        accuracy=float(task.right(logits, truth).mean()),
        nll=task.nll(answers.log_probabilities[0], truth),
        jsd=float(answers.jsd.mean(dtype=np.float64)),
    )
