"""Reference: scipy. One contract for every divergence, under either likelihood."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.special import expit
from scipy.stats import entropy

from cohear.errors import UserError
from cohear.objectives import (
    BERNOULLI,
    CATEGORICAL,
    DIVERGENCES,
    euclidean_distance,
    jensen_shannon_divergence,
    kullback_leibler_divergence,
)

EVERY = pytest.mark.parametrize(
    ("name", "likelihood"), [(name, likelihood) for name in DIVERGENCES for likelihood in (CATEGORICAL, BERNOULLI)]
)


def random_logits(n_views: int = 2, n_clips: int = 4, n_classes: int = 7) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 3 * torch.randn(n_views, n_clips, n_classes, generator=generator, dtype=torch.float64)


def distributions(logits: torch.Tensor, likelihood: object) -> np.ndarray:
    """Return `[view, clip, distribution, outcome]`, worked out by scipy."""
    if likelihood is CATEGORICAL:
        return logits.softmax(-1).numpy()[:, :, None]
    yes = expit(logits.numpy())
    return np.stack((yes, 1 - yes), axis=-1)


REFERENCES = {
    "jsd": lambda p, q: jensenshannon(p, q) ** 2,
    "kl": entropy,
    "l2": lambda p, q: np.linalg.norm(p - q),
    "symmetric_kl": lambda p, q: (entropy(p, q) + entropy(q, p)) / 2,
}


@EVERY
def test_of_two_views_it_is_that_of_scipy_the_mean_over_the_distributions_of_a_clip(name, likelihood):
    if name not in REFERENCES:
        pytest.skip("a package brings it, and its reference")
    logits = random_logits()
    p, q = distributions(logits, likelihood)
    expected = [[REFERENCES[name](a, b) for a, b in zip(*clip, strict=True)] for clip in zip(p, q, strict=True)]
    measured = likelihood.diverge(logits, DIVERGENCES[name].of_distributions)
    np.testing.assert_allclose(measured, np.mean(expected, axis=1), rtol=1e-10)


@EVERY
def test_it_is_nothing_where_views_agree_and_finite_with_its_gradient_for_extreme_logits(name, likelihood):
    same = random_logits(1).expand(2, -1, -1)
    measured = likelihood.diverge(same, DIVERGENCES[name].of_distributions)
    assert measured.shape == (4,)
    torch.testing.assert_close(measured, torch.zeros_like(measured), atol=1e-12, rtol=0)
    logits = torch.tensor([[[1e4, -1e4, 0.0]], [[-1e4, 1e4, 0.0]]], requires_grad=True)
    value = likelihood.diverge(logits, DIVERGENCES[name].of_distributions).sum()
    value.backward()
    assert value.isfinite()
    assert value > 0
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@EVERY
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_measured_in_float32_even_under_autocast(name, likelihood, dtype):
    logits = random_logits().to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        measured = likelihood.diverge(logits, DIVERGENCES[name].of_distributions)
    assert measured.dtype == torch.float32
    torch.testing.assert_close(measured, likelihood.diverge(logits.float(), DIVERGENCES[name].of_distributions))


@EVERY
def test_every_view_but_a_constant_one_has_a_gradient(name, likelihood):
    logits = random_logits().requires_grad_()
    likelihood.diverge(logits, DIVERGENCES[name].of_distributions).sum().backward()
    assert logits.grad is not None
    assert (logits.grad.flatten(1).abs().sum(1) > 0).all()


@pytest.mark.parametrize("n_views", [2, 3, 5])
def test_jsd_is_the_entropy_of_the_mean_less_the_mean_entropy_whatever_the_order(n_views):
    logits = random_logits(n_views)
    p = logits.softmax(-1).numpy()
    expected = entropy(p.mean(0), axis=-1) - entropy(p, axis=-1).mean(0)
    np.testing.assert_allclose(jensen_shannon_divergence(logits), expected, rtol=1e-12)
    torch.testing.assert_close(jensen_shannon_divergence(logits.flip(0)), jensen_shannon_divergence(logits))


def test_jsd_lies_between_zero_of_one_view_and_ln_v_of_certain_ones():
    assert jensen_shannon_divergence(random_logits(1)).abs().max() == 0
    assert jensen_shannon_divergence(1e4 * torch.eye(3)[:, None, :]).item() == pytest.approx(math.log(3), rel=1e-6)


@pytest.mark.parametrize("name", ["jsd", "kl", "l2"])
def test_gradients_are_those_of_finite_differences(name):
    logits = random_logits(2, 2, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: CATEGORICAL.diverge(z, DIVERGENCES[name].of_distributions), logits)


def test_symmetric_kl_pulls_every_view_to_the_others_and_is_constant_in_these():
    logits = random_logits(3).requires_grad_()
    CATEGORICAL.diverge(logits, DIVERGENCES["symmetric_kl"].of_distributions).sum().backward()
    with torch.no_grad():
        p = logits.softmax(-1)
        # d/dz of KL(P || softmax z) is softmax z - P: of six ordered pairs a view is the second one of two
        expected = torch.stack([sum(p[b] - p[a] for a in range(3) if a != b) for b in range(3)]) / 6
    torch.testing.assert_close(logits.grad, expected)


def test_points_are_compared_over_all_pairs_of_views():
    points = torch.tensor([[[0.0, 0.0]], [[3.0, 0.0]], [[0.0, 4.0]]])
    assert euclidean_distance(points).item() == pytest.approx((3 + 4 + 5) / 3)
    assert DIVERGENCES["l2"].of_points is euclidean_distance


def test_a_number_of_views_that_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="given 3"):
        kullback_leibler_divergence(random_logits(3))
    for name in ("l2", "symmetric_kl"):
        with pytest.raises(ValueError, match="given 1"):
            CATEGORICAL.diverge(random_logits(1), DIVERGENCES[name].of_distributions)


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="symmetric_kl"):
        DIVERGENCES["symmetric-kl"]
