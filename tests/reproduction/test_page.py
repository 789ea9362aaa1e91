import re
import runpy
import sys

import numpy as np
import pytest
from scipy import stats

from cohear.errors import UserError
from cohear.runs.paper import HEADLINE
from reproduction.grid import choose
from reproduction.page import page, pictures, summary, table1
from run_folders_made import read_runs

N_WRONG = {"none": 10, "standard": 8, "bda": 5, "consistency": 2}
PAPERS = {"dataset": "ESC-50", "preset": "paper", "tracked": False, "n_epochs": 1}


def _verdicts(text):
    return re.findall(r"^- \*\*.*: ([a-z ]+)\.\*\*", text, re.MULTILINE)


def test_no_runs_make_a_page_that_says_so():
    grid = choose([])
    text = page(grid, "# A", "figure")
    assert "0 of 85 runs are there" in text
    assert "| Combination-CL | - | - | - | - | - | 0 | 86.22% | 0.12 | +2.63 |" in text
    assert "rehearsal" not in text
    assert _verdicts(text) == ["cannot be told"] * 21
    assert pictures(grid, "figure") == {}


@pytest.mark.slow
def test_a_part_of_the_papers_grid(tmp_path, write_grid):
    grid = choose(write_grid(tmp_path, N_WRONG, models=HEADLINE, n_epochs=3, tracked=True))
    text = page(grid, "# A", "figure")
    assert "25 of 85 runs are there" in text
    assert "the paper's settings as we read it, in float32" in text
    assert "| No Augmentation | 50.00% | 0.00 | - | - | - | 5 | 83.59% | 0.15 | - |" in text
    assert re.search(r"\| Combination-CL \| 90.00% \| 0.00 \| - \| \+40.00 \| \+\d+.\d\d, \+\d+.\d\d \| 5 \|", text)
    assert "| Combination-BDA − Combination | +15.00 |" in text  # noqa: RUF001
    drawn = pictures(grid, "figure")
    assert all(f"({name})" in text for name in drawn)
    assert drawn.keys() == {"figure-train.svg", "figure-test.svg"}
    assert "holds" in _verdicts(text)
    again = choose(read_runs([tmp_path]))
    assert (page(again, "# A", "figure"), pictures(again, "figure")) == (text, drawn)


def test_a_rehearsal_says_so_first_and_in_every_verdict(tmp_path, write_grid):
    settings = {"objective.consistency_weight": 2.0}
    grid = choose(write_grid(tmp_path, N_WRONG, models=HEADLINE, settings=settings, preset="small"))
    text = page(grid, "# A", "figure")
    assert text.split("\n\n")[1].startswith("**These runs are not the paper's: preset small, 1 epoch.**")
    assert set(_verdicts(text)) <= {"holds in this rehearsal", "does not hold in this rehearsal", "cannot be told"}
    assert "not the paper's" in summary(grid)


def test_both_standard_errors_stand_beside_each_other(tmp_path, write_run):
    accuracies = np.zeros((5, 3))
    for fold in range(1, 6):
        for seed in range(3):
            accuracies[fold - 1, seed] = 1 - (fold + 2 * seed) / 20
            wrong = tuple(range(fold + 2 * seed))
            write_run(tmp_path / f"{fold}{seed}", "none", "none", fold, seed, wrong, **PAPERS)
    row = table1(choose(read_runs([tmp_path]))).rows[0]
    errors = [f"{100 * stats.sem(accuracies.mean(axis)):.2f}" for axis in (1, 0)]
    assert row[1:4] == (f"{100 * accuracies.mean():.2f}%", *errors)
    for folder in tmp_path.glob("?2"):
        (folder / "metrics.json").unlink()
    assert table1(choose(read_runs([tmp_path]))).rows[0][3] == "-"  # two seeds are too few


def test_a_control_stands_beside_the_model_that_it_changes(tmp_path, write_grid, write_run):
    write_grid(tmp_path / "grid", N_WRONG, folds=(1,), models=HEADLINE)
    name = "No Augmentation, three times the epochs"
    longer = {"training.epochs": 216, "objective.ramp_epochs": 30.0, "optimizer.decay_epochs": 6.0}
    write_run(tmp_path / "control", "none", "none", wrong=tuple(range(7)), model=name, settings=longer, **PAPERS)
    assert f"| {name} | 65.00% | - | - | +15.00 |" in page(choose(read_runs([tmp_path])), "# A", "figure")


def test_the_same_run_twice_is_refused(tmp_path, write_grid):
    write_grid(tmp_path / "a", N_WRONG, folds=(1,), models=HEADLINE[:1])
    write_grid(tmp_path / "b", N_WRONG, folds=(1,), models=HEADLINE[:1])
    with pytest.raises(UserError, match="are the same run"):
        choose(read_runs([tmp_path]))


@pytest.mark.slow
def test_the_command_writes_the_page_and_its_pictures(tmp_path, write_grid, monkeypatch):
    write_grid(tmp_path / "runs", N_WRONG, folds=(1,), models=HEADLINE, n_epochs=3, tracked=True)
    monkeypatch.setattr(sys, "argv", ["reproduction", str(tmp_path / "runs"), "--out", str(tmp_path / "table.md")])
    runpy.run_module("reproduction", run_name="__main__")
    text = (tmp_path / "table.md").read_text()
    assert all((tmp_path / name).exists() and f"({name})" in text for name in ("table-figure1-train.svg",))
