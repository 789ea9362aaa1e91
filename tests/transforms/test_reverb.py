import json

import jaxtyping
import numpy as np
import pytest
import scipy.signal
import torch

from cohear.dsp.response_bank import ResponseBank
from cohear.dsp.rooms import room_targets
from cohear.transforms import Choose, Reverb, reverberate
from cohear.transforms.reverb import ReverbParameters

BANK = Reverb(n_responses=6, rt60_range=(0.2, 0.4), sample_rate=8000, seed=2)


def own_bank(sample_rate: int = 8000) -> ResponseBank:
    """Two halls of 1.9 and 0.25 s, and a click that is too short to have a reverberation time."""
    time_s = np.arange(16000) / 8000
    halls = [0.1 * 10 ** (-3 * time_s / rt60_s) for rt60_s in (1.9, 0.25)]
    return ResponseBank(np.float32([*halls, time_s == 0]), sample_rate, ("church.wav", "a/office.wav", "click.wav"))


def test_a_convolution_equals_that_of_scipy_from_the_direct_sound_on():
    generator = torch.Generator().manual_seed(0)
    waveforms = torch.randn(4, 3_001, generator=generator)
    responses = torch.randn(4, 500, generator=generator)
    direct = [0, 499, 123, 250]  # what comes before the direct sound is kept
    responses[range(4), direct] = torch.tensor([9.0, -9.0, 9.0, -9.0])
    found = reverberate(waveforms, responses, level="none").numpy()
    for clip, first in enumerate(direct):
        expected = scipy.signal.fftconvolve(waveforms[clip].double().numpy(), responses[clip].double().numpy())
        np.testing.assert_allclose(found[clip], expected[first : first + 3_001], atol=1e-4)


def test_a_response_longer_than_the_clip_does_not_wrap_around():
    clip = torch.zeros(1, 50)
    clip[0, 10] = 1.0
    response = torch.linspace(1, 0, 400)[None]
    found = reverberate(clip, response, level="none")
    expected = torch.cat((torch.zeros(10), response[0, :40]))
    torch.testing.assert_close(found[0], expected, atol=1e-6, rtol=0)


def test_the_energy_of_each_clip_is_kept():
    generator = torch.Generator().manual_seed(0)
    waveforms = torch.randn(3, 20_000, generator=generator) * torch.tensor([[1.0], [0.001], [30.0]])
    responses = torch.randn(3, 4_000, generator=generator) * torch.exp(-torch.arange(4_000) / 500)
    ratios = reverberate(waveforms, responses).square().mean(1) / waveforms.square().mean(1)
    torch.testing.assert_close(ratios, torch.ones(3))


def test_each_clip_gets_the_response_of_its_room():
    impulses = torch.zeros(3, 2_000)
    impulses[:, 0] = 1.0
    parameters = BANK.draw(np.arange(3, dtype=np.uint64))
    first, second, third = BANK.apply(impulses, parameters)
    for clip, room in zip((first, second, third), parameters.response, strict=True):
        same = BANK.apply(impulses[:1], type(parameters)(np.array([room]), np.array([0.0])))[0]
        torch.testing.assert_close(clip, same)
    assert parameters.rt60_s.tolist() == room_targets(6, (0.2, 0.4), 2)[parameters.response].tolist()


def test_a_silent_response_leaves_silence():
    assert torch.equal(reverberate(torch.ones(1, 50), torch.zeros(1, 9)), torch.zeros(1, 50))


@pytest.mark.parametrize(
    "batch", [torch.zeros(100), torch.zeros(2, 2, 100), torch.zeros(2, 0), torch.ones(2, 9).short()]
)
def test_a_wrong_batch_is_refused_by_the_transform_too(batch: torch.Tensor, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=r"give waveforms|give floating-point samples"):
        BANK(batch)


def test_all_rooms_are_drawn_equally_often():
    counts = np.bincount(BANK.draw(np.arange(6_000, dtype=np.uint64)).response, minlength=6)
    assert counts.min() > 880  # 1000 with a standard deviation of 29


def test_parameters_are_told_with_room_and_time():
    parameters = BANK.draw(np.arange(1, dtype=np.uint64))
    assert parameters.describe() == [f"room {parameters.response[0]} (RT60 {parameters.rt60_s[0]:.2f} s)"]


