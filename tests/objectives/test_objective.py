"""Reference: torch's cross_entropy and scipy. One contract for every objective."""

import itertools

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from torch.nn.functional import cross_entropy

from cohear.objectives import ClassificationObjective, ConsistencyObjective

N_VIEWS, N_CLIPS, N_CLASSES = 2, 6, 5
OBJECTIVES = [
    ClassificationObjective(),
    ClassificationObjective(over_views="sum"),
    ConsistencyObjective(),
    ConsistencyObjective(classified_views="clean"),
    ConsistencyObjective(divergence="kl"),
    ConsistencyObjective(divergence="l2"),
    ConsistencyObjective(divergence="l2", representation="embedding"),
]


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(N_VIEWS, N_CLIPS, N_CLASSES, generator=generator)
    embeddings = torch.randn(N_VIEWS, N_CLIPS, 8, generator=generator)
    return logits, torch.arange(N_CLIPS) % N_CLASSES, embeddings


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_is_a_mean_over_clips_that_ignores_their_order(objective, batch):
    logits, labels, embeddings = batch
    losses = objective(logits, labels, 2.0, embeddings)
    order = torch.randperm(N_CLIPS, generator=torch.Generator().manual_seed(0))
    again = objective(logits[:, order], labels[order], 2.0, embeddings[:, order])
    twice = objective(logits.repeat(1, 2, 1), labels.repeat(2), 2.0, embeddings.repeat(1, 2, 1))
    for other in (again, twice):
        torch.testing.assert_close(torch.stack(losses), torch.stack(other))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_is_finite_forward_and_backward_for_extreme_logits(objective, batch):
    _, labels, embeddings = batch
    logits = torch.full((N_VIEWS, N_CLIPS, N_CLASSES), -1e4)
    logits[0, :, 0] = logits[1, :, 1] = 1e4
    logits.requires_grad_()
    losses = objective(logits, labels, 5.0, embeddings.requires_grad_())
    losses.total.backward()
    assert all(loss.isfinite() and loss.ndim == 0 for loss in losses)
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("objective", [o for o in OBJECTIVES if isinstance(o, ConsistencyObjective)])
def test_the_total_is_classification_plus_weighted_consistency(objective, batch):
    logits, labels, embeddings = batch
    losses = objective(logits, labels, 3.0, embeddings)
    assert losses.total.item() == pytest.approx(losses.classification.item() + 3 * losses.consistency.item())


@pytest.mark.parametrize(("views", "over"), list(itertools.product(["all", "clean"], ["mean", "sum"])))
def test_classification_is_torchs_cross_entropy_of_each_view(views, over, batch):
    logits, labels, _ = batch
    each = torch.stack([cross_entropy(view, labels) for view in (logits if views == "all" else logits[:1])])
    losses = ClassificationObjective(views, over)(logits, labels)
    torch.testing.assert_close(losses.classification, getattr(each, over)())


def test_consistency_is_scipys_divergence_and_reaches_every_view(batch):
    logits, labels, _ = batch
    p, q = logits.double().softmax(-1).numpy()
    expected = np.mean([jensenshannon(a, b) ** 2 for a, b in zip(p, q, strict=True)])
    logits.requires_grad_()
    losses = ConsistencyObjective()(logits, labels)
    losses.consistency.backward()
    assert losses.consistency.item() == pytest.approx(expected, rel=1e-5)
    assert logits.grad is not None
    assert (logits.grad.flatten(1).abs().sum(1) > 0).all()


def test_the_classification_objective_reports_consistency_without_minimizing_it(batch):
    logits, labels, _ = batch
    losses = ClassificationObjective()(logits, labels, weight=5.0)
    assert losses.total is losses.classification
    assert not losses.consistency.requires_grad
    assert losses.consistency.item() == pytest.approx(ConsistencyObjective()(logits, labels).consistency.item())


def test_weight_zero_gives_the_gradients_of_batched_augmentation_bit_for_bit(batch):
    logits, labels, _ = batch
    gradients = []
    for objective in (ClassificationObjective(), ConsistencyObjective()):
        leaf = logits.clone().requires_grad_()
        objective(leaf, labels, weight=0.0).total.backward()
        gradients.append(leaf.grad)
    assert torch.equal(*gradients)


def test_what_cannot_be_compared_is_refused_in_words(batch):
    logits, labels, _ = batch
    with pytest.raises(ValueError, match="compares two views and was given 3"):
        ConsistencyObjective(divergence="kl")(logits[[0, 0, 1]], labels)
    with pytest.raises(ValueError, match="an embedding is none"):
        ConsistencyObjective(representation="embedding")
    with pytest.raises(ValueError, match="pass `embeddings`"):
        ConsistencyObjective(divergence="l2", representation="embedding")(logits, labels)
