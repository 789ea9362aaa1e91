"""Analytic: the paper's numbers. Reference: torch's StepLR."""

import pytest
import torch

from cohear.objectives import linear_ramp, step_decay, warm_cosine


def test_the_weight_starts_at_zero_and_grows_after_each_epoch_until_the_tenth():
    assert [linear_ramp(epoch) for epoch in range(12)] == pytest.approx([0.5 * min(epoch, 10) for epoch in range(12)])


def test_no_ramp_gives_the_final_weight_at_once():
    assert linear_ramp(0, final=7.5, n_epochs=0) == 7.5


def test_an_offset_of_one_starts_at_the_first_step():
    assert linear_ramp(0, offset=1) == 0.5
    assert linear_ramp(9, offset=1) == linear_ramp(10, offset=1) == 5.0


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_the_learning_rate_is_torchs_step_schedule():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=5e-4)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.9)
    for epoch in range(72):
        assert step_decay(epoch) == pytest.approx(scheduler.get_last_lr()[0])
        scheduler.step()


def test_a_third_of_the_epochs_decays_as_far():
    assert step_decay(24, every=2 / 3) == pytest.approx(step_decay(72))
    assert step_decay(2, 1.0, every=2 / 3) == pytest.approx(0.9**3)


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_after_its_rise_the_warm_cosine_is_torchs_annealing():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=3e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=17)
    assert warm_cosine(1.5, 20, 3e-3, warmup_epochs=3) == pytest.approx(1.5e-3)
    for epoch in range(18):
        assert warm_cosine(3 + epoch, 20, 3e-3, warmup_epochs=3) == pytest.approx(scheduler.get_last_lr()[0], abs=1e-12)
        scheduler.step()
    assert warm_cosine(0, 20, 3e-3) == 3e-3
    assert [warm_cosine(epoch, 2, 1.0, warmup_epochs=4) for epoch in (0, 1, 2, 3)] == [
        0,
        0.25,
        0,
        0,
    ]  # ends in its rise
