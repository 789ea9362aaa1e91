import pytest

from cohear.experiments.identity import NUMERICS
from cohear.experiments.paper import CONTROLS, HEADLINE
from cohear.reports.run_folders import read_runs
from cohear.reports.table1_choice import choose_table1_runs
from cohear.reports.table1_report import write_table1_report

N_WRONG = {"none": 10, "standard": 8, "bda": 5, "consistency": 2}
NONE, BEST = HEADLINE[0], HEADLINE[-1]
FLOAT32, BF16 = CONTROLS[:2]
PAPERS = {"dataset": "ESC-50", "preset": "paper", "ramp_epochs": 10.0, "tracked": False, "n_epochs": 1}
PAPERS |= {"trained_epochs": 72}


def _names(chosen):
    return {name: len(experiment.runs) for name, experiment in chosen.experiments.items()}


def test_runs_of_two_numerics_are_never_in_one_table(tmp_path, write_grid):
    write_grid(tmp_path / "old", N_WRONG, folds=(1, 2), models=[NONE, BEST], numerics=NUMERICS - 1)
    write_grid(tmp_path / "new", N_WRONG, folds=(1, 2, 3), models=[BEST])
    chosen = choose_table1_runs(read_runs([tmp_path]))
    assert {run.facts["numerics"] for run in chosen.grid_runs} == {NUMERICS - 1}
    assert (chosen.numerics, chosen.is_current) == (NUMERICS - 1, False)
    assert _names(chosen) == {"No Augmentation": 2, "Combination-CL": 2}
    difference = f"numerics {NUMERICS} instead of {NUMERICS - 1}"
    assert chosen.left_out == (f"3 runs of ESC-50, preset paper, 1 epoch, float32 ({difference})",)
    page = write_table1_report(read_runs([tmp_path]), tmp_path).read_text()
    assert f"Left out, since they do not belong to this table: {chosen.left_out[0]}." in page
    assert "would keep none of them and make all runs anew" in page
    assert "keeps what is finished" not in page


def test_of_as_many_runs_those_of_this_version_are_shown(tmp_path, write_grid):
    for numerics in (NUMERICS - 1, NUMERICS):
        write_grid(tmp_path / str(numerics), N_WRONG, folds=(1,), models=[NONE, BEST], numerics=numerics)
    chosen = choose_table1_runs(read_runs([tmp_path]))
    assert (chosen.numerics, chosen.is_current, len(chosen.grid_runs)) == (NUMERICS, True, 2)


def test_numerics_that_are_not_recorded_are_said_to_be_unknown(tmp_path, write_grid):
    runs = write_grid(tmp_path / "runs", N_WRONG, folds=(1,), models=[NONE], numerics=None)
    chosen = choose_table1_runs(runs)
    assert (chosen.numerics, chosen.is_current) == (None, False)
    assert "It is not recorded by which numerics they were made" in write_table1_report(runs, tmp_path).read_text()


def test_other_contents_of_a_bank_of_rooms_are_another_table(tmp_path, write_grid):
    write_grid(tmp_path / "a", N_WRONG, folds=(1, 2), models=[NONE, BEST], rooms="aa")
    write_grid(tmp_path / "b", N_WRONG, folds=(1,), models=HEADLINE[1:2], rooms="bb")
    chosen = choose_table1_runs(read_runs([tmp_path]))
    assert _names(chosen) == {"No Augmentation": 2, "Combination-CL": 2}
    assert chosen.left_out == ("1 run of ESC-50, preset paper, 1 epoch, float32 (other rooms)",)


@pytest.mark.parametrize("table", ["float32", "bf16"])
def test_a_precision_is_a_control_or_the_tables_own_whatever_it_was_named(table, tmp_path, write_grid, write_run):
    other, own, control = ("bf16", FLOAT32, BF16) if table == "float32" else ("float32", BF16, FLOAT32)
    write_grid(tmp_path / "grid", N_WRONG, folds=(1,), models=HEADLINE, precision=table)
    for seed in (0, 1, 2):  # controls made on the other precision's base
        same = {"seed": seed, **PAPERS}
        write_run(tmp_path / f"plain {seed}", model=BEST.name, precision=other, experiment="other", **same)
        if seed:
            write_run(tmp_path / f"named {seed}", model=own.name, precision=table, **same)
    chosen = choose_table1_runs(read_runs([tmp_path]))
    assert _names(chosen) == {**{model.name: 1 for model in HEADLINE}, "Combination-CL": 3, control.name: 3}
    assert own.name in chosen.usual
    assert chosen.left_out == ()
    assert len(chosen.grid_runs) == 4


def test_a_run_that_is_there_under_two_names_counts_once(tmp_path, write_grid, write_run):
    runs = write_grid(tmp_path / "grid", N_WRONG, folds=(1,), models=[BEST])
    write_run(tmp_path / "again", model=FLOAT32.name, experiment=runs[0].experiment, **PAPERS)
    chosen = choose_table1_runs(read_runs([tmp_path]))
    assert _names(chosen) == {"Combination-CL": 1}
    assert chosen.left_out == ("1 run that is there under two names",)


def test_a_method_belongs_whatever_the_options_are_that_it_does_not_look_at(tmp_path, write_grid):
    write_grid(tmp_path / "a", N_WRONG, folds=(1,), models=HEADLINE[1:], weight=2.0)
    write_grid(tmp_path / "b", N_WRONG, folds=(2,), models=HEADLINE[1:], weight=2.0)
    write_grid(tmp_path / "c", N_WRONG, folds=(1,), models=[NONE], weight=2.5, preset="paper")
    chosen = choose_table1_runs(read_runs([tmp_path / name for name in "abc"]))
    assert {"No Augmentation", "Combination-CL"} <= _names(chosen).keys()


def test_what_differs_for_no_reason_that_is_recorded_is_left_out_by_name(tmp_path, write_grid, write_run):
    write_grid(tmp_path / "grid", N_WRONG, folds=(1, 2), models=[NONE, BEST])
    write_run(tmp_path / "odd", fold=3, model=BEST.name, experiment="unknown", **PAPERS)
    chosen = choose_table1_runs(read_runs([tmp_path]))
    assert _names(chosen) == {"No Augmentation": 2, "Combination-CL": 2}
    assert chosen.left_out == ("1 run of ESC-50, preset paper, 1 epoch, float32 (Combination-CL, another experiment)",)


def test_a_table_with_its_baseline_comes_before_more_runs_of_a_control(tmp_path, write_grid, write_run):
    write_grid(tmp_path / "grid", N_WRONG, folds=(1,), models=[NONE, BEST], precision="bf16")
    for seed in (0, 1, 2):
        write_run(tmp_path / f"control {seed}", model=BEST.name, seed=seed, experiment="float32", **PAPERS)
    chosen = choose_table1_runs(read_runs([tmp_path]))
    assert _names(chosen) == {"No Augmentation": 1, "Combination-CL": 1, "Combination-CL, float32": 3}


def test_fewer_clips_under_the_papers_name_are_a_rehearsal(tmp_path, write_grid, monkeypatch):
    write_grid(tmp_path, N_WRONG, folds=(1,), models=[NONE])
    assert choose_table1_runs(read_runs([tmp_path])).deviations == ()
    monkeypatch.setattr("cohear.reports.table1_choice.CLIPS_OF_A_FOLD", 400)
    assert choose_table1_runs(read_runs([tmp_path])).deviations == ("20 clips in fold 1 instead of 400",)
