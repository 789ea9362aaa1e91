from collections.abc import Iterator

import numpy as np
import pytest
import torch

from cohear.dsp.rooms import reverberation_time, room_responses, room_targets, shoebox_keys, shoeboxes


def schroeder_t30(response: np.ndarray, sample_rate: int) -> float:
    """T30 as ISO 3382-1 writes it, sample by sample in float64."""
    decay = np.cumsum(response[::-1].astype(np.float64) ** 2)[::-1]
    decay_db = 10 * np.log10(decay / decay[0])
    fitted = (decay_db <= -5) & (decay_db >= -35)
    slope, _ = np.polyfit(np.arange(len(response))[fitted] / sample_rate, decay_db[fitted], 1)
    return -60 / slope


@pytest.mark.parametrize(
    ("n", "rt60_range", "sample_rate"),
    [
        pytest.param(500, (0.2, 1.0), 44100, marks=pytest.mark.slow),
        (10, (0.1, 0.15), 44100),
        (10, (0.3, 0.3), 8000),
        (10, (3.0, 4.0), 16000),
    ],
)
def test_each_room_has_its_reverberation_time(n: int, rt60_range: tuple[float, float], sample_rate: int):
    responses = room_responses(n, rt60_range, sample_rate, seed=7)
    assert responses.shape == (n, np.ceil(rt60_range[1] * sample_rate))
    assert (responses.abs().argmax(dim=1) == 0).all()  # the direct sound is first and largest
    torch.testing.assert_close(responses.square().sum(dim=1), torch.ones(n), atol=1e-4, rtol=0)
    targets_s = room_targets(n, rt60_range, seed=7)
    assert rt60_range[0] <= targets_s.min() <= targets_s.max() <= rt60_range[1]
    for response, target_s in zip(responses.numpy()[::5], targets_s[::5], strict=True):
        assert reverberation_time(response, sample_rate) == pytest.approx(schroeder_t30(response, sample_rate), 1e-6)
        assert reverberation_time(response, sample_rate) == pytest.approx(target_s, rel=0.05)


def test_the_first_reflections_arrive_when_and_as_loud_as_the_six_walls_send_them():
    sample_rate, rt60_s, n = 44100, 0.3, 20
    responses = room_responses(n, (rt60_s, rt60_s), sample_rate)
    rooms = shoeboxes(shoebox_keys(n, seed=0))
    strengths = []
    for response, size, source, microphone in zip(
        responses.numpy(), rooms.sizes.numpy(), rooms.sources.numpy(), rooms.microphones.numpy(), strict=True
    ):
        direct_m = np.linalg.norm(source - microphone)
        volume, surface = np.prod(size), 2 * sum(np.prod(np.delete(size, axis)) for axis in range(3))
        reflected = np.exp(-0.161 * volume / (surface * rt60_s) / 2)  # amplitude left by a wall of Eyring's absorption
        for axis in range(3):
            for wall in (0.0, size[axis]):
                image = source.copy()
                image[axis] = 2 * wall - source[axis]
                distance_m = np.linalg.norm(image - microphone)
                tap = round((distance_m - direct_m) / 343 * sample_rate)
                heard = response[tap - 1 : tap + 2].max() / response[0]  # float32 may round to the next sample
                strengths.append(heard / (reflected * direct_m / distance_m))
    # The correction of the decay, the tail that fades in and reflections at once move single ones.
    assert np.median(strengths) == pytest.approx(1.0, abs=0.03)
    assert np.mean(np.abs(np.log(strengths)) < 0.2) > 0.8
    assert min(strengths) > 0.6


@pytest.fixture
def torch_settings() -> Iterator[None]:
    n_threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    yield
    torch.set_num_threads(n_threads)
    torch.set_default_dtype(dtype)


def test_a_room_depends_on_the_seed_and_its_number_only(torch_settings):
    ten = room_responses(10, (0.2, 0.3), 8000, seed=5)
    assert len({float(response[1000]) for response in ten}) == 10
    assert not torch.equal(room_responses(10, (0.2, 0.3), 8000, seed=6), ten)
    torch.testing.assert_close(room_responses(30, (0.2, 0.3), 8000, seed=5)[:10], ten, atol=1e-7, rtol=0)
    for n_threads, dtype in ((1, torch.float32), (2, torch.float64)):
        torch.set_num_threads(n_threads)
        torch.set_default_dtype(dtype)
        assert torch.equal(room_responses(10, (0.2, 0.3), 8000, seed=5), ten)


@pytest.mark.parametrize("response", [torch.zeros(1000), torch.eye(1000)[0], torch.eye(1000)[0] + torch.eye(1000)[9]])
def test_silence_and_bare_impulses_have_no_reverberation_time(response: torch.Tensor):
    with pytest.raises(ValueError, match="reverberation time"):
        reverberation_time(response, 8000)
