"""What training minimizes: classification over the views, and how far they may disagree.

    loss = classification + weight * consistency                                   Eq. (3) of Iqbal et al. 2021

An objective is a frozen dataclass: a plain function of tensors with its options as fields, usable in any loop.
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cohear.objectives.divergences import DIVERGENCES
from cohear.objectives.likelihoods import CATEGORICAL, Likelihood, Targets
from cohear.tensors import on_device


class Losses(NamedTuple):
    """The parts of a loss, scalars, means over the batch."""

    total: Float[Tensor, ""]
    """What to call `backward` on."""
    classification: Float[Tensor, ""]
    """Cross-entropy, nats."""
    consistency: Float[Tensor, ""]
    """Divergence of the views before weighting, nats (`l2`: the unit of what it compares)."""


@dataclass(frozen=True)
class ClassificationObjective:
    """Minimize the cross-entropy of the views: Eq. (4) for V views; of one view, the usual loss.

    The consistency of the views is reported without being minimized.
    """

    classified_views: Literal["all", "clean"] = "all"
    """Whose cross-entropy counts: every view's, or only that of view 0 (Eq. 1)."""
    over_views: Literal["mean", "sum"] = "mean"
    """Mean (the 1/2 of Eq. 4) or sum of the views' cross-entropies."""
    likelihood: Likelihood = field(default=CATEGORICAL, kw_only=True)
    """One label per clip, or with `BERNOULLI` any number of them."""
    class_weights: tuple[float, ...] | None = field(default=None, kw_only=True)
    """A factor per class in the cross-entropy, as its likelihood says; None: all 1."""

    def __call__(
        self,
        logits: Float[Tensor, "view batch label"],
        labels: Targets,
        weight: float = 0.0,
        embeddings: Float[Tensor, "view batch feature"] | None = None,
    ) -> Losses:
        """Compute the losses; `weight` and `embeddings` are not used."""
        classification = self._classify(logits, labels)
        with torch.no_grad():
            consistency = self.likelihood.jensen_shannon_divergence(logits).mean()
        return Losses(classification, classification, consistency)

    def _classify(self, logits: Float[Tensor, "view batch label"], labels: Targets) -> Float[Tensor, ""]:
        classified = logits if self.classified_views == "all" else logits[:1]
        weights = None
        if self.class_weights is not None:
            weights = on_device(np.array(self.class_weights, np.float32), logits.device)
        mean = self.likelihood.cross_entropy(classified, labels, weights)
        return mean * len(classified) if self.over_views == "sum" else mean


@dataclass(frozen=True)
class ConsistencyObjective(ClassificationObjective):
    """Minimize classification plus the weighted divergence of the views, gradients through every view.

    Raises:
        UserError: where there is no such divergence.
        ValueError: where `representation` is not one that the divergence is defined for.

    Example:
        >>> logits, labels = torch.zeros(3, 4, 10), torch.zeros(4, dtype=torch.long)
        >>> losses = ConsistencyObjective()(logits, labels, weight=5.0)
        >>> round(losses.total.item(), 4), losses.consistency.item()  # ln 10, and views that agree
        (2.3026, 0.0)
    """

    divergence: str = "jsd"
    """Name in `DIVERGENCES`: of the views' distributions, or of their representations."""
    representation: Literal["probabilities", "embedding"] = "probabilities"
    """G(x): the class probabilities, or the output of the penultimate layer (of the built-in ones for `l2` only)."""

    def __post_init__(self) -> None:
        of_points = DIVERGENCES[self.divergence].of_points
        if self.needs_embeddings and of_points is None:
            raise ValueError(
                f"the divergence '{self.divergence}' compares distributions, and an embedding is none; "
                "use divergence 'l2' with representation 'embedding'"
            )

    @property
    def needs_embeddings(self) -> bool:
        """Whether a call needs the penultimate layer's output."""
        return self.representation == "embedding"

    def __call__(
        self,
        logits: Float[Tensor, "view batch label"],
        labels: Targets,
        weight: float = 0.0,
        embeddings: Float[Tensor, "view batch feature"] | None = None,
    ) -> Losses:
        """Compute the losses.

        Args:
            logits: of every view, the clean one first.
            labels: class indices in [0, K); of a likelihood with many labels, 1 where a class is present, else 0.
            weight: the consistency weight, lambda of Eq. (3), 0 or more.
            embeddings: the penultimate layer's output, for `representation="embedding"` only.

        Raises:
            ValueError: where embeddings are missing, or the divergence is given a number of views that it has no value
                for.
        """
        classification = self._classify(logits, labels)
        consistency = self._diverge(logits, embeddings).mean()
        return Losses(classification + weight * consistency, classification, consistency)

    def _diverge(
        self,
        logits: Float[Tensor, "view batch label"],
        embeddings: Float[Tensor, "view batch feature"] | None,
    ) -> Float[Tensor, " batch"]:
        divergence = DIVERGENCES[self.divergence]
        if not self.needs_embeddings:
            return self.likelihood.diverge(logits, divergence.of_distributions)
        if embeddings is None:
            raise ValueError("representation 'embedding' needs the embeddings of the views; pass `embeddings`")
        assert divergence.of_points is not None  # seen to when the objective was made
        return divergence.of_points(embeddings)
