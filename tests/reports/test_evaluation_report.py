"""What is said of one run, counted by hand; and its page."""

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from cohear.evaluation.calibration import Calibration, calibrate, write_calibration
from cohear.evaluation.corruptions import CORRUPTIONS
from cohear.inference.card import model_card
from cohear.metrics.tasks import SINGLE_LABEL
from cohear.metrics.thresholds import Threshold
from cohear.reports.evaluation_json import evaluation_values
from cohear.reports.evaluation_report import accuracy_sentence, write_evaluation
from cohear.reports.pages import to_text
from cohear.reports.run_report import write_run_report
from cohear.runs.run import Run
from judged import CLASSES, answers, judged_run, survived
from made_models import DESCRIPTION

FITTED = Calibration(
    2.0, {"dog": Threshold(0.4, 0.9, 0.8, 20), "rain": Threshold(0.99, 1.0, 0.1, 3)}, precision=0.9, n_clips=40
)
PROBABILITIES, AGREEMENT, DAMAGE = (
    "Can its probabilities be believed?",
    "Does it answer a changed clip alike?",
    "How much damage does it survive?",
)


@pytest.fixture
def tables(undrawn, tmp_path):
    """Judge a run, and return its tables by title, each of which fits a screen."""

    def of(*given, **how):
        _, _, written = write_evaluation(judged_run(*given, **how), tmp_path / "page.html")
        assert all(len(line) <= 80 for table in written for line in to_text(table, 80).splitlines())
        return {table.title: table for table in written}

    return of


def test_the_first_sentence_counts_and_gives_wilsons_interval():
    judged = judged_run(*answers(20, wrong=(0, 1, 2, 3)))
    found = "16 of 20 clips right: 80.00%, 95% interval 58.4 to 91.9%"
    assert accuracy_sentence(judged) == f"{found} if the clips were independent, and they are of 10 recordings"
    alone = replace(judged.clips.store, clips=tuple(replace(clip, group=clip.id) for clip in judged.clips.store.clips))
    assert accuracy_sentence(replace(judged, clips=replace(judged.clips, store=alone))) == found


def test_labels_are_counted_from_both_sides(tables):
    rows = tables(*answers(20, wrong=(0, 4, 1)))["By label"].rows
    assert rows[0] == ("dog", "5", "60%", "100%", "rain (2)")
    assert rows[1] == ("rain", "5", "80%", "67%", "siren (1)")
    assert rows[3] == ("bird", "5", "100%", "100%", "-")
    logits, truth = answers(4, wrong=())
    assert tables(logits[:2], truth[:2])["By label"].rows[2] == ("siren", "0", "-", "-", "-")


def test_probabilities_are_shown_before_and_after_a_temperature_that_was_fitted(tables):
    logits, truth = answers(20, wrong=(0,))
    assert tables(logits, truth)[PROBABILITIES].header == ("", "As trained")
    fitted = tables(logits, truth, calibration=FITTED)[PROBABILITIES]
    assert fitted.header == ("", "As trained", "Temperature 2.00")
    sure, likelier = np.exp(2) / (np.exp(2) + 3), np.exp(1) / (np.exp(1) + 3)
    assert fitted.rows[2] == ("Calibration error", f"{0.95 - sure:.1%}", f"{0.95 - likelier:.1%}")


@pytest.mark.parametrize("n_clips", [29, 30])
@pytest.mark.usefixtures("undrawn")
def test_page_card_evaluation_and_values_agree_on_whether_a_temperature_was_fitted(tmp_path, write_run, n_clips):
    logits, truth = answers(n_clips, wrong=(0, 5, 10, 15, 20), sureness=8.0)
    labels, said = truth.argmax(1), SINGLE_LABEL.log_probabilities(logits)
    calibration = calibrate(SINGLE_LABEL, CLASSES, said, logits.argmax(1), labels, precision=0.9)
    run = Run(write_run(tmp_path / "run", classes=CLASSES))
    write_calibration(run.folder, calibration)
    judged = judged_run(*answers(20, wrong=(0,)), calibration=calibration)
    _, _, tables = write_evaluation(judged, tmp_path / "evaluation.html")
    about = DESCRIPTION.model_copy(update={"classes": CLASSES, "calibration": calibration})
    found = {
        "page": write_run_report(run).read_text(),
        "card": model_card(about, 1, None),
        "evaluation": (tmp_path / "evaluation.html").read_text(),
        "screen": "".join(map(to_text, tables)),
    }
    (values,) = evaluation_values([judged])["runs"]
    assert values["calibration"]["n_clips"] == n_clips
    assert (values["after_temperature"] is not None) == (n_clips == 30)
    fitted = f"{likeliest_temperature(said, truth):.2f}"
    for where, text in found.items():
        assert f"{n_clips} validation clips" in " ".join(text.split()), where
        assert (fitted in text) == (n_clips == 30), where


