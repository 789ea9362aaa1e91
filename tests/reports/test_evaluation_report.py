"""Several runs beside each other, their pages and values: means, errors and tests, computed by hand or by scipy."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from cohear.evaluation.calibration import Calibration
from cohear.evaluation.consistency import PERTURBATIONS
from cohear.evaluation.corruptions import CORRUPTIONS
from cohear.reports import evaluation_plots
from cohear.reports.evaluation_report import (
    JudgedExperiment,
    baseline_of,
    comparison_tables,
    evaluation_values,
    judged_experiments,
    write_evaluation,
    write_robustness,
)
from cohear.reports.paired import compare
from cohear.reports.tables import to_text
from judged import answers, judged_run, survived
from run_folders_made import read_runs

N_CLIPS = 20
SURVIVED = {"none": (6, 10), "bda": (10, 12), "consistency": (12, 16)}
WRONG = {"none": ((0, 1, 2, 3), (0, 1)), "bda": ((0, 1), (0,)), "consistency": ((5,), ())}


@pytest.fixture(name="experiments")
def _experiments(tmp_path, write_run) -> list[JudgedExperiment]:
    return make(tmp_path, write_run)


@pytest.fixture(name="undrawn")
def _undrawn(monkeypatch):
    """Pictures take seconds; what they are given is kept."""
    given = {}
    for name in ("corruption_panels", "reliability_diagram", "agreement_panels"):
        monkeypatch.setattr(
            evaluation_plots, name, lambda models, name=name: given.setdefault(name, models) and b"<svg/>"
        )
    monkeypatch.setattr("cohear.reports.plots.confusion_picture", lambda *_: b"<svg/>")
    return given


def make(tmp_path, write_run, seeds=(0,), path="fold{fold}/{clip}.wav", corrupted=True) -> list[JudgedExperiment]:
    for method in SURVIVED:
        for fold in (1, 2):
            for seed in seeds:
                transform = "none" if method == "none" else "combination"
                write_run(tmp_path / f"{method}{fold}{seed}", method, transform, fold=fold, seed=seed)
    runs = read_runs([tmp_path])
    place = [(run.config.method, run.config.fold - 1) for run in runs]
    judged = [
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
    return judged_experiments(judged)


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_errors_are_means_with_standard_errors_over_folds(tmp_path, write_run, seeds):
    experiments = make(tmp_path, write_run, seeds)
    table = comparison_tables(experiments)[0]
    assert baseline_of(experiments).label == "No Augmentation"
    assert table.header == ("Model", "Clean error", "Corrupted error", "Relative", "Runs")
    assert table.rows[0] == ("No Augmentation", "15.0%±5.0", "60.0%±10.0", "1.000", str(2 * len(seeds)))
    ratios = [10 / 14, 8 / 10]  # of corrupted clips that bda and none get wrong, fold by fold
    assert table.rows[1][3] == f"{np.mean(ratios):.3f}±{stats.sem(ratios):.3f}"
    assert table.rows[2][:3] == ("Combination-CL", "2.5%±2.5", "30.0%±10.0")


@pytest.mark.parametrize(("corrupted", "difference"), [(True, 6 / 40), (False, 2 / 40)])
def test_answers_are_compared_recording_by_recording(experiments, corrupted, difference):
    _, bda, consistency = (its.answers(corrupted=corrupted) for its in experiments)
    comparison = compare([consistency], [bda])
    assert comparison is not None
    assert comparison.test.difference == pytest.approx(difference)
    assert (comparison.n_clips, comparison.n_recordings) == (40, 20)
    if corrupted:  # of 20 recordings of two clips three gained both: the standard error of a share of 3/20
        assert comparison.test.standard_error == pytest.approx(np.sqrt(0.15 * 0.85 / 20), rel=0.05)


def test_the_same_clips_judged_by_runs_of_several_folds_are_no_further_evidence(tmp_path, write_run):
    _, bda, consistency = (its.answers(corrupted=False) for its in make(tmp_path, write_run, path="other/{clip}.wav"))
    comparison = compare([consistency], [bda])
    assert comparison is not None
    assert comparison.n_clips == 20


def test_without_corruptions_there_are_no_columns_of_them(tmp_path, write_run):
    tables = comparison_tables(make(tmp_path, write_run, corrupted=False))
    assert tables[0].header == ("Model", "Clean error", "Runs")
    assert [table.title for table in tables[1:]] == ["Paired tests, clean clips", "Probabilities and consistency"]


def test_tables_fit_a_screen_and_name_every_corruption(experiments):
    tables = {table.title: table for table in comparison_tables(experiments)}
    for table in tables.values():
        assert max(map(len, to_text(table, 80).splitlines())) <= 80, table.title
    assert [row[1:] for row in tables["Error by corruption"].rows] == [("60.0", "45.0", "30.0")] * 13
    assert tables["Paired tests, corrupted clips"].rows[0][:2] == (
        "Combination-CL − Combination-BDA", "+15.00",  # noqa: RUF001
    )  # fmt: skip


def test_values_are_json_and_hold_what_the_tables_say(experiments):
    judged = [its for experiment in experiments for its in experiment.judged]
    values = json.loads(json.dumps(evaluation_values(judged), allow_nan=False))
    assert len(values["runs"]) == 6
    run = values["runs"][0]
    assert run["as_trained"]["accuracy"] == 0.8
    assert run["mean_corruption_error"] == pytest.approx(0.7)
    assert run["corruptions"][2]["error_rates"] == pytest.approx([0.7] * 5)
    assert [its["right_when_corrupted"] for its in run["answers"]] == [1.0] * 6 + [0.0] * 14


def test_the_page_of_a_run_has_every_table_and_says_what_was_trained_on(tmp_path, undrawn):
    judged = judged_run(
        *answers(20, wrong=(1,)),
        right_when_corrupted=survived(20, 15),
        calibration=Calibration(2.0, precision=0.9, n_clips=40),
        warnings=("these clips were trained on",),
    )
    page = write_evaluation(judged, tmp_path / "page.html").read_text()
    titles = ("Can its probabilities be believed?", "How much damage does it survive?", "By label", "Thresholds")
    assert all(f"<h2>{title}</h2>" in page for title in titles)
    assert "Warning: these clips were trained on." in page
    assert not re.search(r"(src|href)=(?![\"']?data:)", page)
    assert [line.label for line, _ in undrawn["reliability_diagram"]] == ["as trained", "after temperature"]
    (model,) = undrawn["corruption_panels"]
    assert (model.clean, model.corrupted.shape, model.corrupted[0, 0]) == (0.95, (len(CORRUPTIONS), 5), 0.75)


def test_the_page_of_several_runs_draws_means_and_standard_errors_over_folds(experiments, tmp_path, undrawn):
    write_robustness(experiments, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "6 runs judged on ponds" in page
    assert "<h2>Paired tests, corrupted clips</h2>" in page
    model = undrawn["corruption_panels"][1]
    assert model.line.label == "Combination-BDA"
    assert (model.corrupted[3, 3], model.corrupted_errors[3, 3]) == pytest.approx((0.55, 0.05))
    assert undrawn["agreement_panels"][0].flipped == pytest.approx([0.25] * len(PERTURBATIONS))
