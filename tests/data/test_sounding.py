"""How long sounds last within clips."""

import numpy as np
import pytest
import soundfile

from cohear.data.check.survey import TrainingForm, summarize, survey
from cohear.data.datasets import read_dataset
from cohear.data.headers import read_headers
from cohear.data.sounding import Levels, choose_clip_s, listen_for_lengths, sounding
from cohear.data.store import StoreSettings, open_store

RATE = 8000


def call_in_noise(rng: np.random.Generator, length_s: float, begin_s: float, end_s: float) -> np.ndarray:
    wave = 0.01 * rng.standard_normal(round(length_s * RATE))
    begin, end = round(begin_s * RATE), round(end_s * RATE)
    wave[begin:end] += 0.5 * np.sin(2 * np.pi * 900 * np.arange(end - begin) / RATE)
    return wave.astype(np.float32)


def write_ponds(folder, n_steady: int):
    """Write twenty clips of unequal length with a call of 0.6 s, and some of nothing but noise."""
    rng = np.random.default_rng(0)
    for label, n_clips in (("frog", 20), ("rain", n_steady)):
        (folder / label).mkdir(parents=True)
        for clip in range(n_clips):
            length_s, begin_s = rng.uniform(2.0, 4.0), rng.uniform(0.1, 1.2)
            wave = call_in_noise(rng, length_s, begin_s, begin_s + 0.6 * (label == "frog"))
            soundfile.write(folder / label / f"{clip}.wav", wave, RATE)
    return read_dataset(folder)


@pytest.mark.parametrize("n_steady", [2, 20, 60])
def test_steady_noise_does_not_lengthen_the_window(tmp_path, n_steady):
    dataset = write_ponds(tmp_path, n_steady)
    headers = read_headers(dataset)
    lengths_s = listen_for_lengths(dataset, headers.files)
    np.testing.assert_allclose(lengths_s, [0.6] * 20, atol=0.041)  # of frames of 20 ms, at both ends
    clip_s, by_sound = choose_clip_s(headers.durations_s, lengths_s)
    assert by_sound
    assert 0.6 <= clip_s <= 0.7


def test_check_counts_the_windows_that_training_takes(tmp_path):
    dataset = write_ponds(tmp_path / "ponds", 3)
    for windows in ("all", "sounding"):
        store = open_store(dataset, StoreSettings(RATE, 0.5, windows=windows), tmp_path / "cache")
        form = TrainingForm(RATE, 0.5, shortest_s=0.0, windows=windows)
        assert summarize(dataset, survey(dataset).heard, form).n_windows == len(store)


def test_levels_do_not_depend_on_the_blocks_in_which_a_sound_goes_by():
    rng = np.random.default_rng(1)
    waveform = call_in_noise(rng, 3.0, 0.5, 1.1)
    whole, levels = sounding(waveform, RATE), Levels(RATE)
    for block in np.split(waveform, np.sort(rng.integers(0, len(waveform), 40))):
        levels.add(block)
    assert levels.sounding() == whole == pytest.approx((0.5, 1.1), abs=0.021)
    levels = Levels(RATE)
    levels.add(0.1 * rng.standard_normal(RATE).astype(np.float32))
    assert levels.sounding() is None
