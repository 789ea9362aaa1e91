import numpy as np
import pytest
import torch

from cohear import keys
from cohear.transforms import Choose, PitchShift, Reverb
from cohear.transforms.compose import ChooseParameters

PITCH = PitchShift(semitones=(-1.0, 1.0, 2.0), sample_rate=8000)
REVERB = Reverb(n_rooms=4, rt60_s=(0.2, 0.3), sample_rate=8000)
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


def test_parameters_of_an_unknown_kind_are_refused_by_name():
    data = Choose((PITCH, REVERB)).draw(SOME_KEYS).to_json()
    data["members"][1]["kind"] = "EchoParameters"
    with pytest.raises(ValueError, match="'EchoParameters'"):
        ChooseParameters.from_json(data)
