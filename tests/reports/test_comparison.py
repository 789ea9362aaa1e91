from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from cohear.reports.comparison import PAPER_TABLE_1, comparison_tables, method_rows, paper_result, write_comparison
from cohear.reports.experiments import group_runs
from cohear.reports.pages import WARNING, to_text
from cohear.runs.paper import TABLE_1
from cohear.runs.predictions import write_predictions
from cohear.runs.run import Run
from run_folders_made import read_runs


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
    none, ours = method_rows(group_runs(runs))
    assert none.improvement is None
    assert none.standard_error == pytest.approx(stats.sem([0.5, 0.6, 0.7]))
    assert ours.experiment.accuracy == pytest.approx((0.75 + 0.85) / 2)
    assert ours.standard_error == pytest.approx(stats.sem([0.75, 0.85]))
    assert ours.improvement == pytest.approx((0.75 - 0.5 + 0.85 - 0.6) / 2)  # folds 1 and 2 only
    over_seeds = method_rows(group_runs(runs), error_over="seeds")[1]
    assert over_seeds.standard_error == pytest.approx(stats.sem([0.825, 0.775]))


def test_the_best_of_many_is_judged_as_the_best_of_many(tmp_path, write_run):
    wrong = {"bda": range(11), "none": range(12), "standard": range(12)}  # 9 of 20 right: p is 0.04 alone
    for method, its in wrong.items():
        transform = "none" if method == "none" else "combination"
        write_run(tmp_path / method, method, transform, wrong=tuple(its), recording_size=1)
    runs = read_runs([tmp_path])
    best = [run for run in runs if run.config.method == "bda"]
    alone, among = (write_comparison(its, tmp_path / f"{len(its)}.html")[1] for its in (best, runs))
    assert alone.quality == among.quality
    assert (alone.is_real, among.is_real) == (True, False)


def test_the_table_says_what_it_is_and_fits_a_terminal(tmp_path, write_run):
    grid = {("none", "none"): {(1, 0): 10, (2, 0): 8}, ("consistency", "combination"): {(1, 0): 4, (2, 0): 3}}
    warning = "fold 2's test part has no clip of 'bird'"
    runs = _write_grid(tmp_path, write_run, grid, warnings=[warning], dataset="ESC-50", n_epochs=24)
    table, paired, by_label = comparison_tables(runs)
    assert by_label.title == "By label, Combination-CL"
    assert table.rows == (
        ("No Augmentation", "55.00%±5.00", "-", "0.0500", "2", "83.59%±0.15"),
        ("Combination-CL", "82.50%±2.50", "+27.50 points", "0.0500", "2", "86.22%±0.12 +2.63%"),
    )
    notes = " ".join(table.notes)
    assert "standard error over 2 folds" in notes
    assert "preset small, 24 epochs" in notes
    assert "25.00%" in notes  # the commonest label
    assert notes.count(warning) == 1
    for its in (table, paired, by_label):
        assert max(map(len, to_text(its).splitlines())) <= 80


def test_what_the_commonest_label_gives_is_told_of_each_data_set_alone(tmp_path, write_run):
    write_run(tmp_path / "a", "none", "none", dataset="pond", data_fingerprint="a")
    write_run(tmp_path / "b", "none", "none", dataset="river", data_fingerprint="b", n_clips=6, wrong=())
    notes = " ".join(comparison_tables(read_runs([tmp_path]))[0].notes)
    assert "label of pond gives an accuracy of 25.00%" in notes  # 5 of 20
    assert "label of river gives an accuracy of 33.33%" in notes  # 2 of 6


def test_models_of_other_clips_do_not_compare_and_that_is_said(tmp_path, write_run):
    def warnings():
        return [note for note in comparison_tables(read_runs([tmp_path]))[0].notes if note.startswith(WARNING)]

    write_run(tmp_path / "a", "none", "none", dataset="pond", data_fingerprint="a")
    other = write_run(tmp_path / "b", "bda", dataset="pond, denoised", data_fingerprint="b")
    assert not warnings()  # the same clips, changed: just what one would compare
    its = Run(other).predictions
    paths = tuple(f"river/{path}" for path in its.paths)
    write_predictions(other, replace(its, paths=paths))
    assert len(warnings()) == 1


def test_the_paper_stands_beside_its_own_models_on_its_own_data_only(tmp_path, write_run):
    write_run(tmp_path / "10" / "a", dataset="ESC-10")
    assert "Paper" not in comparison_tables(read_runs([tmp_path / "10"]))[0].header
    epochs = {"dataset": "ESC-50", "n_epochs": 24}
    write_run(tmp_path / "50" / "whole", **epochs)
    write_run(tmp_path / "50" / "part", model="Combination-CL, no ramp", experiment="no ramp", **epochs)
    write_run(tmp_path / "50" / "other", "bda", settings={"network.width": 0.125}, **epochs)
    papers = {row[0]: row[-1] for row in comparison_tables(read_runs([tmp_path / "50"]))[0].rows}
    assert papers == {
        "Combination-BDA": "-",
        "Combination-CL": "86.22%±0.12 +2.63%",
        "Combination-CL, no ramp": "-",
    }


def test_the_paper_prints_the_averages_that_its_text_states():
    # section 4.4: average improvements of 0.36 %, 1.38 % and 1.99 %
    assert list(PAPER_TABLE_1) == [model.name for model in TABLE_1 if "(one)" not in model.name]
    for method, average in {"standard": 0.36, "bda": 1.38, "consistency": 1.99}.items():
        models = [model.name for model in TABLE_1 if model.method == method and model.name in PAPER_TABLE_1]
        gains = [PAPER_TABLE_1[name].improvement_points for name in models]
        assert np.mean(gains) == pytest.approx(average, abs=0.006)
    assert paper_result("Reverb (one)") == paper_result("Reverb") == PAPER_TABLE_1["Reverb"]
    none, *others = PAPER_TABLE_1.values()
    for result in others:  # printed from rounded numbers: a hundredth may be missing
        gain = result.accuracy_percent - none.accuracy_percent
        assert gain == pytest.approx(result.improvement_points, abs=0.011)
