"""Several runs beside each other: means, standard errors and paired tests, computed by hand or by scipy."""

import json

import numpy as np
import pytest
from scipy import stats

from cohear.reports.evaluation_values import evaluation_values
from cohear.reports.judged_experiments import JudgedExperiment, baseline_of, judged_experiments
from cohear.reports.judged_pairs import compare_judged, paired_tables
from cohear.reports.robustness_tables import belief_table, corruptions_table, robustness_table
from cohear.reports.run_folders import read_runs
from cohear.reports.tables import to_text
from judged import answers, judged_run, survived

N_CLIPS = 20
SURVIVED = {"none": (6, 10), "bda": (10, 12), "consistency": (12, 16)}
WRONG = {"none": ((0, 1, 2, 3), (0, 1)), "bda": ((0, 1), (0,)), "consistency": ((5,), ())}


@pytest.fixture(name="experiments")
def _experiments(tmp_path, write_run) -> list[JudgedExperiment]:
    return make(tmp_path, write_run)


def make(tmp_path, write_run, seeds=(0,), path="fold{fold}/{clip}.wav", corrupted=True) -> list[JudgedExperiment]:
    for method in SURVIVED:
        for fold in (1, 2):
            for seed in seeds:
                transform = "none" if method == "none" else "combination"
                write_run(tmp_path / f"{method}{fold}{seed}", method, transform, fold=fold, seed=seed)
    runs = read_runs([tmp_path])
    judged = [
        judged_run(
            *answers(N_CLIPS, WRONG[run.method][run.fold - 1]),
            right_when_corrupted=survived(N_CLIPS, SURVIVED[run.method][run.fold - 1]) if corrupted else None,
            folder=run.folder,
            fold=run.fold,
            seed=run.seed,
            path=path,
        )
        for run in runs
    ]
    return judged_experiments(runs, judged)


def test_errors_are_means_with_standard_errors_over_folds(experiments):
    table = robustness_table(experiments)
    assert baseline_of(experiments).label == "No Augmentation"
    assert table.header == ("Model", "Clean error", "Corrupted error", "Relative", "Runs")
    assert table.rows[0] == ("No Augmentation", "15.0%±5.0", "60.0%±10.0", "1.000", "2")
    ratios = [10 / 14, 8 / 10]  # of corrupted clips that bda and none get wrong, fold by fold
    assert table.rows[1][3] == f"{np.mean(ratios):.3f}±{stats.sem(ratios):.3f}"
    assert table.rows[2][:3] == ("Combination-CL", "2.5%±2.5", "30.0%±10.0")


def test_seeds_are_averaged_before_folds(tmp_path, write_run):
    assert robustness_table(make(tmp_path, write_run, seeds=(0, 1))).rows[0] == (
        *("No Augmentation", "15.0%±5.0", "60.0%±10.0", "1.000", "4"),
    )


def test_corrupted_clips_are_compared_by_recordings_and_not_version_by_version(experiments):
    none, bda, consistency = experiments
    comparison = compare_judged(consistency, bda, corrupted=True)
    assert comparison is not None
    assert comparison.test.difference == pytest.approx((2 + 4) / 40)
    assert (comparison.answers.n_clips, comparison.answers.n_recordings) == (40, 20)
    # of 20 recordings of two clips three gained both: the standard error of a share of 3/20
    assert comparison.test.standard_error == pytest.approx(np.sqrt(0.15 * 0.85 / 20), rel=0.05)
    assert compare_judged(none, none, corrupted=True).test.difference == 0  # type: ignore[union-attr]


def test_clean_clips_of_one_seed_are_tested_by_mcnemar(experiments):
    _, bda, consistency = experiments
    comparison = compare_judged(consistency, bda, corrupted=False)
    assert comparison is not None
    assert comparison.test.p_value == pytest.approx(stats.binomtest(1, 4).pvalue)  # right alone: 3 and 1
    clean, corrupted = paired_tables(experiments)
    assert clean.rows[0][:2] == ("Combination-CL − Combination-BDA", "+5.00±0.00")  # noqa: RUF001
    assert corrupted.rows[0][1] == "+15.00±5.00"
    assert any("McNemar" in note for note in clean.notes)
    assert any("bootstrap resamples" in note for note in corrupted.notes)


def test_the_same_clips_judged_by_runs_of_several_folds_are_no_independent_evidence(tmp_path, write_run):
    _, bda, consistency = make(tmp_path, write_run, path="other/{clip}.wav")
    comparison = compare_judged(consistency, bda, corrupted=False)
    assert comparison is not None
    assert (comparison.answers.n_clips, len(comparison.answers.correct_a)) == (20, 40)
    (table, _) = paired_tables([bda, consistency])
    assert any("bootstrap" in note for note in table.notes)


def test_without_corruptions_there_are_no_columns_of_them(tmp_path, write_run):
    experiments = make(tmp_path, write_run, corrupted=False)
    assert robustness_table(experiments).header == ("Model", "Clean error", "Runs")
    assert len(paired_tables(experiments)) == 1


def test_tables_fit_a_screen_and_name_every_corruption(experiments):
    tables = (robustness_table(experiments), belief_table(experiments), *paired_tables(experiments))
    for table in (*tables, corruptions_table(experiments)):
        assert max(map(len, to_text(table, 80).splitlines())) <= 80, table.title
    assert [row[1:] for row in corruptions_table(experiments).rows] == [("60.0", "45.0", "30.0")] * 13


def test_values_are_json_and_hold_what_the_tables_say(experiments):
    judged = [its for experiment in experiments for its in experiment.judged]
    values = json.loads(json.dumps(evaluation_values(judged, experiments), allow_nan=False))
    assert len(values["runs"]) == 6
    run = values["runs"][0]
    assert run["as_trained"]["accuracy"] == 0.8
    assert run["mean_corruption_error"] == pytest.approx(0.7)
    assert run["corruptions"][2]["error_rates"] == pytest.approx([0.7] * 5)
    assert [its["right_when_corrupted"] for its in run["answers"]] == [1.0] * 6 + [0.0] * 14
    assert values["experiments"][2]["mean_corruption_error"] == {
        "mean": pytest.approx(0.3),
        "error": pytest.approx(0.1),
    }
    pair = values["pairs"]["corrupted"][0]
    assert (pair["first"], pair["second"], pair["difference"]) == (
        "Combination-CL",
        "Combination-BDA",
        pytest.approx(0.15),
    )
