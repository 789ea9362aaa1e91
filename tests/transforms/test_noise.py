import json

import jaxtyping
import numpy as np
import pytest
import torch

from cohear import keys
from cohear.dsp.noise import colored_noise, gaussian_noise
from cohear.transforms import AddNoise
from cohear.transforms.noise import AddNoiseParameters

SOME_KEYS = keys.fold_in(keys.key(0, "views"), np.arange(4))


def some_clips() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, 6_001, generator=generator) * torch.tensor([[1.0], [1e-4], [30.0], [0.1]])


@pytest.mark.parametrize("color", ["white", "pink", "brown"])
def test_each_clip_gets_noise_at_exactly_its_ratio(color):
    clips, transform = some_clips(), AddNoise((-10.0, 40.0), color=color, sample_rate=8000)
    parameters = transform.draw(SOME_KEYS)
    noise = transform.apply(clips.double(), parameters) - clips.double()
    found_db = 10 * torch.log10(clips.double().square().sum(1) / noise.square().sum(1))
    np.testing.assert_allclose(found_db, parameters.snr_db, atol=1e-6)


@pytest.mark.parametrize("color", ["white", "pink"])
def test_the_noise_is_that_of_its_key(color):
    clips, transform = some_clips(), AddNoise(color=color, sample_rate=8000)
    parameters = transform.draw(SOME_KEYS)
    noise = transform.apply(clips.double(), parameters) - clips.double()
    expected = colored_noise(parameters.noise_key, 6_001, color, 8000).double()
    ratios = noise / expected
    torch.testing.assert_close(ratios, ratios[:, :1].expand_as(ratios))
    assert not np.isin(parameters.noise_key, SOME_KEYS).any()


def test_white_noise_does_not_know_the_sample_rate():
    clips, parameters = some_clips(), AddNoise().draw(SOME_KEYS)
    assert torch.equal(AddNoise(sample_rate=8000).apply(clips, parameters), AddNoise().apply(clips, parameters))
    assert torch.equal(colored_noise(SOME_KEYS, 9, "white", 8000), gaussian_noise(SOME_KEYS, 9))


def test_a_silent_clip_among_others_stays_silent():
    clips = some_clips()
    clips[2] = 0.0
    changed = AddNoise(color="brown").apply(clips, AddNoise().draw(SOME_KEYS))
    assert changed.any(dim=1).tolist() == [True, True, False, True]


def test_all_64_bits_of_a_key_survive_json():
    noise_key = np.array([2**64 - 1, 2**63 + 1, 2**53 + 1, 5], np.uint64)
    parameters = AddNoiseParameters(np.array([5.0, 6.0, 7.0, 8.25]), noise_key, np.full(4, "pink"))
    read = AddNoiseParameters.from_json(json.loads(json.dumps(parameters.to_json())))
    assert read.noise_key.dtype == np.uint64
    assert read.noise_key.tolist() == noise_key.tolist()
    assert read.take([3]).describe() == ["noise at 8.2 dB SNR (pink)"]


def test_under_autocast_the_result_is_the_same():
    clips, transform = some_clips(), AddNoise(color="pink")
    parameters = transform.draw(SOME_KEYS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = transform.apply(clips, parameters)
    assert torch.equal(found, transform.apply(clips, parameters))


def test_the_gradient_is_that_of_finite_differences():
    parameters = AddNoise().draw(SOME_KEYS[:2])
    clips = some_clips()[:2, :6].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda batch: AddNoise().apply(batch, parameters), clips)


def test_impossible_noise_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match="a signal-to-noise ratio from 30 to 5 dB"):
        AddNoise((30.0, 5.0))
    with pytest.raises(ValueError, match="color 'purple': give 'white', 'pink' or 'brown'"):
        AddNoise(color="purple")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a sample rate of 0 Hz: give a positive number"):
        AddNoise(sample_rate=0)