def likeliest_temperature(said: np.ndarray, truth: np.ndarray) -> float:
    """Search for the temperature that makes the truth likeliest."""

    def nll(log_temperature: float) -> float:
        return -float(log_softmax(said / np.exp(log_temperature), axis=1)[truth].mean())

    return float(np.exp(minimize_scalar(nll, bounds=(-2, 4), method="bounded", options={"xatol": 1e-9}).x))


def test_thresholds_are_held_against_what_came_of_them(tables):
    logits, truth = answers(20, wrong=(0, 3))  # one dog is missed, one bird is taken for a dog
    found = tables(logits, truth, calibration=FITTED, background="rain")["Thresholds"]
    assert found.rows == (
        ("dog", "0.400", "90% of 20", "80% of 5", "80%", "80%"),
        ("rain", "0.990", "100% of 3", "-", "10%", "0%"),
    )
    assert "Thresholds" not in tables(logits, truth)


@pytest.mark.parametrize(
    ("background", "said"), [("bird", ("720 per hour", "2 of 5 clips of 2 s")), ("rain", ("0 per hour",)), (None, ())]
)
def test_false_alarms_are_clips_of_background_in_which_something_counts(tables, background, said):
    notes = tables(*answers(20, wrong=(3, 7)), calibration=FITTED, background=background)["Thresholds"].notes
    assert all(words in notes[-1] for words in said)
    assert ("per hour" in notes[-1]) == bool(said)


def test_several_labels_have_their_own_tables(tables):
    truth = np.array([[True, True], [True, False], [False, False], [False, False]])
    logits = np.array([[2.0, 1.0], [1.0, -1.0], [-1.0, -2.0], [0.5, -3.0]])
    how = {"classes": ("dog", "rain"), "multi_label": True}
    assert accuracy_sentence(judged_run(logits, truth, **how)).startswith("3 of 4 clips with all labels right: 75.00%")
    found = tables(logits, truth, **how)
    assert found["By label"].rows == (
        ("dog", "2", "100%", "67%", "0.800", "1.000"),
        ("rain", "1", "100%", "100%", "1.000", "1.000"),
    )
    rows = dict(found[PROBABILITIES].rows)
    assert (rows["Mean average precision"], rows["F1, mean over labels"]) == ("1.000", "0.900")


def test_agreements_and_corruptions_are_means_over_clips(tables):
    found = tables(*answers(20, wrong=()), right_when_corrupted=survived(20, 15), flips=0.1)
    assert found[AGREEMENT].rows[0] == ("pitch -4 semitones", "0.1600", "10.0%")
    assert found[AGREEMENT].rows[-1] == ("masks 40%", "0.0016", "10.0%")
    assert found[DAMAGE].rows[0] == ("white noise (30, 20, 10, 5, 0 dB SNR)", "25", "25", "25", "25", "25", "25.0")
    assert found[DAMAGE].rows[-1][-1] == "25.0"
    assert DAMAGE not in tables(*answers(20, wrong=()))


def test_the_page_has_every_table_and_says_what_was_trained_on(tables, undrawn, tmp_path):
    calibration, warnings = Calibration(2.0, precision=0.9, n_clips=40), ("these clips were trained on",)
    how = {"right_when_corrupted": survived(20, 15), "calibration": calibration, "warnings": warnings}
    titles = tables(*answers(20, wrong=(1,)), **how)
    page = (tmp_path / "page.html").read_text()
    assert all(f"<h2>{title}</h2>" in page for title in titles)
    assert "Warning: these clips were trained on." in page
    assert not re.search(r"(src|href)=(?![\"']?data:)", page)
    assert [line.label for line, _ in undrawn["reliability_diagram"]] == ["as trained", "after temperature"]
    (model,) = undrawn["corruption_panels"]
    assert (model.clean, model.corrupted.shape, model.corrupted[0, 0]) == (0.95, (len(CORRUPTIONS), 5), 0.75)