def test_the_hash_of_a_bank_follows_its_configuration():
    assert BANK.bank_hash() == Reverb(6, (0.2, 0.4), 8000, seed=2).bank_hash()
    assert BANK.bank_hash() != Reverb(6, (0.2, 0.4), 8000, seed=3).bank_hash()
    assert len(BANK.bank_hash()) == 32


@pytest.mark.parametrize(
    ("waveforms", "responses", "level", "message"),
    [
        (torch.zeros(100), torch.ones(1, 10), "energy", r"shape \(100,\) with responses of shape \(1, 10\)"),
        (torch.zeros(2, 100), torch.ones(1, 10), "energy", r"one response per clip, \[B, R\]"),
        (torch.zeros(1, 0), torch.ones(1, 10), "energy", "at least one sample"),
        (torch.zeros(1, 9, dtype=torch.int16), torch.ones(1, 10), "energy", "torch.int16: give floating-point"),
        (torch.zeros(1, 9), torch.ones(1, 10), "peak", "level 'peak': give 'energy' or 'none'"),
    ],
)
def test_wrong_arguments_are_refused_in_one_sentence(
    waveforms: torch.Tensor,
    responses: torch.Tensor,
    level: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=message):
        reverberate(waveforms, responses, level)  # type: ignore[arg-type]


def test_an_impossible_bank_is_refused_before_it_is_made():
    with pytest.raises(ValueError, match="0 room responses: give at least 1"):
        Reverb(n_responses=0)
    with pytest.raises(ValueError, match=r"from 0\.5 to 0\.2 s"):
        Reverb(rt60_range=(0.5, 0.2))


def test_a_given_bank_is_used_instead_of_made_up_rooms():
    bank = own_bank()
    reverb = Reverb(n_responses=0, sample_rate=8000, bank=bank)  # the made-up rooms' settings do not count
    waveforms = torch.randn(40, 2_000, generator=torch.Generator().manual_seed(0))
    parameters = reverb.draw(np.arange(40, dtype=np.uint64))
    assert set(parameters.response.tolist()) == {0, 1, 2}
    expected = reverberate(waveforms, torch.from_numpy(bank.responses[parameters.response]))
    assert torch.equal(reverb.apply(waveforms, parameters), expected)
    assert reverb.bank_hash() == bank.hash()


def test_equal_banks_make_equal_reverbs_and_others_do_not():
    assert Reverb(sample_rate=8000, bank=own_bank()) == Reverb(sample_rate=8000, bank=own_bank())
    assert hash(Reverb(sample_rate=8000, bank=own_bank())) == hash(Reverb(sample_rate=8000, bank=own_bank()))
    louder = ResponseBank(2 * own_bank().responses, 8000, own_bank().names)
    assert Reverb(sample_rate=8000, bank=own_bank()) != Reverb(sample_rate=8000, bank=louder)


def test_responses_of_a_given_bank_are_told_by_name():
    reverb = Reverb(sample_rate=8000, bank=own_bank())
    parameters = reverb.draw(np.arange(40, dtype=np.uint64))
    told = {
        "response church.wav (RT60 1.9 s)",
        "response a/office.wav (RT60 0.25 s)",
        "response click.wav",
    }
    assert set(parameters.describe()) == told
    assert set(Reverb(2, (0.2, 0.3), 8000).draw(np.arange(9, dtype=np.uint64)).describe()).isdisjoint(told)


def test_parameters_of_a_given_bank_are_taken_and_survive_json():
    choose = Choose((Reverb(sample_rate=8000, bank=own_bank()), BANK))
    parameters = choose.draw(np.arange(20, dtype=np.uint64))
    assert isinstance(parameters.members[0], ReverbParameters)
    assert np.isnan(parameters.members[0].rt60_s).any()
    again = type(parameters).from_json(json.loads(json.dumps(parameters.to_json(), allow_nan=False)))
    np.testing.assert_array_equal(again.members[0].rt60_s, parameters.members[0].rt60_s)
    assert again.describe() == parameters.describe()
    assert parameters.take([3, 1]).describe() == [parameters.describe()[3], parameters.describe()[1]]


def test_a_bank_of_another_rate_is_refused():
    with pytest.raises(ValueError, match="a bank of 8000 Hz for clips of 44100 Hz: give sample_rate=8000"):
        Reverb(bank=own_bank())
