"""How alike a classifier answers a clip and a changed clip: per transform and strength, beyond what it was trained on.

Every run hears the same changes of a clip: keys come from the seed of all evaluation views, and rooms are others than
those of training.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor, nn

from cohear.data.store import Store
from cohear.evaluation.corruptions import N_ROOMS
from cohear.evaluation.measure import EVALUATION_SEED, FixedViews, answer
from cohear.metrics.tasks import Task
from cohear.models import FrontEnd
from cohear.transforms import PitchShift, Reverb, SpecAugment, Transform
from cohear.views import ViewMaker

Kind = Literal["pitch", "reverb", "masking"]
NAMES: dict[Kind, str] = {"pitch": "pitch", "reverb": "rooms", "masking": "masks"}
UNITS: dict[Kind, str] = {"pitch": "semitones", "reverb": "s RT60", "masking": "widest mask, share"}


@dataclass(frozen=True)
class Perturbation:
    """One transform at one strength."""

    kind: Kind
    strength: float
    """Semitones; seconds of reverberation time; widest mask as a share, of which one hides bands and one frames."""

    def transform(self, sample_rate: int) -> Transform:
        """Make the transform; what is left to chance is room, place and width of the masks.

        Args:
            sample_rate: Hz.
        """
        if self.kind == "pitch":
            return PitchShift((self.strength,), sample_rate)
        if self.kind == "reverb":
            return Reverb(N_ROOMS, (self.strength, self.strength), sample_rate, seed=EVALUATION_SEED)
        return SpecAugment((1, 1), (1, 1), self.strength, self.strength)

    def describe(self) -> str:
        """Say `+2`, `0.5` or `20%`: the strength without its unit."""
        return {"pitch": f"{self.strength:+g}", "masking": f"{self.strength:.0%}"}.get(self.kind, f"{self.strength:g}")


PERTURBATIONS = (
    *(Perturbation("pitch", semitones) for semitones in (-4.0, -2.0, -1.0, 1.0, 2.0, 4.0)),
    *(Perturbation("reverb", rt60_s) for rt60_s in (0.2, 0.5, 1.0, 2.0)),
    *(Perturbation("masking", share) for share in (0.1, 0.2, 0.4)),
)


@dataclass(frozen=True, eq=False)
class Agreement:
    """How alike the answers to clean and changed clips are."""

    perturbation: Perturbation
    jsd: Float[np.ndarray, " clip"]
    """Jensen-Shannon divergence of the two answers, nats, 0 to ln 2."""
    flipped: Bool[np.ndarray, " clip"]
    """Whether the likeliest label changed; of several labels per clip, whether any label crossed one half."""


def measure_agreement(
    networks: Sequence[nn.Module],
    front_end: FrontEnd,
    store: Store,
    rows: Int64[np.ndarray, " clip"],
    read: Callable[[Int64[np.ndarray, " batch"]], Float32[Tensor, "batch time"]],
    task: Task,
    *,
    on_progress: Callable[[float], None] = lambda _share: None,
) -> list[tuple[Agreement, ...]]:
    """Ask networks with one front end about clean and changed clips; arguments as for `answer_corrupted`.

    Returns:
        For each network its agreements, in the order of `PERTURBATIONS`.

    Raises:
        NotFiniteError: where an answer is not finite.
    """
    found: list[list[Agreement]] = [[] for _ in networks]
    for number, perturbation in enumerate(PERTURBATIONS):
        view_maker = ViewMaker(perturbation.transform(store.sample_rate), front_end)
        views = FixedViews(store, rows, view_maker, read, n_views=2)
        for network, its in zip(networks, found, strict=True):
            answers = answer(network, views, task)
            assert answers is not None  # nothing stops it
            its.append(Agreement(perturbation, answers.jsd, task.differ(*answers.logits)))
        on_progress((number + 1) / len(PERTURBATIONS))
    return [tuple(agreements) for agreements in found]
