"""Reference: torch's cross-entropies. One contract for every objective."""

import itertools
import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from cohear.errors import UserError
from cohear.objectives import BERNOULLI, CATEGORICAL, ClassificationObjective, ConsistencyObjective

N_VIEWS, N_CLIPS, N_CLASSES = 2, 6, 5
WEIGHTS = (0.5, 2.0, 1.0, 3.0, 0.25)
OBJECTIVES = [
    ClassificationObjective(),
    ClassificationObjective(over_views="sum"),
    ConsistencyObjective(),
    ConsistencyObjective(classified_views="clean"),
    ConsistencyObjective(divergence="kl"),
    ConsistencyObjective(divergence="l2"),
    ConsistencyObjective(divergence="l2", representation="embedding"),
    ConsistencyObjective(class_weights=WEIGHTS),
    ClassificationObjective(over_views="sum", likelihood=BERNOULLI),
    ConsistencyObjective(likelihood=BERNOULLI),
    ConsistencyObjective(classified_views="clean", likelihood=BERNOULLI, class_weights=WEIGHTS),
    ConsistencyObjective(divergence="kl", likelihood=BERNOULLI),
    ConsistencyObjective(divergence="symmetric_kl"),
]


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(N_VIEWS, N_CLIPS, N_CLASSES, generator=generator)
    embeddings = torch.randn(N_VIEWS, N_CLIPS, 8, generator=generator)
    return logits, torch.arange(N_CLIPS) % N_CLASSES, embeddings


def targets_for(objective, labels):
    """Return class indices, or rows of none to two labels, as the objective reads them."""
    if objective.likelihood is not BERNOULLI:
        return labels
    present = torch.zeros(len(labels), N_CLASSES)
    present[torch.arange(len(labels)), labels] = 1.0
    present[:, 1] = 1.0
    present[0] = 0.0
    return present


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_is_a_mean_over_clips_that_ignores_their_order(objective, batch):
    logits, labels, embeddings = batch
    targets = targets_for(objective, labels)
    losses = objective(logits, targets, 2.0, embeddings)
    order = torch.randperm(N_CLIPS, generator=torch.Generator().manual_seed(0))
    again = objective(logits[:, order], targets[order], 2.0, embeddings[:, order])
    twice = objective(logits.repeat(1, 2, 1), torch.cat((targets, targets)), 2.0, embeddings.repeat(1, 2, 1))
    for other in (again, twice):
        torch.testing.assert_close(torch.stack(losses), torch.stack(other))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_is_finite_forward_and_backward_for_extreme_logits(objective, batch):
    _, labels, embeddings = batch
    logits = torch.full((N_VIEWS, N_CLIPS, N_CLASSES), -1e4)
    logits[0, :, 0] = logits[1, :, 1] = 1e4
    logits.requires_grad_()
    losses = objective(logits, targets_for(objective, labels), 5.0, embeddings.requires_grad_())
    losses.total.backward()
    assert all(loss.isfinite() and loss.ndim == 0 for loss in losses)
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("objective", [o for o in OBJECTIVES if isinstance(o, ConsistencyObjective)])
def test_the_total_is_classification_plus_weighted_consistency(objective, batch):
    logits, labels, embeddings = batch
    losses = objective(logits, targets_for(objective, labels), 3.0, embeddings)
    assert losses.total.item() == pytest.approx(losses.classification.item() + 3 * losses.consistency.item())


@pytest.mark.parametrize("likelihood", [CATEGORICAL, BERNOULLI])
@pytest.mark.parametrize(("views", "over"), list(itertools.product(["all", "clean"], ["mean", "sum"])))
def test_classification_is_torchs_cross_entropy_of_each_view(views, over, likelihood, batch):
    logits, labels, _ = batch
    objective = ClassificationObjective(views, over, likelihood=likelihood)
    targets, measure = targets_for(objective, labels), (cross_entropy, binary_cross_entropy_with_logits)
    classified = logits if views == "all" else logits[:1]
    each = torch.stack([measure[likelihood is BERNOULLI](view, targets) for view in classified])
    torch.testing.assert_close(objective(logits, targets).classification, getattr(each, over)())


def test_sure_answers_keep_their_digits():
    loss = BERNOULLI.cross_entropy(torch.full((1, 1, 2), -20.0), torch.zeros(1, 2), None)
    assert loss.item() == pytest.approx(math.log1p(math.exp(-20)), rel=1e-6)


def test_class_weights_are_factors_on_the_terms_of_torchs_cross_entropies(batch):
    logits, labels, _ = batch
    weights = torch.tensor(WEIGHTS)
    weighted = torch.stack([cross_entropy(view, labels, weights, reduction="sum") for view in logits]) / N_CLIPS
    losses = ClassificationObjective(class_weights=WEIGHTS)(logits, labels)
    torch.testing.assert_close(losses.classification, weighted.mean())
    objective = ClassificationObjective(likelihood=BERNOULLI, class_weights=WEIGHTS)
    targets = targets_for(objective, labels)
    terms = [binary_cross_entropy_with_logits(view, targets, pos_weight=weights) for view in logits]
    torch.testing.assert_close(objective(logits, targets).classification, torch.stack(terms).mean())


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
    with pytest.raises(UserError, match="jsdd"):
        ConsistencyObjective(divergence="jsdd")
    with pytest.raises(ValueError, match="embedding"):
        ConsistencyObjective(representation="embedding")
    with pytest.raises(ValueError, match="embeddings"):
        ConsistencyObjective(divergence="l2", representation="embedding")(logits, labels)
