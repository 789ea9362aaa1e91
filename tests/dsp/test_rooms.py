import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import torch

from cohear.dsp.decay_times import decay_times_s
from cohear.dsp.rooms import corrected, reverberation_time, room_responses, room_targets
from cohear.dsp.shoeboxes import shoebox_keys, shoeboxes


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
    all_s = decay_times_s(responses.numpy(), 44100)
    np.testing.assert_allclose(all_s[::10], measured_s, rtol=1e-6)
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


def test_early_reflections_are_sparse_and_the_tail_is_diffuse():
    # Normalized echo density (Abel and Huang 2006): the share of samples beyond one standard deviation, over that of
    # Gaussian noise, 0.317. Noise of uniform samples, of which the tail is made, would give 1.33.
    responses = room_responses(20, (0.9, 0.9), 44100).numpy()

    def echo_density(from_s: float, to_s: float) -> float:
        part = responses[:, int(from_s * 44100) : int(to_s * 44100)]
        return (np.abs(part) > part.std(axis=1, keepdims=True)).mean() / 0.317

    assert echo_density(0.0005, 0.005) < 0.3
    assert 0.9 < echo_density(0.1, 0.12) < 1.33
    late = responses[:, 4410:8820]
    assert np.abs(np.corrcoef(late) - np.eye(20)).max() < 0.1  # tails of different rooms have nothing in common


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
def test_500_rooms_take_less_than_five_seconds_even_of_one_core(one_thread):
    # Processor time, since others may be at work; the first time may be spent on what is done once.
    durations_s = []
    for _ in range(2):
        began = time.process_time()
        room_responses(500)
        durations_s.append(time.process_time() - began)
    assert min(durations_s) < 5.0


def test_the_number_of_threads_changes_nothing(one_thread):
    one = room_responses(30, (0.2, 0.6), 16000)
    torch.set_num_threads(2)
    assert torch.equal(room_responses(30, (0.2, 0.6), 16000), one)


@pytest.mark.slow
def test_an_older_processor_changes_only_the_last_bits(tmp_path: Path):
    # Without vector instructions torch and MKL add in another order, as on another machine.
    code = (
        "import sys, numpy, cohear.dsp.rooms as rooms;"
        "numpy.save(sys.argv[1], rooms.room_responses(40, (0.2, 0.6), 16000).numpy())"
    )
    old = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "old.npy")], env={**os.environ, **old}, check=True)
    here, there = room_responses(40, (0.2, 0.6), 16000).numpy(), np.load(tmp_path / "old.npy")
    peaks = here.max(axis=1, keepdims=True)
    assert (np.abs(here - there) / peaks).max() < 1e-6


def test_a_decay_is_corrected_both_ways_and_its_direct_sound_put_in():
    noise = torch.randn(2, 8000, generator=torch.Generator().manual_seed(0))
    decaying = 0.2 * noise * torch.exp(-np.log(1000) / 0.5 * torch.arange(8000) / 8000)  # 0.5 s
    targets_s = torch.tensor([0.4, 0.6])
    responses = corrected(decaying, targets_s, 8000).numpy()
    measured_s = [schroeder_t30(response, 8000) for response in responses]
    np.testing.assert_allclose(measured_s, targets_s, rtol=0.006)
    assert (np.abs(responses).argmax(axis=1) == 0).all()
    np.testing.assert_allclose(np.square(responses).sum(axis=1), 1.0, rtol=1e-5)


def test_an_exponential_decay_has_its_known_time():
    time_s = np.arange(16000) / 16000
    for rt60_s in (0.2, 0.45, 0.9):
        assert reverberation_time(10 ** (-3 * time_s / rt60_s), 16000) == pytest.approx(rt60_s, rel=2e-3)


def test_a_response_may_be_part_of_a_graph_or_an_array():
    response = 10 ** (-3 * torch.arange(8000) / 8000 / 0.4)
    expected = schroeder_t30(response.numpy(), 8000)
    for one in (response.requires_grad_(), response.detach().numpy(), response.detach().double()):
        assert reverberation_time(one, 8000) == pytest.approx(expected, rel=1e-6)


@pytest.fixture
def double_by_default() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


ARGUMENTS = (30, (0.2, 0.3), 8000)


@pytest.fixture
def rooms_in_single() -> torch.Tensor:
    return room_responses(*ARGUMENTS)


def test_the_default_precision_changes_nothing(rooms_in_single, double_by_default):
    assert torch.equal(room_responses(*ARGUMENTS), rooms_in_single)


@pytest.mark.parametrize("response", [torch.zeros(1000), torch.eye(1000)[0], torch.eye(1000)[0] + torch.eye(1000)[9]])
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
