import numpy as np
import scipy.signal
import torch

from cohear.dsp.response_bank import ResponseBank
from cohear.transforms import Reverb, reverberate

BANK = Reverb(n_rooms=6, rt60_s=(0.2, 0.4), sample_rate=8000, seed=2)


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


def test_the_energy_of_each_clip_is_kept():
    generator = torch.Generator().manual_seed(0)
    waveforms = torch.randn(3, 20_000, generator=generator) * torch.tensor([[1.0], [0.001], [30.0]])
    responses = torch.randn(3, 4_000, generator=generator) * torch.exp(-torch.arange(4_000) / 500)
    ratios = reverberate(waveforms, responses).square().mean(1) / waveforms.square().mean(1)
    torch.testing.assert_close(ratios, torch.ones(3))


def test_a_given_bank_is_used_instead_of_made_up_rooms():
    bank = own_bank()
    reverb = Reverb(n_rooms=0, sample_rate=8000, bank=bank)  # the made-up rooms' settings do not count
    waveforms = torch.randn(40, 2_000, generator=torch.Generator().manual_seed(0))
    parameters = reverb.draw(np.arange(40, dtype=np.uint64))
    assert set(parameters.response.tolist()) == {0, 1, 2}
    expected = reverberate(waveforms, torch.from_numpy(bank.responses[parameters.response]))
    assert torch.equal(reverb.apply(waveforms, parameters), expected)
    assert reverb.content_hash() == bank.fingerprint


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
