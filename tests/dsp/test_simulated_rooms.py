"""Against pyroomacoustics' own measurement of reverberation times."""

import sys

import numpy as np
import pyroomacoustics
import pytest
import torch

from cohear.dsp.response_bank import ResponseBank
from cohear.dsp.rooms import room_targets
from cohear.dsp.simulated_rooms import simulated_bank, simulator_version
from cohear.errors import UserError

ARGUMENTS = (3, (0.2, 0.3), 8000, 3)


@pytest.fixture(scope="module")
def bank() -> ResponseBank:
    return simulated_bank(*ARGUMENTS)


def test_each_room_has_its_reverberation_time(bank):
    measured_s = [pyroomacoustics.experimental.measure_rt60(response, 8000, decay_db=30) for response in bank.responses]
    np.testing.assert_allclose(measured_s, room_targets(3, (0.2, 0.3), 3), rtol=0.05)
    np.testing.assert_allclose(bank.rt60_s, room_targets(3, (0.2, 0.3), 3), rtol=0.006)


def test_the_same_seed_gives_the_same_bytes_and_a_room_does_not_depend_on_the_others(bank):
    np.testing.assert_array_equal(simulated_bank(2, *ARGUMENTS[1:]).responses, bank.responses[:2])
    assert not np.array_equal(simulated_bank(1, (0.2, 0.3), 8000, seed=4).responses, bank.responses[:1])


def test_random_state_and_settings_are_left_as_they_were():
    before = np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    n_threads = pyroomacoustics.constants.get("num_threads")
    drawn = []
    for _ in range(2):
        simulated_bank(1, *ARGUMENTS[1:])
        drawn.append(pyroomacoustics.random.get_rng().uniform())
    assert np.random.get_state()[1].tolist() == before[0]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])
    assert pyroomacoustics.constants.get("num_threads") == n_threads
    assert drawn[0] != drawn[1]  # our seed is not left behind


def test_without_pyroomacoustics_a_sentence_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    for ask in (simulator_version, lambda: simulated_bank(1)):
        with pytest.raises(UserError, match=r"pip install 'cohear\[rooms\]'"):
            ask()
