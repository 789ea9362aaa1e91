"""Pages and pictures of judged runs: whole, self-contained, the same for the same input."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from cohear.evaluation.calibration import Calibration
from cohear.evaluation.consistency import PERTURBATIONS
from cohear.evaluation.corruptions import CORRUPTIONS
from cohear.metrics.calibration import reliability_bins
from cohear.reports import evaluation_plots
from cohear.reports.evaluation_plots import Agreements, Line, Robustness
from cohear.reports.evaluation_report import write_evaluation, write_robustness
from cohear.reports.judged_experiments import judged_experiments
from cohear.reports.run_folders import read_runs
from judged import answers, judged_run, survived

LINES = (Line("one", "#000000", "-"), Line("another & <more>", "#0072b2", "--"))


def _panels() -> bytes:
    accuracies = np.linspace(0.9, 0.1, 55).reshape(11, 5)
    return evaluation_plots.corruption_panels(
        [Robustness(LINES[0], 0.9, accuracies, None), Robustness(LINES[1], 0.8, accuracies / 2, accuracies / 20)]
    )


@pytest.mark.slow
def test_pictures_are_svg_and_the_same_for_the_same_input():
    probabilities = np.linspace(0.3, 1.0, 60)
    bins = reliability_bins(probabilities, probabilities > 0.6)
    values = np.linspace(0.0, 0.3, len(PERTURBATIONS))
    pictures = (
        _panels(),
        evaluation_plots.reliability_diagram([(line, bins) for line in LINES]),
        evaluation_plots.agreement_panels([Agreements(line, values, values) for line in LINES]),
    )
    for picture in pictures:
        assert ElementTree.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"
    assert _panels() == pictures[0]


@pytest.fixture(name="undrawn")
def _undrawn(monkeypatch):
    """Pictures take seconds; what they are given is kept."""
    given = {}
    for name in ("corruption_panels", "reliability_diagram", "agreement_panels"):
        monkeypatch.setattr(
            evaluation_plots, name, lambda models, name=name: given.setdefault(name, models) and b"<svg/>"
        )
    for name in ("confusion_picture", "class_accuracy_bars"):
        monkeypatch.setattr(f"cohear.reports.plots.{name}", lambda *_: b"<svg/>")
    return given


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


def test_the_page_of_several_runs_draws_means_and_standard_errors_over_folds(tmp_path, write_run, undrawn):
    for fold in (1, 2):
        write_run(tmp_path / f"run{fold}", fold=fold)
    runs = read_runs([tmp_path])
    judged = [
        judged_run(
            *answers(20, wrong=()), right_when_corrupted=survived(20, 10 * run.fold), fold=run.fold, folder=run.folder
        )
        for run in runs
    ]
    page = write_robustness(judged_experiments(runs, judged), tmp_path / "page.html").read_text()
    assert "2 runs judged on ponds" in page
    (model,) = undrawn["corruption_panels"]
    assert model.line.label == "Combination-CL"
    assert (model.corrupted[3, 3], model.corrupted_errors[3, 3]) == pytest.approx((0.75, 0.25))
    (agreements,) = undrawn["agreement_panels"]
    assert agreements.flipped == pytest.approx([0.25] * len(PERTURBATIONS))
