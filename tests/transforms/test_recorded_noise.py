import numpy as np
import pytest
import torch

from cohear.dsp.recordings import Recordings
from cohear.transforms import AddRecordedNoise
from cohear.transforms.recorded_noise import AddRecordedNoiseParameters

RNG = np.random.default_rng(0)
RECORDINGS = Recordings([RNG.normal(size=n).astype(np.float32) for n in (10, 500, 37)], sample_rate=8000)
SOME_KEYS = np.arange(3_000, dtype=np.uint64)


@pytest.mark.parametrize(("recording", "start", "first"), [(0, 0.35, 3), (0, 0.0, 0), (1, 0.5, 250), (1, 0.9, 450)])
def test_the_piece_begins_where_it_should_and_the_recording_begins_again(recording: int, start: float, first: int):
    clip = torch.ones(1, 120, dtype=torch.float64)
    parameters = AddRecordedNoiseParameters(np.array([recording]), np.array([start]), np.array([10.0]))
    noise = (AddRecordedNoise(RECORDINGS, sample_rate=8000).apply(clip, parameters) - clip)[0].numpy()
    piece = np.resize(np.roll(RECORDINGS.waveforms[recording].astype(float), -first), 120)
    expected = piece / np.sqrt((piece**2).sum()) * np.sqrt(120 / 10)  # 10 dB: a tenth of the energy of the clip
    np.testing.assert_allclose(noise, expected, atol=1e-9)


def test_each_clip_gets_noise_at_exactly_its_ratio():
    clips = torch.randn(6, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    transform = AddRecordedNoise(RECORDINGS, (-5.0, 40.0), 8000)
    parameters = transform.draw(SOME_KEYS[:6])
    noise = transform.apply(clips, parameters) - clips
    found_db = 10 * torch.log10(clips.square().sum(1) / noise.square().sum(1))
    np.testing.assert_allclose(found_db, parameters.snr_db, atol=1e-6)


def test_recordings_and_places_are_drawn_equally_often():
    parameters = AddRecordedNoise(RECORDINGS, sample_rate=8000).draw(SOME_KEYS)
    assert np.bincount(parameters.recording, minlength=3).min() > 900  # 1000 with a standard deviation of 26
    assert np.histogram(parameters.start, bins=3, range=(0, 1))[0].min() > 900
    assert np.abs(np.corrcoef(np.stack((parameters.recording, parameters.start, parameters.snr_db)))[0, 1:]).max() < 0.1


def test_a_silent_piece_adds_nothing():
    transform = AddRecordedNoise(Recordings(np.zeros((1, 10), np.float32), 8000), sample_rate=8000)
    clips = torch.ones(2, 30).requires_grad_()
    changed = transform.apply(clips, transform.draw(SOME_KEYS[:2]))
    assert torch.equal(changed, clips)
    (gradient,) = torch.autograd.grad(changed.sum(), clips)
    assert torch.equal(gradient, torch.ones(2, 30))


def test_equal_recordings_make_equal_transforms():
    copy = Recordings(list(RECORDINGS.waveforms), 8000)
    assert AddRecordedNoise(copy, sample_rate=8000) == AddRecordedNoise(RECORDINGS, sample_rate=8000)
    assert hash(AddRecordedNoise(copy, sample_rate=8000)) == hash(AddRecordedNoise(RECORDINGS, sample_rate=8000))


def test_recorded_noise_is_told_in_words():
    parameters = AddRecordedNoiseParameters(np.array([12]), np.array([0.34]), np.array([12.34]))
    assert parameters.describe() == ["recording 12 from 34 % on at 12.3 dB SNR"]


def test_an_impossible_ratio_is_refused():
    with pytest.raises(ValueError, match="a signal-to-noise ratio from 30 to 5 dB"):
        AddRecordedNoise(RECORDINGS, (30.0, 5.0), 8000)


def test_recordings_of_another_rate_are_refused():
    with pytest.raises(ValueError, match="recordings of 8000 Hz for clips of 44100 Hz: give sample_rate=8000, or"):
        AddRecordedNoise(RECORDINGS)
