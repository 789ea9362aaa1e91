"""One label per clip, or any number of them: everything that depends on which of the two it is.

A data set says it (`Store.multi_label`), a run turns it into a task once and keeps the task's name; whoever trains,
measures, calibrates, shows or packs is given the task and asks it.

| task           | an answer is                    | targets                          | likelihood    |
|----------------|---------------------------------|----------------------------------|---------------|
| `SINGLE_LABEL` | the likeliest of K labels       | class indices, `[clip]`          | `categorical` |
| `MULTI_LABEL`  | every label of logit 0 or above | rows of 0 and 1, `[clip, label]` | `bernoulli`   |

Conventions:
    Logits are `[clip, label]`; log-probabilities of a categorical likelihood are logits too, since a constant per clip
    changes no softmax. `truth` says which labels are true of a clip, `[clip, label]`. A logit of exactly zero, a
    probability of one half, counts as yes: here, and wherever else a label of several is decided on.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64

from cohear.metrics.accuracy import average_precision, f1_scores
from cohear.metrics.calibration import (
    bernoulli_likelihood_loss,
    bernoulli_logits,
    brier_score,
    fit_temperature,
    log_expit,
    log_softmax,
)

Targets = Int64[np.ndarray, " clip"] | Float32[np.ndarray, "clip label"]
"""What a network is trained to answer: class indices, or rows of 0 and 1."""
Decisions = Int64[np.ndarray, " clip"] | Int64[np.ndarray, "clip label"]
"""What it answers, written the same way, in whole numbers."""
Truth = Bool[np.ndarray, "clip label"]
Logits = Float[np.ndarray, "clip label"]
PerLabel = Float64[np.ndarray, " label"]


@dataclass(frozen=True)
class Words:
    """How a task is spoken of on pages and in tables."""

    target: str
    """What a clip has: `label`."""
    choice: str
    """How many labels a clip gets: `one for each clip`."""
    output: str
    """What the network gives: `one distribution over the labels`."""
    answers: str
    """What a probability is asked of: `the likeliest label of each clip`."""
    clips_right: str
    """What is counted as right: `clips`."""
    change: str
    """What it is for an answer to flip: `the answer changes`."""
    quality: str
    """What `quality` measures: `of each label's clips found, on average`."""


class Task(ABC):
    """What a classifier's answers are, how they are made of logits and how good they are."""

    name: ClassVar[str]
    """In `TASKS`, and in what a run keeps."""
    likelihood: ClassVar[str]
    """Its name in `cohear.objectives.LIKELIHOODS`."""
    gives_several: ClassVar[bool]
    """Whether a clip may have any number of labels, each a decision of its own."""
    words: ClassVar[Words]
    least_probability: ClassVar[float]
    """From which an answer is reported where its label has no threshold of its own; 0: the likeliest always."""
    score_titles: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """What `scores` gives beside accuracy, and how a table calls it."""
    label_titles: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """What `label_scores` gives, and how a table calls it."""

    def most_labels(self, n_classes: int) -> int:
        """Return how many of K labels a clip may have."""
        return n_classes if self.gives_several else 1

    def n_outcomes(self, n_classes: int) -> int:
        """Return between how many outcomes a decision is: yes and no, or the K labels."""
        return 2 if self.gives_several else n_classes

    @abstractmethod
    def encode(self, label_sets: Sequence[Sequence[str]], classes: Sequence[str]) -> Targets:
        """Turn the labels of clips into targets.

        Args:
            label_sets: of each clip, all among the classes.
            classes: in the order of the logits.
        """

    @abstractmethod
    def truth(self, targets: Targets | Decisions, n_classes: int) -> Truth:
        """Say which labels are true of each clip, or were answered."""

    @abstractmethod
    def decide(self, logits: Logits) -> Decisions:
        """Return the answer to each clip."""

    @abstractmethod
    def answers(self, decisions: Decisions, n_classes: int) -> Truth:
        """Say which labels of which clips are answers, right or wrong, whose probability tells how sure they are."""

    @abstractmethod
    def log_probabilities(self, logits: Logits, temperature: float = 1.0) -> Logits:
        """Return log-probabilities in float64, never of a rounded zero; logits are divided by the temperature."""

    @abstractmethod
    def logits(self, log_probabilities: Logits) -> Logits:
        """Return logits, in float64, that have these log-probabilities, which may be rounded to half precision."""

    @abstractmethod
    def nll(self, log_probabilities: Logits, truth: Truth) -> float:
        """Compute the negative log-likelihood, nats; of several labels the mean over them."""

    @abstractmethod
    def fit_temperature(self, logits: Logits, truth: Truth) -> float:
        """Find the temperature that makes the truth likeliest, as `metrics.calibration` does."""

    @abstractmethod
    def quality(self, logits: Logits, decisions: Decisions, truth: Truth) -> float:
        """Compute the one number that says how good answers are, 0 to 1, in which labels with clips count alike."""

    @abstractmethod
    def class_weights(self, truth: Truth) -> PerLabel:
        """Compute the factors on terms of the cross-entropy that make every class count the same.

        Of one label per clip, n clips, n_k of class k and K classes that have clips, it is n / (K n_k), as
        scikit-learn's `class_weight="balanced"`; the mean over the clips is 1. Of several labels it is (n - n_k) / n_k,
        the usual `pos_weight` of torch: clips that have a label count as much as those that have it not. It is 1 where
        no clip or, of several labels, every clip has the label.
        """

    @abstractmethod
    def weighted_shares(self, truth: Truth) -> PerLabel:
        """Compute how frequent labels seem to a training whose loss has `class_weights`, 0 to 1."""

    @abstractmethod
    def guessing_nll(self, shares: PerLabel, weights: PerLabel) -> float:
        """Compute the lowest cross-entropy that one answer for all clips can have, nats.

        Args:
            shares: of the clips that have each label.
            weights: factors on the terms of the cross-entropy, as `class_weights`.
        """

    def probabilities(self, logits: Logits, temperature: float = 1.0) -> Logits:
        """Return what a classifier shows, of logits divided by the temperature, in float64."""
        return np.exp(self.log_probabilities(logits, temperature))

    def right(self, logits: Logits, truth: Truth) -> Bool[np.ndarray, " clip"]:
        """Say which clips are answered rightly; of several labels all must be, and no other."""
        return (self.truth(self.decide(logits), truth.shape[1]) == truth).all(axis=1)

    def differ(self, logits: Logits, others: Logits) -> Bool[np.ndarray, " clip"]:
        """Say to which clips two answers are not the same."""
        return ~self.right(logits, self.truth(self.decide(others), others.shape[1]))

    def brier(self, probabilities: Logits, truth: Truth) -> float:
        """Compute the Brier score: summed over labels, at most 2; of several labels the mean over them, at most 1."""
        return brier_score(probabilities, truth) / self.most_labels(truth.shape[1])

    def scores(self, logits: Logits, truth: Truth) -> dict[str, float | None]:
        """Compute the numbers of `score_titles`, 0 to 1; None where a number is not defined."""
        del logits, truth
        return {}

    def label_scores(self, logits: Logits, decisions: Decisions, truth: Truth) -> dict[str, PerLabel]:
        """Compute for each label the numbers of `label_titles`, 0 to 1; NaN where a number is not defined.

        Decisions are given, as logits that were kept in half precision would decide otherwise near zero.
        """
        del logits, decisions, truth
        return {}

    def texts(self, decisions: Targets | Decisions, classes: Sequence[str], separator: str) -> list[str]:
        """Write the labels of each clip, or the answer to it; several are separated as in a table of clips."""
        chosen = self.truth(decisions, len(classes))
        return [separator.join(np.array(classes, object)[row]) for row in chosen]


