"""Objectives: what training minimizes, as plain functions of tensors.

| name                        | what it is                                | source                         |
|-----------------------------|-------------------------------------------|--------------------------------|
| `jensen_shannon_divergence` | disagreement of V views, nats             | Iqbal et al. 2021, Eq. (5)     |
| `ConsistencyObjective`      | classification + weight * divergence      | Eq. (3) and (4)                |
| `ClassificationObjective`   | cross-entropy over the views              | Eq. (4)                        |
| `linear_ramp`, `step_decay` | consistency weight, learning rate         | sections 3.3 and 4.2           |
"""

from cohear.objectives.divergences import (
    euclidean_distance,
    jensen_shannon_divergence,
    kullback_leibler_divergence,
    log_probabilities,
)
from cohear.objectives.objective import ClassificationObjective, ConsistencyObjective, Losses
from cohear.objectives.schedules import linear_ramp, step_decay

__all__ = [
    "ClassificationObjective",
    "ConsistencyObjective",
    "Losses",
    "euclidean_distance",
    "jensen_shannon_divergence",
    "kullback_leibler_divergence",
    "linear_ramp",
    "log_probabilities",
    "step_decay",
]
