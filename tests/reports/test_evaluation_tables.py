"""What is said of one run, counted by hand."""

import numpy as np
import pytest

from cohear.evaluation.calibration import Calibration
from cohear.metrics.thresholds import Threshold
from cohear.reports.evaluation_tables import (
    AGREEMENT,
    BY_LABEL,
    DAMAGE,
    PROBABILITIES,
    accuracy_sentence,
    single_tables,
)
from cohear.reports.tables import to_text
from judged import answers, judged_run, survived

FITTED = Calibration(
    2.0, {"dog": Threshold(0.4, 0.9, 0.8, 20), "rain": Threshold(0.99, 1.0, 0.1, 3)}, precision=0.9, n_clips=40
)


def _tables(judged):
    return {table.title: table for table in single_tables(judged)}


def test_the_first_sentence_counts_and_gives_wilsons_interval():
    judged = judged_run(*answers(20, wrong=(0, 1, 2, 3)))
    assert accuracy_sentence(judged) == "16 of 20 clips right: 80.00%, 95% interval 58.4 to 91.9%"


def test_labels_are_counted_from_both_sides():
    rows = _tables(judged_run(*answers(20, wrong=(0, 4, 1))))[BY_LABEL].rows
    assert rows[0] == ("dog", "5", "60%", "100%", "rain (2)")
    assert rows[1] == ("rain", "5", "80%", "67%", "siren (1)")
    assert rows[3] == ("bird", "5", "100%", "100%", "-")


def test_a_label_without_clips_or_answers_has_no_shares():
    logits, truth = answers(4, wrong=())
    rows = _tables(judged_run(logits[:2], truth[:2]))[BY_LABEL].rows
    assert rows[2] == ("siren", "0", "-", "-", "-")


def test_probabilities_are_shown_before_and_after_a_temperature_that_was_fitted():
    logits, truth = answers(20, wrong=(0,))
    without = _tables(judged_run(logits, truth))[PROBABILITIES]
    assert without.header == ("", "As trained")
    assert "no validation part" in without.notes[0]
    fitted = _tables(judged_run(logits, truth, calibration=FITTED))[PROBABILITIES]
    assert fitted.header == ("", "As trained", "Temperature 2.00")
    sure, likelier = np.exp(2) / (np.exp(2) + 3), np.exp(1) / (np.exp(1) + 3)
    name, before, after = fitted.rows[2]
    assert (name, before, after) == ("Calibration error", f"{0.95 - sure:.1%}", f"{0.95 - likelier:.1%}")
    assert "40 validation clips, never to these" in fitted.notes[0]


def test_thresholds_are_held_against_what_came_of_them():
    logits, truth = answers(20, wrong=(0, 3))  # one dog is missed, one bird is taken for a dog
    judged = judged_run(logits, truth, calibration=FITTED, background="rain")
    table = _tables(judged)["Thresholds"]
    assert table.rows == (
        ("dog", "0.400", "90% of 20", "80% of 5", "80%", "80%"),
        ("rain", "0.990", "100% of 3", "-", "10%", "0%"),
    )
    assert "False alarms: 0 per hour of background" in table.notes[1]
    assert "Thresholds" not in _tables(judged_run(logits, truth))


def test_false_alarms_are_clips_of_background_in_which_something_counts():
    logits, truth = answers(20, wrong=(3, 7))
    table = _tables(judged_run(logits, truth, calibration=FITTED, background="bird"))["Thresholds"]
    assert "False alarms: 720 per hour of background" in table.notes[-1]  # 2 of 5 clips of 2 s
    assert "(2 of 5 clips of 2 s)" in table.notes[-1]
    none = _tables(judged_run(logits, truth, calibration=FITTED))["Thresholds"]
    assert "None of these clips is background" in none.notes[-1]


def test_several_labels_have_their_own_tables():
    truth = np.array([[True, True], [True, False], [False, False], [False, False]])
    logits = np.array([[2.0, 1.0], [1.0, -1.0], [-1.0, -2.0], [0.5, -3.0]])
    judged = judged_run(logits, truth, classes=("dog", "rain"), multi_label=True)
    assert accuracy_sentence(judged).startswith("3 of 4 clips with all labels right: 75.00%")
    assert _tables(judged)[BY_LABEL].rows == (
        ("dog", "2", "100%", "67%", "0.800", "1.000"),
        ("rain", "1", "100%", "100%", "1.000", "1.000"),
    )
    rows = dict(_tables(judged)[PROBABILITIES].rows)
    assert (rows["Mean average precision"], rows["F1, mean over labels"]) == ("1.000", "0.900")


def test_agreements_and_corruptions_are_means_over_clips():
    judged = judged_run(*answers(20, wrong=()), right_when_corrupted=survived(20, 15), flips=0.1)
    rows = _tables(judged)[AGREEMENT].rows
    assert rows[0] == ("pitch -4 semitones", "0.1600", "10.0%")
    assert rows[-1] == ("masks 40%", "0.0016", "10.0%")
    table = _tables(judged)[DAMAGE]
    assert table.rows[0] == ("white noise (30, 20, 10, 5, 0 dB SNR)", "25", "25", "25", "25", "25", "25.0")
    assert table.rows[-1][-1] == "25.0"
    assert "clean 0.0%. Mean corruption error: 25.0%" in table.notes[0]
    assert DAMAGE not in _tables(judged_run(*answers(20, wrong=())))


@pytest.mark.parametrize("corrupted", [None, survived(20, 15)])
def test_tables_fit_a_screen(corrupted):
    judged = judged_run(*answers(20, wrong=(1,)), calibration=FITTED, right_when_corrupted=corrupted)
    for table in single_tables(judged):
        assert max(map(len, to_text(table, 80).splitlines())) <= 80
