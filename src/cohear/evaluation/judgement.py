"""How good a classifier's answers are and whether its probabilities can be believed, as numbers."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from cohear.evaluation.calibration import probabilities
from cohear.evaluation.robustness import answers_right
from cohear.metrics.accuracy import wilson_interval
from cohear.metrics.calibration import (
    ReliabilityBin,
    brier_score,
    calibration_error_by_chance,
    expected_calibration_error,
    log_softmax,
    reliability_bins,
)
from cohear.metrics.likelihood import negative_log_likelihood
from cohear.metrics.multi_label import bernoulli_likelihood_loss, f1_scores, mean_average_precision


@dataclass(frozen=True)
class SeveralLabels:
    """What is measured beside where several labels, or none, may be true of a clip."""

    mean_average_precision: float | None
    """Mean over the labels that occur, 0 to 1; None where no clip has a label."""
    f1_macro: float | None
    """At a probability of one half, mean over labels, 0 to 1; None where there is no label and no answer."""
    f1_micro: float | None
    """The same, of all answers together."""


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
    several: SeveralLabels | None
    """None for one label per clip."""

    @property
    def accuracy(self) -> float:
        """Share of clips answered rightly, 0 to 1."""
        return self.n_right / self.n_clips


def judge(
    logits: Float[np.ndarray, "clip label"],
    truth: Bool[np.ndarray, "clip label"],
    temperature: float = 1.0,
    *,
    multi_label: bool,
) -> Judgement:
    """Judge answers to at least one clip.

    Args:
        logits: before the temperature; log-probabilities of one label per clip do as well.
        truth: which labels are true of each clip.
        temperature: logits are divided by it.
        multi_label: whether each label is an answer of its own.
    """
    shown = probabilities(logits, temperature, multi_label=multi_label)
    if multi_label:
        sureness, came_true = shown.ravel(), truth.ravel()
        nll = bernoulli_likelihood_loss(logits / temperature, truth)
        brier = brier_score(shown, truth) / truth.shape[1]
    else:
        sureness, came_true = shown.max(axis=1), answers_right(logits, truth, multi_label=False)
        nll = negative_log_likelihood(log_softmax(logits / temperature), truth.argmax(axis=1))
        brier = brier_score(shown, truth)
    right = answers_right(logits, truth, multi_label=multi_label)
    n_right = int(right.sum())
    return Judgement(
        n_clips=len(right),
        n_right=n_right,
        interval=wilson_interval(n_right, len(right)),
        nll=nll,
        brier=brier,
        ece=expected_calibration_error(sureness, came_true),
        ece_by_chance=calibration_error_by_chance(sureness),
        bins=reliability_bins(sureness, came_true),
        several=_several_labels(logits, truth) if multi_label else None,
    )


def _several_labels(logits: Float[np.ndarray, "clip label"], truth: Bool[np.ndarray, "clip label"]) -> SeveralLabels:
    f1 = f1_scores(logits >= 0, truth)
    return SeveralLabels(
        mean_average_precision(logits, truth) if truth.any() else None,
        None if np.isnan(f1.macro) else f1.macro,
        None if np.isnan(f1.micro) else f1.micro,
    )