class _SingleLabel(Task):
    """One distribution over the labels; the likeliest is the answer."""

    name, likelihood, gives_several, least_probability = "single_label", "categorical", False, 0.0
    words = Words(
        target="label",
        choice="one for each clip",
        output="one distribution over the labels",
        answers="the likeliest label of each clip",
        clips_right="clips",
        change="the answer changes",
        quality="of each label's clips found, on average",
    )

    def encode(self, label_sets: Sequence[Sequence[str]], classes: Sequence[str]) -> Targets:
        place = {label: index for index, label in enumerate(classes)}
        return np.array([place[label] for (label,) in label_sets], np.int64)

    def truth(self, targets: Targets | Decisions, n_classes: int) -> Truth:
        return targets[:, None] == np.arange(n_classes)

    def decide(self, logits: Logits) -> Decisions:
        return logits.argmax(axis=1)

    def answers(self, decisions: Decisions, n_classes: int) -> Truth:
        return self.truth(decisions, n_classes)

    def log_probabilities(self, logits: Logits, temperature: float = 1.0) -> Logits:
        return log_softmax(logits / temperature)

    def logits(self, log_probabilities: Logits) -> Logits:
        return log_probabilities.astype(np.float64)

    def nll(self, log_probabilities: Logits, truth: Truth) -> float:
        return float(np.abs(log_probabilities[truth].mean(dtype=np.float64)))  # not minus zero

    def fit_temperature(self, logits: Logits, truth: Truth) -> float:
        return fit_temperature(logits, truth.argmax(axis=1))

    def quality(self, logits: Logits, decisions: Decisions, truth: Truth) -> float:
        """Average recall over the labels: balanced accuracy (Brodersen et al., ICPR 2010)."""
        del logits
        labels, is_right = truth.argmax(axis=1), truth[np.arange(len(truth)), decisions]
        n_found, n_clips = (np.bincount(labels, its, truth.shape[1]) for its in (is_right, None))
        return float((n_found[n_clips > 0] / n_clips[n_clips > 0]).mean())

    def class_weights(self, truth: Truth) -> PerLabel:
        counts = truth.sum(axis=0)
        return np.where(counts > 0, len(truth) / (np.count_nonzero(counts) * np.maximum(counts, 1)), 1.0)

    def weighted_shares(self, truth: Truth) -> PerLabel:
        weighted = truth.sum(axis=0) * self.class_weights(truth)
        return weighted / weighted.sum()

    def guessing_nll(self, shares: PerLabel, weights: PerLabel) -> float:
        return _entropy(shares * weights)


