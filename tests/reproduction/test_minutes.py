"""A run that is timed, and the table by hand."""

import pytest

from cohear.runs.config import change
from cohear.runs.plan import list_clips
from reproduction.minutes import measure, points, table
from tiny import tiny_config


def test_a_run_begins_with_nothing_kept_and_leaves_nothing(tones, tmp_path, monkeypatch):
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    data = list_clips(tones, change(tiny_config(), {"preset": "small"})).decode()
    before = {path.name for path in tmp_path.iterdir()}
    record = measure(data, 2, 1, None)
    assert record
    assert (record["epochs"], record["fold"], record["preset"]) == (2, 1, "small")
    assert 0 <= record["accuracy"] <= 1
    assert 0 < record["core_minutes"] < 1
    assert {path.name for path in tmp_path.iterdir()} == before
    assert measure(data, 2, 1, deadline_s=0.0) is None


def test_points_are_means_over_folds():
    found = [
        {"dataset": "ESC-10", "preset": "small", "epochs": 8, "fold": fold, "accuracy": a, "core_minutes": 2.0 * fold}
        for fold, a in ((1, 0.7), (2, 0.8), (3, 0.9))
    ]
    (point,) = points(found)
    assert point == ("ESC-10", "small", 8, 4.0, pytest.approx(80), pytest.approx(10 / 3**0.5), 3)
    assert table(found).splitlines()[-1] == "| ESC-10 | `small` | 8 | 4.0 | 80.0 ± 5.8 | 3 |"
    assert table(found[:1]).splitlines()[-1] == "| ESC-10 | `small` | 8 | 2.0 | 70.0 | 1 |"
