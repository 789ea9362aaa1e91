import pytest

from cohear.experiments.paper import HEADLINE
from cohear.metrics.paired_tests import mcnemar
from cohear.reports.run_folders import read_runs
from cohear.reports.table1_choice import choose_table1_runs

N_WRONG = {"none": 10, "standard": 8, "bda": 5, "consistency": 2}


def test_nothing_is_chosen_of_nothing():
    chosen = choose_table1_runs([])
    assert (chosen.experiments, chosen.seeds, chosen.is_rehearsal) == ({}, (), False)
    assert not chosen.difference(["Combination-CL"], ["No Augmentation"]).is_whole


def test_two_models_are_compared_as_in_the_table_of_paired_tests(tmp_path, write_grid):
    chosen = choose_table1_runs(write_grid(tmp_path, N_WRONG, models=HEADLINE))
    difference = chosen.difference(["Combination-CL"], ["Combination-BDA"])
    a, b = (chosen.experiments[name] for name in ("Combination-CL", "Combination-BDA"))
    comparison = chosen.compare(a, b)
    assert comparison is not None
    assert difference.test == comparison.test
    assert difference.test == mcnemar(comparison.answers.correct_a, comparison.answers.correct_b)
    assert difference.test.difference == pytest.approx(3 / 20)
    assert (difference.folds, difference.seeds, difference.n_clips) == ((1, 2, 3, 4, 5), (0,), 100)
    assert difference.is_whole


def test_an_average_over_models_is_compared_clip_by_clip(tmp_path, write_grid):
    chosen = choose_table1_runs(write_grid(tmp_path, N_WRONG, folds=(1, 2), models=HEADLINE))
    difference = chosen.difference(["Combination", "Combination-CL"], ["No Augmentation"])
    assert difference.test is not None
    assert difference.test.difference == pytest.approx(((10 - 8) + (10 - 2)) / 2 / 20)
    low, high = difference.test.interval
    assert low < 0.25 < high
    assert (difference.n_clips, difference.is_whole) == (40, False)


def test_a_seed_counts_only_as_a_whole_once_one_is_whole(tmp_path, write_grid):
    write_grid(tmp_path / "0", N_WRONG, models=HEADLINE)
    write_grid(tmp_path / "1", {**N_WRONG, "consistency": 20}, folds=(1,), seeds=(1,), models=HEADLINE)
    chosen = choose_table1_runs(read_runs([tmp_path]))
    difference = chosen.difference(["Combination-CL"], ["No Augmentation"])
    assert difference.seeds == (0,)
    assert difference.test is not None
    assert difference.test.difference == pytest.approx(8 / 20)
    assert chosen.n_runs(["Combination-CL", "No Augmentation"]) == 10


def test_the_papers_configuration_is_chosen_before_a_larger_other_one(tmp_path, write_grid):
    write_grid(tmp_path / "small", N_WRONG, folds=(1, 2), models=HEADLINE, preset="small", weight=2.0)
    write_grid(tmp_path / "paper", N_WRONG, folds=(1,), models=HEADLINE)
    chosen = choose_table1_runs(read_runs([tmp_path]))
    assert {run.preset for run in chosen.grid_runs} == {"paper"}
    assert not chosen.is_rehearsal
    assert chosen.left_out == ("8 runs of ESC-50, preset small, 1 epoch, float32",)


def test_runs_that_are_not_the_papers_are_a_rehearsal_and_say_why(tmp_path, write_grid):
    runs = write_grid(tmp_path, N_WRONG, folds=(1,), models=HEADLINE, dataset="dogs", weight=2.0)
    chosen = choose_table1_runs(runs)
    assert chosen.is_rehearsal
    assert chosen.deviations == ("dogs instead of ESC-50", "objective.consistency_weight 2 instead of 5")


def test_an_ablation_belongs_to_the_grid_that_it_changes_in_one_thing(tmp_path, write_grid, write_run):
    write_grid(tmp_path / "grid", N_WRONG, folds=(1,), models=HEADLINE)
    papers = {"dataset": "ESC-50", "preset": "paper", "tracked": False, "n_epochs": 1, "trained_epochs": 72}
    ablation = {"model": "Combination-CL, weight 7.5", "experiment": "other", "weight": 7.5}
    write_run(tmp_path / "ours", ramp_epochs=10.0, **papers, **ablation)
    write_run(tmp_path / "theirs", ramp_epochs=3.0, **papers, **ablation)  # of a grid with another ramp
    chosen = choose_table1_runs(read_runs([tmp_path]))
    assert list(chosen.experiments) == [*(model.name for model in HEADLINE), "Combination-CL, weight 7.5"]
    assert [run.folder.name for run in chosen.experiments["Combination-CL, weight 7.5"].runs] == ["ours"]
    assert chosen.left_out == (
        "1 run of ESC-50, preset paper, 1 epoch, float32 (objective.consistency_weight 7.5 instead of 5, "
        "objective.ramp_epochs 3 instead of 10)",
    )


def test_seeds_that_only_a_control_needs_are_not_seeds_of_the_grid(tmp_path, write_grid):
    write_grid(tmp_path / "grid", N_WRONG, folds=(1,), models=HEADLINE)
    best = [model for model in HEADLINE if model.name == "Combination-CL"]
    write_grid(tmp_path / "more", N_WRONG, folds=(1,), seeds=(1, 2), models=best)
    chosen = choose_table1_runs(read_runs([tmp_path]))
    assert chosen.seeds == (0,)
    assert len(chosen.grid_runs) == 4
    assert len(chosen.experiments["Combination-CL"].runs) == 3
