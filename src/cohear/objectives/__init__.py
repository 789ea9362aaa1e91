"""Objectives: what training minimizes, as plain functions of tensors.

| name                         | what it is                                               | source                     |
|------------------------------|----------------------------------------------------------|----------------------------|
| `jensen_shannon_divergence`  | disagreement of V views, nats                            | Iqbal et al. 2021, Eq. (5) |
| `DIVERGENCES`                | this and other ways to measure it, by name               | `divergences`              |
| `ConsistencyObjective`       | classification + weight * divergence                     | Eq. (3) and (4)            |
| `ClassificationObjective`    | cross-entropy over the views                             | Eq. (4)                    |
| `CATEGORICAL`, `BERNOULLI`   | one label per clip (the paper's), or any number of them  | `likelihoods`              |
| `linear_ramp`, `step_decay`  | consistency weight, learning rate                        | sections 3.3 and 4.2       |
| `warm_cosine`                | another learning rate                                    | `schedules`                |
"""

from cohear.objectives.divergences import (
    DIVERGENCES,
    Divergence,
    euclidean_distance,
    jensen_shannon_divergence,
    kullback_leibler_divergence,
    largest_divergence,
    log_probabilities,
)
from cohear.objectives.likelihoods import (
    BERNOULLI,
    CATEGORICAL,
    LIKELIHOODS,
    Likelihood,
    bernoulli_cross_entropy,
    bernoulli_log_probabilities,
    categorical_cross_entropy,
)
from cohear.objectives.objective import ClassificationObjective, ConsistencyObjective, Losses
from cohear.objectives.schedules import linear_ramp, step_decay, warm_cosine

__all__ = [
    "BERNOULLI",
    "CATEGORICAL",
    "DIVERGENCES",
    "LIKELIHOODS",
    "ClassificationObjective",
    "ConsistencyObjective",
    "Divergence",
    "Likelihood",
    "Losses",
    "bernoulli_cross_entropy",
    "bernoulli_log_probabilities",
    "categorical_cross_entropy",
    "euclidean_distance",
    "jensen_shannon_divergence",
    "kullback_leibler_divergence",
    "largest_divergence",
    "linear_ramp",
    "log_probabilities",
    "step_decay",
    "warm_cosine",
]
