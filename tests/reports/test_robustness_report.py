"""Several runs beside each other, their page and values: means, errors and tests, computed by hand or by scipy."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from cohear.evaluation.consistency import PERTURBATIONS
from cohear.reports.evaluation_json import evaluation_values
from cohear.reports.pages import to_text
from cohear.reports.paired import compare
from cohear.reports.robustness_report import comparison_tables, judged_experiments, write_robustness
from judged import answers, judged_run, survived
from run_folders_made import read_runs

N_CLIPS = 20
SURVIVED = {"none": (6, 10), "bda": (10, 12), "consistency": (12, 16)}
WRONG = {"none": ((0, 1, 2, 3), (0, 1)), "bda": ((0, 1), (0,)), "consistency": ((5,), ())}


@pytest.fixture
def make(tmp_path, write_run):
    def judged_runs(seeds=(0,), path="fold{fold}/{clip}.wav", corrupted=True):
        for method in SURVIVED:
            for fold in (1, 2):
                for seed in seeds:
                    transform = "none" if method == "none" else "combination"
                    write_run(tmp_path / f"{method}{fold}{seed}", method, transform, fold=fold, seed=seed)
        runs = read_runs([tmp_path])
        place = [(run.config.method, run.config.fold - 1) for run in runs]
        return [
            replace(
                judged_run(
                    *answers(N_CLIPS, WRONG[method][fold]),
                    right_when_corrupted=survived(N_CLIPS, SURVIVED[method][fold]) if corrupted else None,
                    fold=fold + 1,
                    path=path,
                ),
                run=run,
            )
            for run, (method, fold) in zip(runs, place, strict=True)
        ]

    return judged_runs


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_errors_are_means_with_standard_errors_over_folds(make, seeds):
    table, *others = comparison_tables(judged_experiments(make(seeds)))
    assert table.header == ("Model", "Clean error", "Corrupted error", "Relative", "Runs")
    assert table.rows[0] == ("No Augmentation", "15.0%±5.0", "60.0%±10.0", "1.000", str(2 * len(seeds)))
    ratios = [10 / 14, 8 / 10]  # of corrupted clips that bda and none get wrong, fold by fold
    assert table.rows[1][3] == f"{np.mean(ratios):.3f}±{stats.sem(ratios):.3f}"
    assert table.rows[2][:3] == ("Combination-CL", "2.5%±2.5", "30.0%±10.0")
    found = {its.title: its for its in others}
    assert [row[1:] for row in found["Error by corruption"].rows] == [("60.0", "45.0", "30.0")] * 13
    assert found["Paired tests, corrupted clips"].rows[0][:2] == (
        "Combination-CL − Combination-BDA", "+15.00",  # noqa: RUF001
    )  # fmt: skip
    for its in (table, *others):
        assert max(map(len, to_text(its, 80).splitlines())) <= 80, its.title


@pytest.mark.parametrize(("corrupted", "difference"), [(True, 6 / 40), (False, 2 / 40)])
def test_answers_are_compared_recording_by_recording(make, corrupted, difference):
    _, bda, consistency = (its.answers(corrupted=corrupted) for its in judged_experiments(make()))
    comparison = compare([consistency], [bda])
    assert comparison is not None
    assert comparison.test.difference == pytest.approx(difference)
    assert (comparison.n_clips, comparison.n_recordings) == (40, 20)
    if corrupted:  # of 20 recordings of two clips three gained both: the standard error of a share of 3/20
        assert comparison.test.standard_error == pytest.approx(np.sqrt(0.15 * 0.85 / 20), rel=0.05)


def test_the_same_clips_judged_by_runs_of_several_folds_are_no_further_evidence(make):
    experiments = judged_experiments(make(path="other/{clip}.wav"))
    _, bda, consistency = (its.answers(corrupted=False) for its in experiments)
    comparison = compare([consistency], [bda])
    assert comparison is not None
    assert comparison.n_clips == 20


def test_without_corruptions_there_are_no_columns_of_them(make):
    tables = comparison_tables(judged_experiments(make(corrupted=False)))
    assert tables[0].header == ("Model", "Clean error", "Runs")
    assert [table.title for table in tables[1:]] == [
        "Paired tests, clean clips",
        "Probabilities and consistency",
        "By label, Combination-CL",
    ]


def test_values_are_json_and_hold_what_the_tables_say(make):
    values = json.loads(json.dumps(evaluation_values(make()), allow_nan=False))
    (run,) = (its for its in values["runs"] if (its["model"], its["fold"]) == ("No Augmentation", 1))
    assert run["as_trained"]["accuracy"] == 0.8
    assert run["mean_corruption_error"] == pytest.approx(0.7)
    assert run["corruptions"][2]["error_rates"] == pytest.approx([0.7] * 5)
    assert [its["right_when_corrupted"] for its in run["answers"]] == [1.0] * 6 + [0.0] * 14


def test_values_of_a_run_on_every_clip_name_no_fold():
    (run,) = evaluation_values([judged_run(*answers(N_CLIPS, ()), fold="all")])["runs"]
    assert run["fold"] == "all"


def test_the_page_draws_means_and_standard_errors_over_folds(make, tmp_path, undrawn):
    _, found, tables = write_robustness(make(), tmp_path / "page.html")
    assert found.result.startswith("Combination-CL, whose lead may be chance: 98% of each label's clips found")
    page = (tmp_path / "page.html").read_text()
    assert "6 runs judged on ponds" in page
    assert all(f"<h2>{table.title}</h2>" in page for table in tables[:-1])
    assert page.count("<summary>Combination-CL</summary>") == 1
    model = undrawn["corruption_panels"][1]
    assert model.line.label == "Combination-BDA"
    assert (model.corrupted[3, 3], model.corrupted_errors[3, 3]) == pytest.approx((0.55, 0.05))
    assert undrawn["agreement_panels"][0].flipped == pytest.approx([0.25] * len(PERTURBATIONS))
