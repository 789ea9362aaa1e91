import re

import numpy as np
import pytest

from cohear.errors import UserError
from cohear.experiments.paper import HEADLINE
from cohear.metrics.accuracy import standard_error
from cohear.reports.run_folders import read_runs
from cohear.reports.table1_choice import choose_table1_runs
from cohear.reports.table1_report import page, pictures, summary, table1_text, write_table1_report
from cohear.reports.table1_table import changed_table, table1

N_WRONG = {"none": 10, "standard": 8, "bda": 5, "consistency": 2}


def _bold(text):
    return re.findall(r"^- \*\*(.*)\*\*", text, re.MULTILINE)


def test_no_runs_make_a_page_that_says_so(tmp_path):
    out = tmp_path / "new" / "folder"
    assert write_table1_report([], out) == out / "table1.md"
    text = (out / "table1.md").read_text()
    assert [path.name for path in out.iterdir()] == ["table1.md"]
    assert "0 of 65 runs are there (13 models x 5 folds)." in text
    assert "| Combination-CL | - | - | - | - | - | 0 of 5 x 1 | 86.22% | 0.12 | +2.63 |" in text
    assert "rehearsal" not in text
    claims = _bold(text)
    assert len(claims) == 19
    assert "of twenty such verdicts one would be wrong by chance" in text
    assert "No run yet of any of the controls. `cohear reproduce controls` with" in text
    assert all(claim.endswith(": not enough data yet.") for claim in claims)


def test_a_part_of_the_papers_grid(tmp_path, write_grid):
    runs = write_grid(tmp_path / "runs", N_WRONG, models=HEADLINE, n_epochs=3, tracked=True)
    text = write_table1_report(runs, tmp_path).read_text()
    assert "20 of 65 runs are there" in text
    assert "made with the paper's settings as we read it, in float32" in text
    assert "| No Augmentation | 50.00% | 0.00 | - | - | - | 5 of 5 x 1 | 83.59% | 0.15 | - |" in text
    assert re.search(
        r"\| Combination-CL \| 90.00% \| 0.00 \| - \| \+40.00 \| \+\d+.\d\d, \+\d+.\d\d \| 5 of 5 x 1 \|", text
    )
    assert "| Combination-BDA − Combination | +15.00 |" in text  # noqa: RUF001
    for part in ("train", "test"):
        assert f"(figure1-{part}.svg)" in text
        assert (tmp_path / f"figure1-{part}.svg").read_bytes().startswith(b"<?xml")
    assert (
        "**Combination-CL is better than Combination-BDA, that than Combination, that than No Augmentation: holds.**"
        in text
    )


def test_a_rehearsal_says_so_first_and_in_every_verdict(tmp_path, write_grid):
    runs = write_grid(tmp_path / "runs", N_WRONG, models=HEADLINE, weight=2.0, preset="small")
    text = write_table1_report(runs, tmp_path).read_text()
    second = text.split("\n\n")[1]
    assert second.startswith("**These runs are not the paper's: preset small, 1 epoch.** What differs:")
    assert second.endswith("nothing in it confirms or refutes the paper.")
    verdicts = [re.sub(r" \(.*\)", "", claim.rpartition(": ")[2]) for claim in _bold(text)]
    assert "holds in this rehearsal." in verdicts
    assert set(verdicts) <= {"holds in this rehearsal.", "does not hold in this rehearsal.", "not enough data yet."}


def test_both_standard_errors_stand_beside_each_other(tmp_path, write_run):
    accuracies = np.zeros((5, 3))
    for fold in range(1, 6):
        for seed in range(3):
            n_wrong = fold + 2 * seed
            accuracies[fold - 1, seed] = 1 - n_wrong / 20
            settings = {"dataset": "ESC-50", "preset": "paper", "ramp_epochs": 10.0, "tracked": False, "n_epochs": 1}
            write_run(tmp_path / f"{fold}{seed}", "none", "none", fold, seed, tuple(range(n_wrong)), **settings)
    row = table1(choose_table1_runs(read_runs([tmp_path]))).rows[0]
    over_folds, over_seeds = standard_error(accuracies.mean(1)), standard_error(accuracies.mean(0))
    assert over_folds is not None
    assert over_seeds is not None
    assert row[1:4] == (f"{100 * accuracies.mean():.2f}%", f"{100 * over_folds:.2f}", f"{100 * over_seeds:.2f}")
    assert row[6] == "15 of 5 x 3"
    for folder in tmp_path.glob("?2"):
        (folder / "metrics.json").unlink()
    assert table1(choose_table1_runs(read_runs([tmp_path]))).rows[0][3] == "-"  # two seeds are too few


def test_a_control_stands_beside_the_model_that_it_changes(tmp_path, write_grid, write_run):
    write_grid(tmp_path / "grid", N_WRONG, folds=(1,), models=HEADLINE)
    name = "No Augmentation, three times the epochs"
    settings = {"dataset": "ESC-50", "preset": "paper", "ramp_epochs": 30.0, "tracked": False, "n_epochs": 3}
    settings["trained_epochs"] = 216
    write_run(tmp_path / "control", "none", "none", wrong=tuple(range(7)), model=name, experiment="longer", **settings)
    table = changed_table(choose_table1_runs(read_runs([tmp_path])))
    assert table is not None
    assert [(row[0], row[1], row[4], row[6]) for row in table.rows] == [(name, "65.00%", "+15.00", "1 of 5 x 1")]


def test_the_same_run_twice_is_refused(tmp_path, write_grid):
    write_grid(tmp_path / "a", N_WRONG, folds=(1,), models=HEADLINE[:1])
    write_grid(tmp_path / "b", N_WRONG, folds=(1,), models=HEADLINE[:1])
    with pytest.raises(UserError, match="are the same run"):
        write_table1_report(read_runs([tmp_path]), tmp_path)


@pytest.mark.parametrize("width", [80, 105, 120])
def test_a_terminal_gets_the_table_and_a_line_for_each_claim(tmp_path, write_grid, width):
    text = table1_text(write_grid(tmp_path, N_WRONG, folds=(1,), models=HEADLINE), width)
    assert max(map(len, text.splitlines())) <= width
    assert ("95% interval" in text) == (width > 80)
    assert len(re.findall("^- ", text, re.MULTILINE)) == 19
    assert "**" not in text


@pytest.mark.slow
def test_the_same_runs_give_the_same_page(tmp_path, write_grid):
    write_grid(tmp_path, N_WRONG, folds=(1, 2), models=HEADLINE, seeds=(0, 1), tracked=True)
    once, again = (choose_table1_runs(read_runs([tmp_path])) for _ in range(2))
    assert page(once, "# A", "f") == page(again, "# A", "f")
    assert pictures(once, "f") == pictures(again, "f")
    assert summary(once) == summary(again)
