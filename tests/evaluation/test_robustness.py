"""Error rates counted by hand, and networks whose answers to corrupted and changed clips are known."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cohear.data.store import Store
from cohear.evaluation.consistency import PERTURBATIONS, Perturbation, measure_agreement
from cohear.evaluation.corruptions import CORRUPTIONS, SEVERITIES
from cohear.evaluation.measure import NotFiniteError
from cohear.evaluation.robustness import (
    answer_corrupted,
    error_rates,
    mean_corruption_error,
    relative_corruption_error,
)
from cohear.metrics.tasks import MULTI_LABEL, SINGLE_LABEL
from cohear.models import LogMel
from cohear.objectives import jensen_shannon_divergence
from cohear.runs.build import build_front_end, waveform_reader
from cohear.transforms import pitch_shift
from tiny import open_store, tiny_config

ROWS = np.arange(0, 18, 3)


class Constant(nn.Module):
    """Always answers the second of three labels."""

    def forward(self, log_mels: torch.Tensor) -> torch.Tensor:
        return torch.tensor([0.0, 1.0, -1.0]).expand(*log_mels.shape[:-2], -1)


class Pitch(nn.Module):
    """Answers by where the energy lies: low, middle or high bands."""

    def forward(self, log_mels: torch.Tensor) -> torch.Tensor:
        return log_mels.mean(-1).unflatten(-1, (4, 4)).mean(-1)[..., :3] / 5


@pytest.fixture(name="store", scope="module")
def _store(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COHEAR_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return open_store(tones, _config())


@pytest.fixture(name="front_end")
def _front_end() -> LogMel:
    return build_front_end(_config())


def _config():
    return tiny_config()


def _truth(store: Store) -> np.ndarray:
    return np.array([[label in store.clips[row].labels for label in store.classes] for row in ROWS])


def test_rates_are_counted_over_clips_and_averaged_over_corruptions_and_severities():
    right = np.ones((len(CORRUPTIONS), len(SEVERITIES), 4), bool)
    right[0, 4, :2] = False
    right[3] = False
    rates = error_rates(right)
    assert (rates[0, 4], rates[0, 3], rates[3, 0]) == (0.5, 0.0, 1.0)
    assert mean_corruption_error(right) == pytest.approx((0.5 + 5) / 55)


def test_a_relative_error_weighs_every_corruption_alike():
    baseline = np.array([[0.1] * 5, [0.8] * 5])
    assert relative_corruption_error(baseline, baseline) == 1.0
    assert relative_corruption_error(np.array([[0.2] * 5, [0.4] * 5]), baseline) == pytest.approx((2 + 0.5) / 2)
    assert relative_corruption_error(baseline, np.array([[0.0] * 5, [0.8] * 5])) is None


def test_networks_hear_each_clip_corrupted_by_its_own_key(store, front_end, monkeypatch):
    few = tuple(CORRUPTIONS[place] for place in (0, 5, 9))
    monkeypatch.setattr("cohear.evaluation.robustness.CORRUPTIONS", few)
    monkeypatch.setattr("cohear.evaluation.robustness.BATCH_CLIPS", 4)
    read, truth = waveform_reader(store, torch.device("cpu")), _truth(store)
    shares: list[float] = []
    constant, by_pitch = answer_corrupted(
        [Constant(), Pitch()], front_end, store, ROWS, read, truth, SINGLE_LABEL, on_progress=shares.append
    )
    assert (constant == truth[:, 1]).all()
    for place, corruption in enumerate(few):
        sounds = corruption.apply(read(ROWS), store.clip_keys[ROWS], 3, store.sample_rate)
        said = Pitch()(front_end(sounds)).argmax(1).numpy()
        assert np.array_equal(by_pitch[place, 2], said == _truth(store).argmax(axis=1))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


class Nothing(nn.Module):
    """Answers no number."""

    def forward(self, log_mels: torch.Tensor) -> torch.Tensor:
        return log_mels[..., 0, :3] * math.nan


def test_answers_that_are_no_numbers_are_refused_with_who_gave_them(store, front_end):
    read, networks = waveform_reader(store, torch.device("cpu")), [Constant(), Nothing()]
    with pytest.raises(NotFiniteError) as refused:
        answer_corrupted(networks, front_end, store, ROWS, read, _truth(store), SINGLE_LABEL)
    assert refused.value.network is networks[1]
    with pytest.raises(NotFiniteError) as refused:
        measure_agreement(networks, front_end, store, ROWS, read, SINGLE_LABEL)
    assert refused.value.network is networks[1]


@pytest.fixture(name="few")
def _few(monkeypatch):
    few = (Perturbation("pitch", 4.0), Perturbation("masking", 0.4))
    monkeypatch.setattr("cohear.evaluation.consistency.PERTURBATIONS", few)
    return few


def test_what_ignores_the_sound_agrees_with_itself_and_what_hears_pitch_does_not(store, front_end, few):
    read = waveform_reader(store, torch.device("cpu"))
    constant, by_pitch = measure_agreement([Constant(), Pitch()], front_end, store, ROWS, read, SINGLE_LABEL)
    assert not any(agreement.flipped.any() for agreement in constant)
    assert max(np.abs(agreement.jsd).max() for agreement in constant) < 1e-6
    assert [agreement.perturbation for agreement in by_pitch] == list(few)
    clips = read(ROWS)
    logits = torch.stack([Pitch()(front_end(w)) for w in (clips, pitch_shift(clips, [4.0] * 6, store.sample_rate))])
    np.testing.assert_allclose(by_pitch[0].jsd, jensen_shannon_divergence(logits).numpy(), atol=1e-5)
    assert np.array_equal(by_pitch[0].flipped, (logits[0].argmax(1) != logits[1].argmax(1)).numpy())


def test_of_several_labels_each_that_crosses_one_half_is_a_flip(store, front_end, few):
    read = waveform_reader(store, torch.device("cpu"))
    ((agreement, _),) = measure_agreement([Pitch()], front_end, store, ROWS, read, MULTI_LABEL)
    clips = read(ROWS)
    higher = pitch_shift(clips, [few[0].strength] * 6, store.sample_rate)
    clean, changed = (Pitch()(front_end(waveforms)).numpy() >= 0 for waveforms in (clips, higher))
    assert np.array_equal(agreement.flipped, (clean != changed).any(1))


@pytest.mark.parametrize("perturbation", PERTURBATIONS, ids=lambda its: f"{its.kind} {its.strength:g}")
def test_a_perturbation_has_the_strength_that_it_says(perturbation):
    parameters = perturbation.transform(22050).draw(np.array([3, 4], np.uint64))
    if perturbation.kind == "masking":
        assert perturbation.transform(22050).max_band_share == perturbation.strength
        assert parameters.n_frame_masks.tolist() == [1, 1]
    else:
        drawn = parameters.semitones if perturbation.kind == "pitch" else parameters.rt60_s
        assert drawn.tolist() == [perturbation.strength] * 2
