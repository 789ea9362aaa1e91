import pytest

from cohear.reports.paired import answers_of, compare
from cohear.runs.identity import NUMERICS
from cohear.runs.paper import CONTROLS, HEADLINE
from reproduction.grid import choose
from run_folders_made import read_runs

N_WRONG = {"none": 10, "standard": 8, "bda": 5, "consistency": 2}
NONE, BEST = HEADLINE[0], HEADLINE[-1]
WEIGHT = "objective.consistency_weight"
PAPERS = {"dataset": "ESC-50", "preset": "paper", "tracked": False, "n_epochs": 1}


def _names(grid):
    return {name: len(experiment.runs) for name, experiment in grid.experiments.items()}


def test_nothing_is_chosen_of_nothing():
    grid = choose([])
    assert (grid.experiments, grid.seeds, grid.deviations, grid.runs) == ({}, (), (), [])
    assert grid.compare(["Combination-CL"], ["No Augmentation"]) == (None, False)


def test_two_models_are_compared_as_in_the_table_of_paired_tests(tmp_path, write_grid):
    grid = choose(write_grid(tmp_path, N_WRONG, models=HEADLINE))
    comparison, is_whole = grid.compare(["Combination-CL"], ["Combination-BDA"])
    a, b = (answers_of(grid.experiments[name]) for name in ("Combination-CL", "Combination-BDA"))
    assert comparison == compare([a], [b])
    assert comparison.test.difference == pytest.approx(3 / 20)
    assert (comparison.folds, comparison.n_clips, is_whole) == ((1, 2, 3, 4, 5), 100, True)


def test_a_seed_counts_only_as_a_whole_once_one_is_whole(tmp_path, write_grid):
    write_grid(tmp_path / "0", N_WRONG, models=HEADLINE)
    write_grid(tmp_path / "1", {**N_WRONG, "consistency": 20}, folds=(1,), seeds=(1,), models=HEADLINE)
    grid = choose(read_runs([tmp_path]))
    comparison, is_whole = grid.compare(["Combination-CL"], ["No Augmentation"])
    assert (comparison.seeds, is_whole) == ((0,), True)
    assert comparison.test.difference == pytest.approx(8 / 20)
    assert grid.n_runs(["Combination-CL", "No Augmentation"]) == 10


@pytest.mark.parametrize(
    "other",
    [
        {"preset": "small"},
        {"settings": {WEIGHT: 2.0}},
        {"settings": {"network.width": 0.5}},
        {"dataset": "dogs"},
    ],
)
def test_the_papers_configuration_is_chosen_before_a_larger_other_one(tmp_path, write_grid, other):
    write_grid(tmp_path / "other", N_WRONG, folds=(1, 2), models=[NONE, BEST], **other)
    write_grid(tmp_path / "paper", N_WRONG, folds=(1,), models=[NONE, BEST])
    grid = choose(read_runs([tmp_path]))
    assert grid.deviations == ()
    assert _names(grid)["Combination-CL"] == 1
    assert any("Combination-CL" in text for text in grid.left_out)


def test_runs_of_two_numerics_are_never_in_one_table(tmp_path, write_grid):
    write_grid(tmp_path / "old", N_WRONG, folds=(1, 2), models=[NONE, BEST], numerics=NUMERICS - 1)
    write_grid(tmp_path / "new", N_WRONG, folds=(1, 2, 3), models=[BEST])
    grid = choose(read_runs([tmp_path]))
    assert {run.record.numerics for run in grid.runs} == {NUMERICS - 1}
    assert len(grid.left_out) == 1


def test_runs_that_are_not_the_papers_say_why(tmp_path, write_grid, monkeypatch):
    changed = {WEIGHT: 2.0, "data.sample_rate": 22050}
    runs = write_grid(tmp_path, N_WRONG, folds=(1,), models=HEADLINE, dataset="dogs", settings=changed)
    said = "data.sample_rate 22050 instead of 44100", f"{WEIGHT} 2 instead of 5"
    assert choose(runs).deviations == ("dogs instead of ESC-50", *said)
    runs = write_grid(tmp_path / "own", N_WRONG, folds=(1,), models=HEADLINE)
    monkeypatch.setattr("reproduction.grid.CLIPS_OF_A_FOLD", 400)
    assert choose(runs).deviations == ("20 clips in fold 1 instead of 400",)


def test_a_method_belongs_whatever_the_options_are_that_it_does_not_look_at(tmp_path, write_grid):
    write_grid(tmp_path / "a", N_WRONG, folds=(1,), models=HEADLINE[1:], settings={WEIGHT: 2.0})
    write_grid(tmp_path / "b", N_WRONG, folds=(1,), models=[NONE], settings={WEIGHT: 2.5})
    grid = choose(read_runs([tmp_path / "a", tmp_path / "b"]))
    assert {"No Augmentation", "Combination-CL"} <= _names(grid).keys()


def test_an_ablation_belongs_to_the_grid_that_it_changes_in_one_thing(tmp_path, write_grid, write_run):
    write_grid(tmp_path / "grid", N_WRONG, folds=(1,), models=HEADLINE)
    ablation = {"model": "Combination-CL, weight 7.5", **PAPERS}
    write_run(tmp_path / "ours", **ablation)
    write_run(tmp_path / "theirs", settings={"objective.ramp_epochs": 3.0}, **ablation)  # of another grid
    grid = choose(read_runs([tmp_path]))
    assert list(grid.experiments) == [*(model.name for model in HEADLINE), "Combination-CL, weight 7.5"]
    assert [run.folder.name for run in grid.experiments["Combination-CL, weight 7.5"].runs] == ["ours"]
    assert len(grid.left_out) == 1


def test_seeds_that_only_a_control_needs_are_not_seeds_of_the_grid(tmp_path, write_grid):
    write_grid(tmp_path / "grid", N_WRONG, folds=(1,), models=HEADLINE, precision="bf16")
    write_grid(tmp_path / "more", N_WRONG, folds=(1,), seeds=(1, 2), models=[BEST, CONTROLS[0]])
    grid = choose(read_runs([tmp_path]))
    assert (grid.seeds, len(grid.runs)) == ((0,), 5)
    assert _names(grid)["Combination-CL"] == 3
    assert CONTROLS[0].name in _names(grid)
