"""Hand-computed: networks whose answers are known."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cohear.evaluation.measure import Answers, FixedViews, NotFiniteError, answer, score
from cohear.judging.shown_clips import show_clips
from cohear.metrics.tasks import MULTI_LABEL, SINGLE_LABEL
from cohear.objectives import LIKELIHOODS
from cohear.runs.build import build_view_maker, waveform_reader
from cohear.runs.presets import change
from tiny import open_store, tiny_config

CPU = torch.device("cpu")


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


def make_views(tones: Path, order: int = 1, **changes: Any) -> FixedViews:
    config = change(tiny_config(), changes)
    store = open_store(tones, config)
    view_maker = build_view_maker(config, "combination")
    return FixedViews(store, np.arange(len(store))[::order].copy(), view_maker, waveform_reader(store, CPU))


@pytest.fixture
def views(tones: Path) -> FixedViews:
    return make_views(tones)


def batches(views: FixedViews) -> list[torch.Tensor]:
    return [views.batch(number) for number in range(views.n_batches)]


def test_a_constant_network_is_as_likely_as_it_says_and_perfectly_consistent(views):
    answers = answer(Constant([math.log(2), 0.0, 0.0]), views, SINGLE_LABEL)
    assert answers is not None
    scores = score(answers, np.arange(18) % 3, SINGLE_LABEL)
    assert scores.accuracy == pytest.approx(1 / 3)
    assert scores.nll == pytest.approx((math.log(2) + 2 * math.log(4)) / 3, rel=1e-6)
    assert scores.jsd == pytest.approx(0, abs=1e-7)


def test_any_number_of_labels_is_answered_by_sigmoids_and_right_where_all_are(views):
    targets = np.array([[1, 0, 0], [1, 0, 1], [0, 0, 0]], np.float32)[np.arange(18) % 3]
    answers = answer(Constant([math.log(3), -math.log(3), -math.log(3)]), views, MULTI_LABEL)  # 75, 25, 25 %
    assert answers is not None
    np.testing.assert_allclose(np.exp(answers.log_probabilities[0, 0]), [0.75, 0.25, 0.25], rtol=1e-6)
    scores = score(answers, targets, MULTI_LABEL)
    assert scores.accuracy == pytest.approx(1 / 3)
    right, wrong = -math.log(0.75), -math.log(0.25)
    assert scores.nll == pytest.approx((7 * right + 2 * wrong) / 9, rel=1e-6)
    assert scores.jsd == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("task", [SINGLE_LABEL, MULTI_LABEL])
def test_the_divergence_is_that_of_the_likelihood_of_the_task(views, task):
    answers, logits = answer(Loudness(), views, task), torch.cat([Loudness()(batch) for batch in batches(views)], 1)
    assert answers is not None
    np.testing.assert_array_equal(answers.logits, logits.numpy())
    expected = LIKELIHOODS[task.likelihood].jensen_shannon_divergence(logits)
    np.testing.assert_array_equal(answers.jsd, expected.numpy())


class Pair:
    """As much as measuring knows of a fabric, of two processes that are two threads."""

    def __init__(self, rank: int, sent: list[Any], meeting: threading.Barrier) -> None:
        self.global_rank, self.world_size, self.device = rank, 2, torch.device("cpu")
        self.sent, self.meeting = sent, meeting

    def all_reduce(self, values: torch.Tensor, reduce_op: str) -> torch.Tensor:
        self.sent[self.global_rank] = values
        self.meeting.wait(60)
        found = torch.stack(self.sent)
        self.meeting.wait(60)
        return found.amax(0) if reduce_op == "max" else found.sum(0)


def answer_together(networks: list[nn.Module], of_each: list[FixedViews], stops: list[bool]) -> list[Answers | None]:
    sent, meeting = [None, None], threading.Barrier(2)

    def of(rank: int) -> Answers | None:
        fabric: Any = Pair(rank, sent, meeting)
        return answer(networks[rank], of_each[rank], SINGLE_LABEL, lambda: stops[rank], fabric)

    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(of, (0, 1)))


def test_processes_answer_some_batches_each_and_all_have_the_answers_of_one(tones, views, monkeypatch):
    for batch_clips in (4, 16, 18):  # five batches, two, and one for two processes
        monkeypatch.setattr("cohear.evaluation.measure.BATCH_CLIPS", batch_clips)
        alone = answer(Loudness(), make_views(tones), SINGLE_LABEL)
        parts = [make_views(tones), make_views(tones)]
        for together in answer_together([Loudness(), Loudness()], parts, [False, False]):
            assert together is not None
            for name, values in vars(alone).items():
                np.testing.assert_array_equal(getattr(together, name), values)
        asked = [set(part._cache) for part in parts]
        assert asked[0].isdisjoint(asked[1])
        assert asked[0] | asked[1] == set(range(views.n_batches))


def test_where_one_process_stops_measuring_all_do(tones):
    networks: list[nn.Module] = [Loudness(), Loudness()]
    assert answer_together(networks, [make_views(tones), make_views(tones)], [False, True]) == [None, None]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("task", [SINGLE_LABEL, MULTI_LABEL])
def test_answers_that_are_no_numbers_are_refused_with_who_gave_them(views, value, task):
    network = Constant([0.0, value, 0.0])
    with pytest.raises(NotFiniteError) as refused:
        answer(network, views, task)
    assert refused.value.network is network


def test_it_is_asked_in_eval_mode_and_its_mode_is_put_back(views):
    network = Constant([0.0, 0.0, 0.0]).train()
    answer(network, views, SINGLE_LABEL)
    assert network.training
    assert set(network.modes) == {False}


def test_views_are_made_once_and_are_the_same_whoever_makes_them_in_whatever_order(tones, views):
    first = torch.cat(batches(views), dim=1)
    assert [batch.data_ptr() for batch in batches(views)] == [batch.data_ptr() for batch in batches(views)]
    again = torch.cat(batches(make_views(tones, order=-1, seed=9)), dim=1)
    torch.testing.assert_close(again.flip(1), first, rtol=0, atol=2e-3)


def test_stopping_gives_no_answer(views):
    assert answer(Constant([0.0, 0.0, 0.0]), views, SINGLE_LABEL, should_stop=lambda: True) is None


def test_samples_show_the_views_that_were_measured(tones, views):
    config = tiny_config()
    store = open_store(tones, config)
    samples = show_clips(
        Constant([0.0, 1.0, 0.0]), store, np.array([0, 5]), build_view_maker(config, "combination"), SINGLE_LABEL
    )
    measured = torch.cat(batches(views), dim=1)
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
    config = tiny_config()
    store, view_maker = open_store(tones, config), build_view_maker(config, "combination")
    with pytest.raises(NotFiniteError):
        show_clips(Constant(logits), store, np.array([0]), view_maker, SINGLE_LABEL, temperature)
