"""Reference: scipy, class by class. Property: the same as for one label where there are two of them."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from cohear.objectives import (
    BERNOULLI,
    CATEGORICAL,
    bernoulli_cross_entropy,
    bernoulli_jensen_shannon_divergence,
    bernoulli_kullback_leibler_divergence,
)


def random_logits(n_views: int, n_clips: int = 4, n_classes: int = 3, scale: float = 3.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return scale * torch.randn(n_views, n_clips, n_classes, generator=generator, dtype=torch.float64)


def outcomes(logits: torch.Tensor) -> np.ndarray:
    """Return the probabilities of yes and no, `[view, clip, label, 2]`."""
    yes = 1 / (1 + np.exp(-logits.numpy()))
    return np.stack((yes, 1 - yes), -1)


def test_two_views_give_the_mean_over_classes_of_the_square_of_scipys_distance():
    logits = random_logits(2)
    p, q = outcomes(logits)
    expected = jensenshannon(p, q, axis=-1) ** 2
    np.testing.assert_allclose(bernoulli_jensen_shannon_divergence(logits), expected.mean(-1), rtol=1e-12)


def test_three_views_give_the_entropy_of_the_mean_less_the_mean_entropy():
    logits = random_logits(3)
    p = outcomes(logits)
    expected = entropy(p.mean(0), axis=-1) - entropy(p, axis=-1).mean(0)
    np.testing.assert_allclose(bernoulli_jensen_shannon_divergence(logits), expected.mean(-1), rtol=1e-12)


def test_kullback_leibler_is_scipys_relative_entropy_and_runs_from_the_clean_view():
    logits = random_logits(2)
    p, q = outcomes(logits)
    expected = entropy(p, q, axis=-1).mean(-1)
    np.testing.assert_allclose(bernoulli_kullback_leibler_divergence(logits), expected, rtol=1e-12)


def test_it_lies_between_zero_and_ln_2_where_views_answer_the_opposite():
    logits = 1e4 * torch.tensor([[[1.0, -1.0, 1.0]], [[-1.0, 1.0, -1.0]]])
    assert bernoulli_jensen_shannon_divergence(logits).item() == pytest.approx(math.log(2), rel=1e-6)
    assert bernoulli_jensen_shannon_divergence(logits[[0, 0, 0]]).item() == pytest.approx(0, abs=1e-7)


def test_a_yes_or_no_answer_is_a_choice_of_two_classes():
    logits = random_logits(3, n_classes=1)
    two = torch.cat((logits, torch.zeros_like(logits)), -1)
    present = torch.tensor([1, 0, 0, 1])
    for ours, theirs in (
        (BERNOULLI.jensen_shannon_divergence(logits), CATEGORICAL.jensen_shannon_divergence(two)),
        (BERNOULLI.kullback_leibler_divergence(logits[:2]), CATEGORICAL.kullback_leibler_divergence(two[:2])),
        (BERNOULLI.log_probabilities(logits), CATEGORICAL.log_probabilities(two)[..., :1]),
        (
            BERNOULLI.cross_entropy(logits, present[:, None].float(), None),
            CATEGORICAL.cross_entropy(two, 1 - present, None),
        ),
    ):
        torch.testing.assert_close(ours, theirs)


def test_extreme_logits_give_finite_values_and_gradients_through_every_view():
    logits = torch.tensor([[[1e4, -1e4, 1.0]], [[-1e4, -1e4, 0.0]], [[1e4, 1e4, -1.0]]], requires_grad=True)
    divergence = bernoulli_jensen_shannon_divergence(logits).sum()
    loss = divergence + bernoulli_cross_entropy(logits, torch.tensor([[0.0, 1.0, 1.0]]))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    (gradient,) = torch.autograd.grad(bernoulli_jensen_shannon_divergence(logits).sum(), logits)
    assert (gradient.abs().sum((1, 2)) > 0).all()


def test_gradients_are_those_of_finite_differences():
    logits = random_logits(3, 2, 2).requires_grad_()
    assert torch.autograd.gradcheck(bernoulli_jensen_shannon_divergence, logits)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_measured_in_float32_even_under_autocast(dtype):
    logits, targets = random_logits(3).to(dtype), torch.ones(4, 3)
    measured = (bernoulli_jensen_shannon_divergence, lambda z: bernoulli_cross_entropy(z, targets))
    for measure in measured:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = measure(logits)
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, measure(logits.float()))


def test_sure_answers_keep_their_digits():
    loss = bernoulli_cross_entropy(torch.full((1, 1, 2), -20.0), torch.zeros(1, 2))
    assert loss.item() == pytest.approx(math.log1p(math.exp(-20)), rel=1e-6)
