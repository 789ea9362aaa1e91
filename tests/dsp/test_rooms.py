import numpy as np
import pytest
import scipy.signal
import torch

from cohear.dsp.rooms import reverberation_time, reverberation_times, room_responses, room_targets


def schroeder_t30(response: np.ndarray, sample_rate: int) -> float:
    """T30 as ISO 3382-1 writes it, sample by sample in float64."""
    decay = np.cumsum(response[::-1].astype(np.float64) ** 2)[::-1]
    decay_db = 10 * np.log10(decay / decay[0])
    fitted = (decay_db <= -5) & (decay_db >= -35)
    slope, _ = np.polyfit(np.arange(len(response))[fitted] / sample_rate, decay_db[fitted], 1)
    return -60 / slope


@pytest.mark.slow
def test_each_of_the_500_rooms_has_its_reverberation_time():
    responses = room_responses(500)
    measured_s = np.array([schroeder_t30(response, 44100) for response in responses[::10].numpy()])
    targets_s = room_targets(500)
    assert np.abs(measured_s / targets_s[::10] - 1).max() < 0.05
    np.testing.assert_allclose(reverberation_times(responses[::10].double(), 44100), measured_s, rtol=1e-6)
    all_s = reverberation_times(responses, 44100).numpy()
    assert np.abs(all_s / targets_s - 1).max() < 0.05
    assert targets_s.min() >= 0.2
    assert targets_s.max() < 1.0


@pytest.mark.parametrize(
    ("rt60_range", "sample_rate"), [((0.1, 0.15), 44100), ((0.3, 0.3), 8000), ((0.2, 1.0), 22050), ((3.0, 4.0), 16000)]
)
def test_times_are_right_in_other_ranges_and_at_other_rates(rt60_range: tuple[float, float], sample_rate: int):
    responses = room_responses(10, rt60_range, sample_rate, seed=7)
    assert responses.shape == (10, np.ceil(rt60_range[1] * sample_rate))
    for response, target_s in zip(responses, room_targets(10, rt60_range, seed=7), strict=True):
        assert reverberation_time(response, sample_rate) == pytest.approx(target_s, rel=0.05)


def test_the_direct_sound_is_first_and_largest_and_the_energy_is_one():
    responses = room_responses(50, (0.2, 0.6), 16000)
    assert responses.dtype == torch.float32
    assert (responses.abs().argmax(dim=1) == 0).all()
    assert (responses[:, 0] > 0).all()
    torch.testing.assert_close(responses.square().sum(dim=1), torch.ones(50))


def test_treble_decays_faster_than_bass():
    response = room_responses(1, (0.8, 0.8), 44100, seed=1)[0]
    times_s = []
    for band_hz in ((150, 800), (6000, 16000)):
        sections = scipy.signal.butter(4, band_hz, "bandpass", fs=44100, output="sos")
        times_s.append(reverberation_time(scipy.signal.sosfilt(sections, response.numpy()), 44100))
    assert times_s[1] < 0.7 * times_s[0]


def test_a_room_depends_on_the_seed_and_its_number_only():
    ten = room_responses(10, (0.2, 0.3), 8000, seed=5)
    assert torch.equal(room_responses(30, (0.2, 0.3), 8000, seed=5)[:10], ten)
    assert not torch.equal(room_responses(10, (0.2, 0.3), 8000, seed=6), ten)
    assert len({float(response[1000]) for response in ten}) == 10


def test_an_exponential_decay_has_its_known_time():
    time_s = np.arange(16000) / 16000
    for rt60_s in (0.2, 0.45, 0.9):
        assert reverberation_time(10 ** (-3 * time_s / rt60_s), 16000) == pytest.approx(rt60_s, rel=2e-3)


@pytest.mark.parametrize("response", [torch.zeros(1000), torch.eye(1000)[0]])
def test_silence_and_bare_impulses_have_no_reverberation_time(response: torch.Tensor):
    with pytest.raises(ValueError, match="neither silent nor a bare impulse"):
        reverberation_time(response, 8000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, (0.2, 1.0), 44100), "0 room responses: give at least 1"),
        ((1, (1.0, 0.2), 44100), "from 1 to 0.2 s: give 0.1 <= shortest"),
        ((1, (0.01, 0.2), 44100), "from 0.01 to 0.2 s"),
        ((1, (0.2, 1.0), 4000), "4000 Hz for room responses: give at least 8000 Hz"),
    ],
)
def test_impossible_rooms_are_refused(arguments: tuple, message: str):
    with pytest.raises(ValueError, match=message):
        room_responses(*arguments)
