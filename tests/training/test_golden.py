"""Golden: the losses of a short training are those of tests/golden, so no change alters them unseen."""

import json
from pathlib import Path

import pytest

from golden.regenerate import loss_curve

GOLDEN = Path(__file__).parent.parent / "golden" / "loss_curve.json"


def test_losses_are_the_golden_ones(tmp_path):
    expected = json.loads(GOLDEN.read_text())
    found = loss_curve(tmp_path)
    assert len(found) == len(expected)
    for ours, golden in zip(found, expected, strict=True):
        # Other processors round otherwise; over 21 steps that grows to some 1e-5.
        assert ours == pytest.approx(golden, rel=2e-3, abs=1e-5)
