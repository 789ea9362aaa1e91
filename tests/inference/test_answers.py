"""Which labels are reported, by hand-made probabilities and thresholds."""

import numpy as np
import pytest

from cohear.errors import UserError
from cohear.evaluation.calibration import UNFITTED, Calibration, Threshold
from cohear.inference.answers import Heard, choose_reporting

CLASSES = ("frog", "toad", "rain")
FITTED = Calibration(thresholds={"frog": Threshold(0.5, 0.9, 0.8, 10), "rain": Threshold(0.2, 0.9, 0.8, 10)}, n_clips=9)


def reported(probabilities: list[float], multi_label: bool = False, calibration: Calibration = FITTED, **asked) -> str:
    reporting = choose_reporting(CLASSES, multi_label, calibration, **asked)
    heard = Heard(0.0, 1.0, np.array(probabilities, np.float32), np.zeros(1, np.float32))
    return " ".join(row.label for row in reporting.report(heard))


def test_a_window_is_taken_for_its_likeliest_label_whatever_the_thresholds():
    assert reported([0.3, 0.4, 0.3]) == "toad"
    assert reported([0.3, 0.4, 0.3], top=2) == "toad frog"
    assert reported([0.3, 0.4, 0.3], top=9) == "toad frog rain"


def test_of_a_multi_label_window_all_labels_are_reported_that_reach_their_threshold_or_a_half():
    assert reported([0.5, 0.6, 0.1], multi_label=True) == "toad frog"
    assert reported([0.49, 0.49, 0.2], multi_label=True) == "rain"
    assert reported([0.6, 0.4, 0.4], multi_label=True, calibration=UNFITTED) == "frog"
    assert reported([0.1, 0.0, 0.2], multi_label=True, top=2) == "rain frog"


def test_a_given_threshold_counts_for_every_label_in_place_of_its_own():
    assert reported([0.3, 0.4, 0.3], threshold=0.4) == "toad"
    assert reported([0.3, 0.4, 0.3], threshold=0.41) == ""
    assert reported([0.3, 0.6, 0.3], threshold=0.3, multi_label=True) == "toad frog rain"
    assert reported([0.3, 0.4, 0.3], threshold=0.3, events=True) == "toad"


def test_events_are_of_labels_that_have_a_threshold_and_reach_it():
    assert reported([0.6, 0.2, 0.2], events=True) == "frog"
    assert reported([0.4, 0.3, 0.3], events=True) == ""
    assert reported([0.0, 1.0, 0.0], events=True) == ""
    assert reported([0.6, 0.9, 0.3], events=True, multi_label=True) == "frog rain"


def test_the_background_is_no_event():
    assert reported([0.1, 0.1, 0.8], background="rain") == "rain"
    assert reported([0.1, 0.1, 0.8], background="rain", events=True) == ""
    assert reported([0.1, 0.1, 0.8], background="rain", events=True, threshold=0.5) == ""
    assert reported([0.6, 0.1, 0.3], background="none", events=True) == "frog"


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(UserError, match="0 labels per window"):
        reported([1, 0, 0], top=0)
    with pytest.raises(UserError, match=r"a threshold of 1.5 is no probability"):
        reported([1, 0, 0], threshold=1.5)
    with pytest.raises(UserError, match="no probability"):
        reported([1, 0, 0], threshold=float("nan"))
    with pytest.raises(UserError, match="for this classifier there were none"):
        reported([1, 0, 0], events=True, calibration=UNFITTED)
    with pytest.raises(UserError, match="no label's answers were right often enough"):
        reported([1, 0, 0], events=True, calibration=Calibration(n_clips=9))
