"""The benchmarks run at toy size, and their measures agree with signals of which the answer is known."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import __main__ as bench
from benchmarks import children, contenders, large_sets, page, training
from benchmarks import pitch_quality as quality
from benchmarks.children import ChildError
from benchmarks.peers import contenders as contenders_of
from cohear import transforms
from tiny import tiny_config


@pytest.mark.parametrize("detuned_cents", [-40.0, 0.0, 0.3])
def test_a_detuned_tone_is_measured_as_detuned(detuned_cents: float):
    for expected_hz in (60.0, 440.0, 6_000.0):
        signal = quality.tone(expected_hz * 2 ** (detuned_cents / 1200), 22_050, amplitude=0.3)
        measured = quality.tone_quality(signal, expected_hz, 22_050, amplitude=0.4)
        assert measured.error_cents == pytest.approx(detuned_cents, abs=1e-4)
        assert measured.level_db == pytest.approx(20 * np.log10(0.75), abs=1e-4)
        assert measured.residual_db < -90


def test_what_lies_beside_a_tone_is_the_residual_and_silence_is_the_worst():
    beside = quality.tone(500.0, 44_100) + quality.tone(700.0, 44_100, amplitude=0.05)
    measured = quality.tone_quality(beside, 500.0, 44_100)
    assert measured.residual_db == pytest.approx(10 * np.log10(0.01 / 1.01), abs=0.01)
    silent = quality.tone_quality(np.zeros(5 * 8_000), 440.0, 8_000)
    assert silent.residual_db == 0.0
    assert silent.level_db < -100


def test_clicks_smeared_to_ten_milliseconds_keep_half_of_their_energy():
    clicks = quality.click_train(44_100)
    assert quality.click_share(clicks, 44_100) == 1.0
    assert quality.click_share(clicks + np.roll(clicks, 441), 44_100) == 0.5


@pytest.mark.parametrize("task", contenders.TASKS)
def test_ours_and_what_is_by_hand_do_their_task(task: contenders.Task, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(contenders, "CLIP_S", 0.5)
    inputs = contenders.make_inputs(task, 2)
    outputs = [np.stack(list(one.load()(*inputs)())) for one in contenders.OURS[task]]
    for output in outputs:
        assert output.shape == (outputs[0] if task == "log_mel" else inputs[0]).shape
    if task == "log_mel":
        np.testing.assert_allclose(outputs[1:], [outputs[0]] * 2, atol=1e-2)


@pytest.mark.slow
def test_everything_runs_and_a_library_that_fails_costs_its_own_row_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(contenders, "CLIP_S", 0.5)
    monkeypatch.setattr(transforms, "__all__", ["AddRecordedNoise", "Chain", "PitchShift", "pitch_shift"])

    def call(function: str, *arguments: Any, **_: Any) -> Any:
        if function == "survey_pitch":
            raise ChildError("its process was ended by SIGSEGV")
        if arguments[1:] == ("librosa", 1):
            raise ChildError("OSError: no such library")
        return getattr(children, function)(*arguments)

    effort = page.Effort(n_clips=2, n_rounds=1, budget_s=0.1, semitones=[1.0], tones_hz=[440.0], n_rooms=2)
    text = page.render(bench.measure(effort, lambda _: None, call))
    for task in contenders.TASKS:
        assert all(f"| {one.name} " in text for one in contenders_of(task))
    assert "- cohear pitch_shift: its process was ended by SIGSEGV" in text
    assert "- librosa: " in text
    goals = [line for line in text.splitlines() if line.startswith("| cohear ") and ", batch of 2" in line]
    verdicts = [line.split("|")[-2].strip() for line in goals]
    assert len(verdicts) == 5
    assert {"reached", "missed"} >= set(verdicts[-2:])
    assert "\n| PitchShift " in text


@pytest.mark.slow
def test_a_training_step_is_timed_in_parts():
    said: list[str] = []
    times = training.measure(tiny_config(), n_rounds=1, n_steps=1, say=said.append, clip_s=0.6)
    assert [line.split(":")[0] for line in said] == ["warming up"] * 3 + ["round 1 of 1"] * 3
    assert times.overhead == pytest.approx(times.trainer_s / times.bare_s)
    assert "the trainer's step" in training.render(times)


@pytest.mark.slow
def test_the_steps_of_a_large_set_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(large_sets, "_FILE_S", 2)
    monkeypatch.setattr(large_sets, "_N_LABELS", 2)
    large_sets.write_sounds(tmp_path)
    large_sets.write_table(tmp_path / "60.csv", 60)
    monkeypatch.setitem(large_sets.STEPS, "train 20 steps", lambda table: large_sets.train(table, n_steps=1))
    for step in large_sets.STEPS:
        wall_s, cpu_s, _peak_mib, _kept_mib = large_sets.measure(tmp_path / "60.csv", step)
        assert wall_s > 0
        assert cpu_s > 0
    said: list[str] = []
    text = large_sets.measure_all(tmp_path, [60], ["read the table", "build the store"], 2, said.append)
    assert len(said) == 2
    assert "\n| 60 " in text
