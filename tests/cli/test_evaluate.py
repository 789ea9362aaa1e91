"""`cohear evaluate` from the command line: numbers that agree with the run's, refusals in words."""

import json
import shutil
from pathlib import Path

import pytest

from cohear.evaluation import consistency, robustness
from cohear.experiments.run_folder import read_metrics
from tiny import OPTIONS


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few changes, no rooms to make, and no pictures to draw."""
    few = tuple(its for its in consistency.PERTURBATIONS if its.kind == "masking")
    monkeypatch.setattr(consistency, "PERTURBATIONS", few)
    monkeypatch.setattr("cohear.reports.robustness_tables.PERTURBATIONS", few)
    monkeypatch.setattr(robustness, "SEVERITIES", (1,))
    monkeypatch.setattr("cohear.evaluation.corruptions.N_ROOMS", 1)
    for name in ("corruption_panels", "reliability_diagram", "agreement_panels"):
        monkeypatch.setattr(f"cohear.reports.evaluation_plots.{name}", lambda _: b"<svg/>")
    for name in ("confusion_picture", "class_accuracy_bars"):
        monkeypatch.setattr(f"cohear.reports.plots.{name}", lambda *_: b"<svg/>")


def test_on_its_own_data_a_run_is_judged_on_its_test_fold_and_its_numbers_come_back(cohear, tones, trained, tmp_path):
    page, values = tmp_path / "page.html", tmp_path / "values.json"
    said = cohear("evaluate", trained, tones, "--out", page, "--json", values)
    assert said.status == 0, said
    assert "judging 1 run on 9 clips of fold 1, which it was not trained on" in said.err
    assert f"report: {page}" in said.err
    metrics, (run,) = read_metrics(trained), json.loads(values.read_text())["runs"]
    assert said.out.startswith(f"{round(9 * metrics['accuracy'])} of 9 clips right: {metrics['accuracy']:.2%}")
    assert run["as_trained"]["accuracy"] == pytest.approx(metrics["accuracy"])
    assert run["as_trained"]["nll"] == pytest.approx(metrics["nll"], rel=1e-5)
    assert run["jsd"] == pytest.approx(metrics["jsd"], rel=1e-4)
    assert "corruptions" not in run
    assert page.read_text().startswith("<!doctype html>")


def test_several_runs_are_compared_with_paired_tests(cohear, tones, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("--set", "training.epochs=1", "--track", "end", "--method", "bda", "--out", tmp_path / "bda")
    assert cohear("train", tones, *OPTIONS, *words).status == 0
    said = cohear("evaluate", trained, tmp_path / "bda", tones, "--corruptions", "--json", "values.json")
    assert said.status == 0, said
    titles = ("Robustness", "Paired tests, clean clips", "Paired tests, corrupted clips", "Error by corruption")
    assert [line for line in said.out.splitlines() if line in titles] == list(titles)
    assert (tmp_path / "evaluation.html").exists()
    values = json.loads((tmp_path / "values.json").read_text())
    assert [its["model"] for its in values["experiments"]] == ["Combination-BDA", "Combination-CL"]
    assert len(values["pairs"]["corrupted"]) == 1


def test_training_clips_are_judged_only_aloud(cohear, tones, trained, tmp_path):
    said = cohear("evaluate", trained, tones, "--fold", "all", "--out", tmp_path / "page.html")
    assert said.status == 0
    assert "WARNING: 9 of these 18 clips were trained on" in said.err


@pytest.mark.parametrize(
    ("words", "culprit"),
    [
        (["--fold", "two"], "--fold two is not known; use own, all, or the number of a fold"),
        (["--fold", "7"], "there is no fold 7: the folds are 1, 2"),
        (["--out", "page.txt"], "'page.txt' cannot be written: give the name of a file that ends in .html"),
        (["--out", "no/page.html"], "its folder does not exist"),
        (["--json", "values.csv"], "ends in .json"),
    ],
)
def test_options_that_cannot_be_followed_are_refused(cohear, tones, trained, words, culprit):
    assert cohear("evaluate", trained, tones, *words).refuses(culprit)


def test_runs_that_are_none_or_unfinished_are_refused(cohear, tones, trained, tmp_path):
    assert cohear("evaluate", trained).refuses("DATA is missing")
    assert cohear("evaluate", tmp_path, tones).refuses("holds no finished run")
    unfinished = Path(shutil.copytree(trained, tmp_path / "unfinished"))
    (unfinished / "metrics.json").unlink()
    assert cohear("evaluate", unfinished, tones).refuses("is an unfinished run")
    (unfinished / "model.safetensors").unlink()
    (unfinished / "metrics.json").write_text((trained / "metrics.json").read_text())
    assert cohear("evaluate", unfinished, tones).refuses("model.safetensors")
