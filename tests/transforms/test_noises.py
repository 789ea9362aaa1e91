import numpy as np
import pytest
import torch

from cohear import keys
from cohear.dsp.noise import colored_noise
from cohear.dsp.recordings import Recordings
from cohear.transforms import AddNoise, AddRecordedNoise
from cohear.transforms.noise import AddNoiseParameters, AddRecordedNoiseParameters

RNG = np.random.default_rng(0)
RECORDINGS = Recordings([RNG.normal(size=n).astype(np.float32) for n in (10, 500, 37)], sample_rate=8000)
SOME_KEYS = keys.fold_in(keys.key(0, "views"), np.arange(4))


@pytest.mark.parametrize("noise", ["white", "pink", "brown", RECORDINGS], ids=str)
def test_each_clip_gets_its_noise_at_exactly_its_ratio(noise):
    clips = torch.randn(4, 6_001, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    clips *= torch.tensor([[1.0], [1e-4], [30.0], [0.1]])
    limits = (-10.0, 40.0)
    transform = AddNoise(limits, noise, 8000) if isinstance(noise, str) else AddRecordedNoise(noise, limits, 8000)
    parameters = transform.draw(SOME_KEYS)
    added = transform.apply(clips, parameters) - clips
    found_db = 10 * torch.log10(clips.square().sum(1) / added.square().sum(1))
    np.testing.assert_allclose(found_db, parameters.snr_db, atol=1e-6)
    if isinstance(parameters, AddNoiseParameters):
        ratios = added / colored_noise(parameters.noise_key, 6_001, noise, 8000).double()
        torch.testing.assert_close(ratios, ratios[:, :1].expand_as(ratios))
        assert not np.isin(parameters.noise_key, SOME_KEYS).any()


@pytest.mark.parametrize(("recording", "start", "first"), [(0, 0.35, 3), (0, 0.0, 0), (1, 0.5, 250), (1, 0.9, 450)])
def test_the_piece_begins_where_it_should_and_the_recording_begins_again(recording: int, start: float, first: int):
    clip = torch.ones(1, 120, dtype=torch.float64)
    parameters = AddRecordedNoiseParameters(np.array([recording]), np.array([start]), np.array([10.0]))
    noise = (AddRecordedNoise(RECORDINGS, sample_rate=8000).apply(clip, parameters) - clip)[0].numpy()
    piece = np.resize(np.roll(RECORDINGS.waveforms[recording].astype(float), -first), 120)
    expected = piece / np.sqrt((piece**2).sum()) * np.sqrt(120 / 10)  # 10 dB: a tenth of the energy of the clip
    np.testing.assert_allclose(noise, expected, atol=1e-9)
