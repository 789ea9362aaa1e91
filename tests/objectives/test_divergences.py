"""Reference: scipy. Analytic: bounds, entropies. Property: symmetry, finiteness, exact gradients."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from cohear.objectives import euclidean_distance, jensen_shannon_divergence, kullback_leibler_divergence


def random_logits(n_views: int, n_clips: int = 5, n_classes: int = 7, scale: float = 3.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return scale * torch.randn(n_views, n_clips, n_classes, generator=generator, dtype=torch.float64)


def test_two_views_give_the_square_of_scipys_distance():
    logits = random_logits(2)
    p, q = logits.softmax(-1).numpy()
    expected = [jensenshannon(a, b) ** 2 for a, b in zip(p, q, strict=True)]
    np.testing.assert_allclose(jensen_shannon_divergence(logits), expected, rtol=1e-12)


@pytest.mark.parametrize("n_views", [2, 3, 5])
def test_it_is_the_entropy_of_the_mean_less_the_mean_entropy(n_views):
    logits = random_logits(n_views)
    p = logits.softmax(-1).numpy()
    expected = entropy(p.mean(0), axis=-1) - entropy(p, axis=-1).mean(0)
    np.testing.assert_allclose(jensen_shannon_divergence(logits), expected, rtol=1e-12)


def test_equal_views_have_none_and_one_view_has_none():
    logits = random_logits(1)
    assert jensen_shannon_divergence(logits.expand(3, -1, -1)).abs().max() < 1e-15
    assert jensen_shannon_divergence(logits).abs().max() == 0


def test_certain_views_of_different_classes_reach_ln_v():
    logits = 1e4 * torch.eye(3)[:, None, :]
    assert jensen_shannon_divergence(logits).item() == pytest.approx(math.log(3), rel=1e-6)


def test_the_order_of_views_does_not_matter():
    logits = random_logits(3)
    torch.testing.assert_close(jensen_shannon_divergence(logits), jensen_shannon_divergence(logits[[2, 0, 1]]))


def test_extreme_logits_give_finite_values_and_gradients():
    logits = torch.tensor([[[1e4, -1e4, 0.0]], [[-1e4, 1e4, 0.0]], [[1e4, 1e4, -1e4]]], requires_grad=True)
    divergence = jensen_shannon_divergence(logits).sum()
    divergence.backward()
    assert divergence.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_gradients_are_those_of_finite_differences():
    logits = random_logits(3, 2, 4).requires_grad_()
    assert torch.autograd.gradcheck(jensen_shannon_divergence, logits)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_measured_in_float32_even_under_autocast(dtype):
    logits = random_logits(3).to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        divergence = jensen_shannon_divergence(logits)
    assert divergence.dtype == torch.float32
    torch.testing.assert_close(divergence, jensen_shannon_divergence(logits.float()))


def test_kullback_leibler_runs_from_the_clean_view_to_the_other():
    logits = random_logits(2)
    p, q = logits.softmax(-1).numpy()
    np.testing.assert_allclose(kullback_leibler_divergence(logits), entropy(p, q, axis=-1), rtol=1e-12)


def test_euclidean_distance_is_the_mean_over_pairs_of_views():
    points = torch.tensor([[[0.0, 0.0]], [[3.0, 0.0]], [[0.0, 4.0]]])
    assert euclidean_distance(points).item() == pytest.approx((3 + 4 + 5) / 3)


def test_euclidean_distance_of_equal_views_has_a_finite_gradient():
    points = torch.ones(2, 3, 4, requires_grad=True)
    euclidean_distance(points).sum().backward()
    assert points.grad is not None
    assert points.grad.isfinite().all()
