"""What a run keeps of its calibration comes back equal, and nothing else is taken for one."""

import json
import subprocess
import sys
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


CHANGES: list[dict[str, object]] = [
    {"temperature": 0.0},
    {"temperature": "warm"},
    {"thresholds": {"frog": {"probability": 0.5}}},
    {"thresholds": {"frog": {"probability": 1.5, "precision": 1.0, "recall": 1.0, "n_answers": 1}}},
    {"thresholds": ["frog"]},
    {"precision": 2.0},
    {"n_clips": -1},
    {"n_clips": "3"},
    {"n_clips": 3.5},
    {"n_clips": None},
    {"precision": "high"},
    *(
        {"thresholds": {"frog": {"probability": 0.5, "precision": 1.0, "recall": 1.0, "n_answers": 10} | one}}
        for one in (
            {"n_answers": "x"},
            {"n_answers": None},
            {"n_answers": -1},
            {"probability": None},
            {"probability": "x"},
            {"recall": "x"},
        )
    ),
    {"secret": 1},
]


@pytest.mark.parametrize("change", CHANGES)
def test_other_values_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="calibration"):
        Calibration.from_json({**FITTED.to_json(), **change})


def test_they_are_refused_also_where_no_types_are_checked() -> None:
    """As they are not in the program: here each dataclass checks its own."""
    program = """
import json, sys
from cohear.evaluation.calibration import Calibration
for values in json.loads(sys.argv[1]):
    try:
        print("taken:", Calibration.from_json(values))
    except ValueError:
        pass
"""
    given = json.dumps([FITTED.to_json() | change for change in CHANGES])
    said = subprocess.run([sys.executable, "-c", program, given], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / CALIBRATION).write_text("[]")
    with pytest.raises(UserError, match=r"calibration\.json"):
        read_calibration(tmp_path)
