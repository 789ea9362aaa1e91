"""By hand, and against torch and scipy."""

import numpy as np
import pytest
import torch
from scipy.stats import beta, kstest

from cohear.objectives import BERNOULLI, CATEGORICAL
from cohear.runtime.interrupts import Interrupted
from cohear.training.mixup import Mixture, draw_mixture
from training.small_training import is_same, run


def test_all_views_of_a_clip_are_mixed_with_those_of_one_partner_by_one_share():
    mixture = Mixture(np.array([2, 1, 0, 3]), np.array([0.25, 0.5, 1.0, 0.0]))
    places = np.array([0, 3])
    assert mixture.needs(places).tolist() == [0, 2, 3]
    heard = torch.tensor([[[0.0], [8.0], [3.0]], [[10.0], [18.0], [13.0]]])  # two views of clips 0, 2 and 3
    assert mixture.mix(heard, places).tolist() == [[[6.0], [3.0]], [[16.0], [13.0]]]


def test_shares_are_those_of_the_beta_distribution_and_partners_a_permutation():
    drawn = draw_mixture(seed=0, epoch=1, step=2, n_items=4000, concentration=0.3)
    assert kstest(drawn.shares, beta(0.3, 0.3).cdf).pvalue > 0.01
    assert sorted(drawn.partners) == list(range(4000))
    others = [draw_mixture(*numbers, 4000, 0.3) for numbers in ((1, 1, 2), (0, 2, 2), (0, 1, 3))]
    assert not any((other.partners == drawn.partners).mean() > 0.01 for other in others)


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 3.0, 0.5])])
def test_the_cross_entropy_of_a_mixture_is_that_of_its_clips_mixed(weights):
    logits = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    labels, partners, share = torch.tensor([0, 1, 2, 0, 1]), torch.tensor([1, 1, 0, 2, 0]), 0.7
    shares = share * torch.eye(3)[labels] + (1 - share) * torch.eye(3)[partners]
    both = [CATEGORICAL.cross_entropy(logits, its, weights) for its in (labels, partners)]
    mixed = CATEGORICAL.cross_entropy(logits, shares, weights)
    torch.testing.assert_close(mixed, share * both[0] + (1 - share) * both[1])
    if weights is None:
        torch.testing.assert_close(mixed, torch.nn.functional.cross_entropy(logits.flatten(0, 1), shares.repeat(2, 1)))
        torch.testing.assert_close(
            BERNOULLI.cross_entropy(logits, shares),
            torch.nn.functional.binary_cross_entropy_with_logits(logits, shares.expand(2, 5, 3)),
        )


def test_a_mixed_training_that_is_stopped_ends_in_the_same_weights(tmp_path):
    plain, mixed = (run(tmp_path / f"{mixup}", n_epochs=2, mixup=mixup)[1] for mixup in (0.0, 0.4))
    assert not is_same(plain, mixed)
    with pytest.raises(Interrupted):
        run(tmp_path / "stopped", n_epochs=2, mixup=0.4, stop_at=3)
    assert is_same(mixed, run(tmp_path / "stopped", n_epochs=2, mixup=0.4)[1])
