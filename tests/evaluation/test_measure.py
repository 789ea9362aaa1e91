"""Hand-computed: networks whose answers are known."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cohear.evaluation.answering import MULTI_LABEL, SINGLE_LABEL, NotFiniteError
from cohear.evaluation.fixed_views import FixedViews
from cohear.evaluation.measure import Answers, answer, score
from cohear.evaluation.shown_clips import show_clips
from cohear.experiments.build import build_view_maker, prepare_data
from cohear.experiments.presets import change, parse_override, preset
from cohear.experiments.resident_clips import waveform_reader
from cohear.objectives import bernoulli_jensen_shannon_divergence
from tiny import TINY


class Constant(nn.Module):
    """Always gives the same answer, and notes its mode."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits, self.modes = torch.tensor(logits), []

    def forward(self, log_mels: torch.Tensor) -> torch.Tensor:
        self.modes.append(self.training)
        return self.logits.expand(*log_mels.shape[:-2], -1)


class Loudness(nn.Module):
    """Answers by how loud a view is, so that views of a clip differ."""

    def forward(self, log_mels: torch.Tensor) -> torch.Tensor:
        return log_mels.mean((-2, -1))[..., None] / 10 * torch.tensor([1.0, -1.0, 0.5])


@pytest.fixture
def views(tones: Path) -> FixedViews:
    config = change(preset("small"), dict(parse_override(text) for text in TINY))
    store = prepare_data(tones, config).store
    return FixedViews(
        store,
        np.arange(len(store)),
        build_view_maker(config, "combination"),
        waveform_reader(store, torch.device("cpu")),
    )


def test_a_constant_network_is_as_likely_as_it_says_and_perfectly_consistent(views):
    network = Constant([math.log(2), 0.0, 0.0])
    answers = answer(network, views)
    assert answers is not None
    scores = score(answers, views.targets)
    assert scores.accuracy == pytest.approx(1 / 3)
    assert scores.nll == pytest.approx((math.log(2) + 2 * math.log(4)) / 3, rel=1e-6)
    assert scores.jsd == pytest.approx(0, abs=1e-7)


def test_any_number_of_labels_is_answered_by_sigmoids_and_right_where_all_are(views):
    views.targets = np.array([[1, 0, 0], [1, 0, 1], [0, 0, 0]], np.float32)[np.arange(18) % 3]
    answers = answer(Constant([math.log(3), -math.log(3), -math.log(3)]), views)  # 75, 25, 25 %
    assert answers is not None
    np.testing.assert_allclose(np.exp(answers.log_probabilities[0, 0]), [0.75, 0.25, 0.25], rtol=1e-6)
    scores = score(answers, views.targets)
    assert scores.accuracy == pytest.approx(1 / 3)
    right, wrong = -math.log(0.75), -math.log(0.25)
    assert scores.nll == pytest.approx((7 * right + 2 * wrong) / 9, rel=1e-6)
    assert scores.jsd == pytest.approx(0, abs=1e-7)


def test_the_divergence_is_that_of_the_way_to_answer_which_the_targets_or_the_caller_say(views):
    network = Loudness()
    logits = torch.cat([network(log_mels) for log_mels in views.batches()], dim=1)
    expected = bernoulli_jensen_shannon_divergence(logits).numpy()
    told = answer(network, views, answering=MULTI_LABEL)
    single = answer(network, views)
    views.targets = np.ones((18, 3), np.float32)
    several = answer(network, views)
    assert told is not None
    assert single is not None
    assert several is not None
    np.testing.assert_array_equal(several.jsd, expected)
    np.testing.assert_array_equal(told.jsd, expected)
    np.testing.assert_allclose(single.log_probabilities, logits.log_softmax(-1).numpy(), rtol=1e-6)
    assert not np.allclose(single.jsd, expected, rtol=0.1, atol=0)


def test_a_wrong_answer_of_any_certainty_has_a_finite_likelihood():
    certain = Answers(
        torch.nn.functional.logsigmoid(torch.tensor([[[200.0, -200.0]]])).numpy(), np.zeros(1, np.float32)
    )
    assert score(certain, np.array([[1, 0]], np.float32)).nll == pytest.approx(0, abs=1e-40)
    assert 150 < score(certain, np.array([[0, 1]], np.float32)).nll < 200
    assert SINGLE_LABEL.nll(np.array([[0.0, -200.0]]), np.array([1])) == 200


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("answering", [SINGLE_LABEL, MULTI_LABEL])
def test_answers_that_are_no_numbers_are_refused_with_who_gave_them(views, value, answering):
    network = Constant([0.0, value, 0.0])
    with pytest.raises(NotFiniteError, match="lower optimizer") as refused:
        answer(network, views, answering=answering)
    assert refused.value.network is network


def test_it_is_asked_in_eval_mode_and_its_mode_is_put_back(views):
    network = Constant([0.0, 0.0, 0.0]).train()
    answer(network, views)
    assert network.training
    assert set(network.modes) == {False}


def test_views_are_made_once_and_are_the_same_whoever_makes_them_in_whatever_order(tones, views):
    first = torch.cat(list(views.batches()), dim=1)
    assert [batch.data_ptr() for batch in views.batches()] == [batch.data_ptr() for batch in views.batches()]
    config = change(preset("small"), {**dict(parse_override(text) for text in TINY), "seed": 9})
    store = prepare_data(tones, config).store
    order = np.arange(len(store))[::-1].copy()
    others = FixedViews(
        store, order, build_view_maker(config, "combination"), waveform_reader(store, torch.device("cpu"))
    )
    again = torch.cat(list(others.batches()), dim=1)
    torch.testing.assert_close(again.flip(1), first, rtol=0, atol=2e-3)


def test_stopping_gives_no_answer(views):
    assert answer(Constant([0.0, 0.0, 0.0]), views, should_stop=lambda: True) is None


def test_samples_show_the_views_that_were_measured(tones, views):
    config = change(preset("small"), dict(parse_override(text) for text in TINY))
    store = prepare_data(tones, config).store
    samples = show_clips(Constant([0.0, 1.0, 0.0]), store, np.array([0, 5]), build_view_maker(config, "combination"))
    measured = torch.cat(list(views.batches()), dim=1)
    for sample, row in zip(samples, (0, 5), strict=True):
        assert sample.views[0].description == "clean"
        np.testing.assert_array_equal(sample.views[0].waveform, store.read([row])[0])
        for number, view in enumerate(sample.views):
            np.testing.assert_allclose(view.log_mel, measured[number, row].numpy(), atol=2e-3)
            assert view.probabilities.argmax() == 1


@pytest.mark.parametrize(
    ("logits", "temperature"), [([0.0, math.nan, 0.0], 1.0), ([3e38, -3e38, 0.0], 9.0), ([1e9, 0.0, 0.0], 1e-30)]
)
def test_samples_with_answers_that_are_no_numbers_are_refused(tones, logits, temperature):
    config = change(preset("small"), dict(parse_override(text) for text in TINY))
    store, view_maker = prepare_data(tones, config).store, build_view_maker(config, "combination")
    with pytest.raises(NotFiniteError):
        show_clips(Constant(logits), store, np.array([0]), view_maker, temperature)
