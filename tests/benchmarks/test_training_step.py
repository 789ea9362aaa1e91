"""What a training step costs: the floor by hand, and that the measurement measures."""

import importlib.util
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from typer.testing import CliRunner

from cohear.benchmarks.step_floor import forward_operations, step_floor
from cohear.benchmarks.training_step import StepBench
from cohear.experiments.presets import change, parse_override, preset
from cohear.models import VGG
from tiny import TINY

CONFIG = change(preset("small"), dict(parse_override(text) for text in TINY))
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "training.py"


def test_the_floor_counts_the_operations_that_torch_counts():
    network = VGG(5, width=1 / 4)
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(3, 40, 53)).sum().backward()
    linear = 3 * 2 * 3 * 128 * 5  # forward, and backward for input and weights
    assert counter.get_total_flops() - linear == step_floor(3, 40, 53, width=1 / 4).operations
    assert 3 * 3 * forward_operations(40, 53, 1 / 4) == step_floor(3, 40, 53, width=1 / 4).operations


def test_the_floor_counts_the_traffic_by_hand():
    # Width 1/64: maps of 1, 2, 4 and 8; pixels of 16 x 16, 8 x 8, 4 x 4, 2 x 2.
    outputs = 2 * (1 * 256 + 2 * 64 + 4 * 16 + 8 * 4)
    inputs = (1 + 1) * 256 + (1 + 2) * 64 + (2 + 4) * 16 + (4 + 8) * 4
    assert step_floor(5, 16, 16, 1 / 64, bytes_per_number=2).traffic_bytes == 5 * 2 * (12 * outputs + 2 * inputs)


@pytest.mark.slow
def test_each_part_is_timed_in_each_round_and_the_first_round_is_not_counted():
    said: list[str] = []
    times = StepBench(CONFIG, clip_s=0.6, n_steps=1).measure(1, said.append)
    parts = ("trainer", "bare network", "views and front end", "front end", "optimizer")
    assert [line.split(" per step")[0].rsplit(" ", 2)[0] for line in said] == [
        f"{turn}: {part}" for turn in ("warming up", "round 1 of 1") for part in parts
    ]
    counted = {
        line.split(": ")[1].rsplit(" ", 4)[0]: float(line.rsplit(" ", 4)[1]) / 1e3 for line in said[len(parts) :]
    }
    assert times.whole_s == pytest.approx(counted["trainer"], abs=1e-5)
    assert times.overhead == pytest.approx(times.whole_s / times.bare_s)
    assert (times.n_signals, times.n_clips) == (6, 2)
    assert times.floor == step_floor(6, 16, 25, width=1 / 16, bytes_per_number=4)


@pytest.mark.slow
def test_the_script_prints_both_tables(tmp_path):
    spec = importlib.util.spec_from_file_location("training", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    settings = [word for text in (*TINY, "network.width=0.25") for word in ("--set", text)]
    command = ["--preset", "small", *settings, "--rounds", "1", "--steps", "1", "--out", str(tmp_path / "table.md")]
    said = CliRunner().invoke(script.app, command)
    assert said.exit_code == 0, said.output
    text = (tmp_path / "table.md").read_text()
    assert text.count("the trainer's step") == 2
    assert "batch 6, float32" in text
