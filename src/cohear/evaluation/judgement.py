"""How good a classifier's answers are and whether its probabilities can be believed, as numbers."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from cohear.metrics.accuracy import wilson_interval
from cohear.metrics.calibration import (
    ReliabilityBin,
    calibration_error_by_chance,
    expected_calibration_error,
    reliability_bins,
)
from cohear.metrics.tasks import Task


@dataclass(frozen=True)
class Judgement:
    """Answers to some clips at some temperature."""

    n_clips: int
    n_right: int
    """Clips answered rightly; of several labels per clip all are right at a probability of one half."""
    interval: tuple[float, float]
    """Wilson's 95 % interval of the accuracy."""
    nll: float
    """Negative log-likelihood, nats; of several labels per clip the mean over them."""
    brier: float
    """Brier score: summed over labels, at most 2; of several labels per clip the mean over them, at most 1."""
    ece: float
    """Expected calibration error over bins of equal mass, 0 to 1."""
    ece_by_chance: float
    """What `ece` would be on average, were every probability true."""
    bins: tuple[ReliabilityBin, ...]
    several: dict[str, float | None] | None
    """What the task measures beside, by the names of its `score_titles`; None for one label per clip."""

    @property
    def accuracy(self) -> float:
        """Share of clips answered rightly, 0 to 1."""
        return self.n_right / self.n_clips


def judge(
    task: Task,
    logits: Float[np.ndarray, "clip label"],
    truth: Bool[np.ndarray, "clip label"],
    temperature: float = 1.0,
) -> Judgement:
    """Judge answers to at least one clip.

    Args:
        task: of the classifier.
        logits: before the temperature; log-probabilities of one label per clip do as well.
        truth: which labels are true of each clip.
        temperature: logits are divided by it.
    """
    log_probabilities = task.log_probabilities(logits, temperature)
    decisions, shown = task.decide(logits), np.exp(log_probabilities)
    answers = task.answers(decisions, truth.shape[1])
    sureness, came_true = shown[answers], truth[answers]
    n_right = int(task.right(logits, truth).sum())
    return Judgement(
        n_clips=len(truth),
        n_right=n_right,
        interval=wilson_interval(n_right, len(truth)),
        nll=task.nll(log_probabilities, truth),
        brier=task.brier(shown, truth),
        ece=expected_calibration_error(sureness, came_true),
        ece_by_chance=calibration_error_by_chance(sureness),
        bins=reliability_bins(sureness, came_true),
        several=task.scores(logits, truth) or None,
    )
