"""Objectives: what training minimizes, as plain functions of tensors.

| name                                  | what it is                                      | source                     |
|---------------------------------------|-------------------------------------------------|----------------------------|
| `jensen_shannon_divergence`           | disagreement of V views, nats                   | Iqbal et al. 2021, Eq. (5) |
| `ConsistencyObjective`                | classification + weight * divergence            | Eq. (3) and (4)            |
| `ClassificationObjective`             | cross-entropy over the views                    | Eq. (4)                    |
| `CATEGORICAL`, `BERNOULLI`            | one label per clip (the paper's), or any number | `likelihoods`              |
| `bernoulli_jensen_shannon_divergence` | disagreement of V views with many labels, nats  | Eq. (5) for each class     |
| `linear_ramp`, `step_decay`           | consistency weight, learning rate               | sections 3.3 and 4.2       |
"""

from cohear.objectives.bernoulli import (
    bernoulli_cross_entropy,
    bernoulli_jensen_shannon_divergence,
    bernoulli_kullback_leibler_divergence,
    bernoulli_log_probabilities,
)
from cohear.objectives.divergences import (
    euclidean_distance,
    jensen_shannon_divergence,
    kullback_leibler_divergence,
    largest_divergence,
    log_probabilities,
)
from cohear.objectives.likelihoods import BERNOULLI, CATEGORICAL, Likelihood, categorical_cross_entropy
from cohear.objectives.objective import ClassificationObjective, ConsistencyObjective, Losses
from cohear.objectives.schedules import linear_ramp, step_decay

__all__ = [
    "BERNOULLI",
    "CATEGORICAL",
    "ClassificationObjective",
    "ConsistencyObjective",
    "Likelihood",
    "Losses",
    "bernoulli_cross_entropy",
    "bernoulli_jensen_shannon_divergence",
    "bernoulli_kullback_leibler_divergence",
    "bernoulli_log_probabilities",
    "categorical_cross_entropy",
    "euclidean_distance",
    "jensen_shannon_divergence",
    "kullback_leibler_divergence",
    "largest_divergence",
    "linear_ramp",
    "log_probabilities",
    "step_decay",
]
