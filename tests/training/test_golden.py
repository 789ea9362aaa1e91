"""Golden: the losses of a short training are those of tests/golden, so no change alters them unseen."""

import json
from pathlib import Path

import pytest
import torch

from golden.regenerate import loss_curve

GOLDEN = Path(__file__).parent.parent / "golden" / "loss_curve.json"


def test_losses_are_the_golden_ones(tmp_path):
    expected = json.loads(GOLDEN.read_text())
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the golden file was made: another number sums in another order
    try:
        found = loss_curve(tmp_path)
    finally:
        torch.set_num_threads(n_threads)
    assert len(found) == len(expected)
    for ours, golden in zip(found, expected, strict=True):
        # Other processors round otherwise; over 21 steps that grows to some 1e-5.
        assert ours == pytest.approx(golden, rel=2e-3, abs=1e-5)
