import jaxtyping
import numpy as np
import pytest
import torch

from cohear import keys
from cohear.transforms import Chain, Choose, PitchShift, Reverb, SpecAugment
from cohear.transforms.compose import ChooseParameters

PITCH = PitchShift(semitones=(-1.0, 1.0, 2.0), sample_rate=8000)
REVERB = Reverb(n_responses=4, rt60_range=(0.2, 0.3), sample_rate=8000)
SOME_KEYS = keys.fold_in(keys.key(0, "views"), np.arange(8))


@pytest.fixture
def waveforms() -> torch.Tensor:
    return torch.randn(8, 4_000, generator=torch.Generator().manual_seed(0))


def test_choose_applies_to_each_clip_the_member_that_was_drawn_for_it(waveforms: torch.Tensor):
    transform = Choose((PITCH, REVERB))
    parameters = transform.draw(SOME_KEYS)
    changed = transform.apply(waveforms, parameters)
    assert set(parameters.choice.tolist()) == {0, 1}
    everything = [t.apply(waveforms, p) for t, p in zip((PITCH, REVERB), parameters.members, strict=True)]
    for clip, chosen in enumerate(parameters.choice):
        torch.testing.assert_close(changed[clip], everything[chosen][clip])


def test_choose_follows_its_probabilities():
    many = keys.fold_in(keys.key(0, "views"), np.arange(10_000))
    choice = Choose((PITCH, REVERB, PITCH), probabilities=(0.2, 0.0, 0.8)).draw(many).choice
    shares = np.bincount(choice, minlength=3) / 10_000
    np.testing.assert_allclose(shares, [0.2, 0, 0.8], atol=0.02)
    equal = np.bincount(Choose((PITCH, REVERB, PITCH)).draw(many).choice) / 10_000
    np.testing.assert_allclose(equal, 1 / 3, atol=0.02)


def test_the_draws_of_members_are_independent():
    many = keys.fold_in(keys.key(0, "views"), np.arange(10_000))
    first, second = Chain((PITCH, PITCH)).draw(many).members
    assert (first.semitones == second.semitones).mean() == pytest.approx(1 / 3, abs=0.03)
    drawn = Choose((PITCH, REVERB)).draw(many)
    assert abs(np.corrcoef(drawn.choice, drawn.members[0].semitones)[0, 1]) < 0.03


def test_chain_applies_its_members_in_order(waveforms: torch.Tensor):
    transform = Chain((REVERB, PITCH))
    parameters = transform.draw(SOME_KEYS)
    expected = PITCH.apply(REVERB.apply(waveforms, parameters.members[0]), parameters.members[1])
    assert torch.equal(transform.apply(waveforms, parameters), expected)


def test_only_the_chosen_clips_are_computed(waveforms: torch.Tensor, monkeypatch: pytest.MonkeyPatch):
    computed = []

    def counting_apply(self: Reverb, batch: torch.Tensor, parameters: object) -> torch.Tensor:
        computed.append(len(batch))
        return batch

    monkeypatch.setattr(Reverb, "apply", counting_apply)
    transform = Choose((REVERB, REVERB))
    parameters = transform.draw(SOME_KEYS)
    assert torch.equal(transform.apply(waveforms, parameters), waveforms)
    assert computed == np.bincount(parameters.choice).tolist()


def test_compositions_tell_what_happens_to_each_clip():
    chosen = Choose((PITCH, REVERB)).draw(SOME_KEYS)
    for text, choice in zip(chosen.describe(), chosen.choice, strict=True):
        assert text.startswith("pitch" if choice == 0 else "room")
    text = Chain((PITCH, REVERB)).draw(SOME_KEYS).describe()[0]
    assert text.startswith("pitch")
    assert ", room " in text


def test_members_of_two_domains_are_refused():
    with pytest.raises(ValueError, match="transforms of log_mel and waveform"):
        Choose((PITCH, SpecAugment()))
    with pytest.raises(ValueError, match="give at least one transform"):
        Chain(())


@pytest.mark.parametrize("probabilities", [(1.0,), (0.5, 0.4), (1.5, -0.5)])
def test_impossible_probabilities_are_refused(probabilities: tuple[float, ...]):
    with pytest.raises(ValueError, match="for 2 transforms: give one per transform"):
        Choose((PITCH, REVERB), probabilities)


def test_parameters_of_an_unknown_kind_are_refused_by_name():
    data = Choose((PITCH, REVERB)).draw(SOME_KEYS).to_json()
    data["members"][1]["kind"] = "EchoParameters"
    with pytest.raises(ValueError, match="parameters of the unknown kind 'EchoParameters': give what to_json wrote"):
        ChooseParameters.from_json(data)


def test_lists_of_transforms_serve_as_tuples(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    assert hash(Chain([PITCH, REVERB])) == hash(Chain((PITCH, REVERB)))
    assert Choose([PITCH, REVERB], [0.5, 0.5]) == Choose((PITCH, REVERB), (0.5, 0.5))