class _MultiLabel(Task):
    """A probability of each label; those of at least a half are the answer, right where none is missing or too many."""

    name, likelihood, gives_several, least_probability = "multi_label", "bernoulli", True, 0.5
    words = Words(
        target="set of labels",
        choice="several at once",
        output="a probability for each label",
        answers="each label of each clip",
        clips_right="clips with all labels",
        change="any label crosses one half",
        quality="mean average precision",
    )
    score_titles = MappingProxyType(
        {
            "mean_average_precision": "Mean average precision",
            "f1_macro": "F1, mean over labels",
            "f1_micro": "F1, all answers",
        }
    )
    label_titles = MappingProxyType({"f1": "F1", "average_precision": "Average precision"})

    def encode(self, label_sets: Sequence[Sequence[str]], classes: Sequence[str]) -> Targets:
        rows = [[label in labels for label in classes] for labels in label_sets]
        return np.array(rows, np.float32).reshape(len(label_sets), len(classes))

    def truth(self, targets: Targets | Decisions, n_classes: int) -> Truth:
        del n_classes
        return targets > 0.5

    def decide(self, logits: Logits) -> Decisions:
        return (logits >= 0).astype(np.int64)

    def answers(self, decisions: Decisions, n_classes: int) -> Truth:
        return np.ones((len(decisions), n_classes), bool)

    def log_probabilities(self, logits: Logits, temperature: float = 1.0) -> Logits:
        return log_expit(logits / temperature)

    def logits(self, log_probabilities: Logits) -> Logits:
        return bernoulli_logits(log_probabilities)

    def nll(self, log_probabilities: Logits, truth: Truth) -> float:
        return bernoulli_likelihood_loss(log_probabilities, truth)

    def fit_temperature(self, logits: Logits, truth: Truth) -> float:
        of_two = np.stack((np.zeros(logits.size), logits.ravel()), axis=1)  # each label of each clip: no or yes
        return fit_temperature(of_two, truth.ravel().astype(np.int64))

    def quality(self, logits: Logits, decisions: Decisions, truth: Truth) -> float:
        del decisions
        return _mean_of_defined(average_precision(logits, truth))

    def class_weights(self, truth: Truth) -> PerLabel:
        counts, n_clips = truth.sum(axis=0), len(truth)
        return np.where((counts > 0) & (counts < n_clips), (n_clips - counts) / np.maximum(counts, 1), 1.0)

    def weighted_shares(self, truth: Truth) -> PerLabel:
        counts = truth.sum(axis=0)
        weighted = counts * self.class_weights(truth)
        return weighted / (weighted + len(truth) - counts)

    def guessing_nll(self, shares: PerLabel, weights: PerLabel) -> float:
        return float(np.mean([_entropy(np.array(both)) for both in zip(shares * weights, 1 - shares, strict=True)]))

    def scores(self, logits: Logits, truth: Truth) -> dict[str, float | None]:
        by_label, micro = f1_scores(self.decide(logits) > 0, truth)
        means = (_mean_of_defined(average_precision(logits, truth)), _mean_of_defined(by_label), micro)
        return {name: None if math.isnan(m) else m for name, m in zip(self.score_titles, means, strict=True)}

    def label_scores(self, logits: Logits, decisions: Decisions, truth: Truth) -> dict[str, PerLabel]:
        by_label, _ = f1_scores(decisions > 0, truth)
        return {"f1": by_label, "average_precision": average_precision(logits, truth)}


SINGLE_LABEL = _SingleLabel()
"""One label per clip, as in the paper."""
MULTI_LABEL = _MultiLabel()
"""Any number of labels per clip, also none."""
TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in (SINGLE_LABEL, MULTI_LABEL)})
"""By name."""


def task_of(targets: Targets | Decisions) -> Task:
    """Return the task that targets, or answers, are written for."""
    return MULTI_LABEL if targets.ndim == 2 else SINGLE_LABEL


def truth_of(targets: Targets | Decisions) -> Truth:
    """Say which labels are true of each clip; of one label per clip there are as many as up to the last that occurs."""
    return task_of(targets).truth(targets, targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1)


def _mean_of_defined(values: PerLabel) -> float:
    return math.nan if np.isnan(values).all() else float(np.nanmean(values))


def _entropy(parts: Float64[np.ndarray, " outcome"]) -> float:
    """Return the cross-entropy of weighted outcomes under the distribution that fits them best, nats."""
    return float(-(parts * np.log(np.where(parts > 0, parts / parts.sum(), 1.0))).sum())
