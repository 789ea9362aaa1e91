import numpy as np
import pytest
from scipy import stats

from cohear.reports.method_table import method_rows, method_table, resolution_sentence
from cohear.reports.paper_numbers import METHODS, PAPER_TABLE_1
from cohear.reports.run_folders import read_runs
from cohear.reports.tables import to_text


def _write_grid(tmp_path, write_run, n_wrong, **metrics):
    """`n_wrong` is by (method, transform), then by (fold, seed)."""
    for (method, transform), cells in n_wrong.items():
        for (fold, seed), n in cells.items():
            folder = tmp_path / f"{method}-{transform}-{fold}-{seed}"
            write_run(folder, method, transform, fold, seed, wrong=tuple(range(n)), **metrics)
    return read_runs([tmp_path])


def test_means_errors_and_improvements_of_a_case_computed_by_hand(tmp_path, write_run):
    runs = _write_grid(
        tmp_path,
        write_run,
        {
            ("none", "none"): {(1, 0): 10, (2, 0): 8, (3, 0): 6},
            ("consistency", "combination"): {(1, 0): 4, (1, 1): 6, (2, 0): 3, (2, 1): 3},
        },
    )
    none, ours = method_rows(runs)
    assert none.improvement is None
    assert none.standard_error == pytest.approx(stats.sem([0.5, 0.6, 0.7]))
    assert ours.experiment.accuracy == pytest.approx((0.75 + 0.85) / 2)
    assert ours.standard_error == pytest.approx(stats.sem([0.75, 0.85]))
    assert ours.improvement == pytest.approx((0.75 - 0.5 + 0.85 - 0.6) / 2)  # folds 1 and 2 only


def test_the_standard_error_can_be_over_seeds(tmp_path, write_run):
    cells = {(1, 0): 4, (2, 0): 2, (1, 1): 8, (2, 1): 4, (1, 2): 0}  # seed 2 lacks fold 2
    runs = _write_grid(tmp_path, write_run, {("none", "none"): cells})
    (row,) = method_rows(runs, error_over="seeds")
    assert row.standard_error == pytest.approx(stats.sem([0.85, 0.7]))


def test_the_table_says_what_it_is_and_fits_a_terminal(tmp_path, write_run):
    grid = {("none", "none"): {(1, 0): 10, (2, 0): 8}, ("consistency", "combination"): {(1, 0): 4, (2, 0): 3}}
    warning = "fold 2's test part has no clip of 'bird'"
    table = method_table(_write_grid(tmp_path, write_run, grid, warnings=[warning], dataset="ESC-50"))
    assert table.rows == (
        ("No Augmentation", "55.00%±5.00", "-", "0.0500", "2", "83.59%±0.15"),
        ("Combination-CL", "82.50%±2.50", "+27.50 points", "0.0500", "2", "86.22%±0.12 +2.63%"),
    )
    notes = " ".join(table.notes)
    assert "standard error over 2 folds, each fold averaged over 1 seed" in notes
    assert "One clip of a fold's 20 is 5.00 points, and 2.50 points of all 40 clips of 2 folds" in notes
    assert "these runs: preset small, 3 epochs" in notes
    assert "Always answering the commonest label gives 25.00%." in notes
    assert notes.count(warning) == 1
    assert max(map(len, to_text(table).splitlines())) <= 80


def test_the_paper_stands_beside_its_own_data_set_only(tmp_path, write_run):
    runs = _write_grid(tmp_path, write_run, {("none", "none"): {(1, 0): 3}}, dataset="ESC-10")
    table = method_table(runs)
    assert "Paper" not in table.header
    assert "With one fold there is no standard error." in table.notes
    assert table.rows[0][1] == "85.00%"


def test_an_ablation_has_no_number_of_the_paper(tmp_path, write_run):
    write_run(tmp_path / "whole", dataset="ESC-50")
    write_run(tmp_path / "part", dataset="ESC-50", model="Combination-CL, no ramp", experiment="no ramp")
    papers = {row[0]: row[-1] for row in method_table(read_runs([tmp_path])).rows}
    assert papers == {"Combination-CL": "86.22%±0.12 +2.63%", "Combination-CL, no ramp": "-"}


def test_an_experiment_that_lacks_folds_is_named(tmp_path, write_run):
    grid = {("none", "none"): {(1, 0): 10, (2, 0): 8}, ("bda", "combination"): {(2, 0): 4}}
    notes = method_table(_write_grid(tmp_path, write_run, grid)).notes
    assert any(note.startswith("Combination-BDA has only fold 2 of the 2 folds of this table") for note in notes)


def test_folds_of_unequal_size_give_a_range_of_resolutions(tmp_path, write_run):
    write_run(tmp_path / "a", n_clips=20)
    write_run(tmp_path / "b", n_clips=40, fold=2)
    assert resolution_sentence(read_runs([tmp_path])).startswith(
        "One clip of a fold's 20 to 40 is 2.50 to 5.00 points, and 1.67 points of all 60 clips of 2 folds"
    )


def test_no_runs_make_no_table():
    with pytest.raises(ValueError, match="at least one run"):
        method_table([])


def test_the_paper_prints_the_averages_that_its_text_states():
    # section 4.4: average improvements of 0.36 %, 1.38 % and 1.99 %
    for method, average in zip(METHODS[1:], (0.36, 1.38, 1.99), strict=True):
        gains = [row.improvement_points for (_, m), row in PAPER_TABLE_1.items() if m == method]
        assert len(gains) == 4
        assert np.mean(gains) == pytest.approx(average, abs=0.006)
    none = PAPER_TABLE_1["none", "none"].accuracy_percent
    for result in list(PAPER_TABLE_1.values())[1:]:  # printed from rounded numbers: a hundredth may be missing
        assert result.accuracy_percent - none == pytest.approx(result.improvement_points, abs=0.011)
