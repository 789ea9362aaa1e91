"""What a run keeps of its calibration comes back equal, and nothing else is taken for one."""

from pathlib import Path

import pytest

from cohear.errors import UserError
from cohear.evaluation.calibration import (
    CALIBRATION,
    Calibration,
    Threshold,
    read_calibration,
    write_calibration,
)

FITTED = Calibration(1.5, {"frog": Threshold(0.7, 0.9, 0.5, 10)}, precision=0.9, n_clips=40)


def test_it_comes_back_equal(tmp_path: Path) -> None:
    write_calibration(tmp_path, FITTED)
    assert read_calibration(tmp_path) == FITTED


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.0},
        {"temperature": "warm"},
        {"thresholds": {"frog": {"probability": 0.5}}},
        {"thresholds": {"frog": {"probability": 1.5, "precision": 1.0, "recall": 1.0, "n_answers": 1}}},
        {"thresholds": ["frog"]},
        {"precision": 2.0},
        {"n_clips": -1},
        {"secret": 1},
    ],
)
def test_other_values_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="calibration"):
        Calibration.from_json({**FITTED.to_json(), **change})


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / CALIBRATION).write_text("[]")
    with pytest.raises(UserError, match=r"calibration\.json"):
        read_calibration(tmp_path)
