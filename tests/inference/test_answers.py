"""Which labels are reported, by hand-made probabilities and thresholds; events against hand-made ones."""

import numpy as np
import pytest

from cohear.errors import UserError
from cohear.evaluation.calibration import UNFITTED, Calibration, Threshold
from cohear.inference.answers import Heard, Prediction, choose_reporting, join_windows
from made_models import DESCRIPTION

CLASSES = ("frog", "toad", "rain")
FITTED = Calibration(thresholds={"frog": Threshold(0.5, 0.9, 0.8, 10), "rain": Threshold(0.2, 0.9, 0.8, 10)}, n_clips=9)


def reported(
    probabilities: list[float],
    multi_label: bool = False,
    calibration: Calibration = FITTED,
    background: str | None = None,
    **asked,
) -> str:
    task = "multi_label" if multi_label else "single_label"
    changes = {"classes": CLASSES, "task": task, "calibration": calibration, "background": background}
    reporting = choose_reporting(DESCRIPTION.model_copy(update=changes), **asked)
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


def test_where_a_recorder_dropped_out_is_no_event():
    blank = Heard(0.0, 1.0, np.array([1, 0, 0], np.float32), np.zeros(1, np.float32), is_blank=True)
    about = DESCRIPTION.model_copy(update={"classes": CLASSES})
    assert choose_reporting(about, threshold=0.1, events=True).report(blank) == []
    assert choose_reporting(about, threshold=0.1).report(blank)  # a row for each window, whatever it holds


def test_without_validation_clips_the_threshold_of_events_is_one_half():
    assert reported([0.51, 0.49, 0.0], events=True, calibration=UNFITTED) == "frog"
    assert reported([0.49, 0.48, 0.03], events=True, calibration=UNFITTED) == ""


@pytest.mark.parametrize(
    "asked",
    [{"top": 0}, {"threshold": 1.5}, {"threshold": float("nan")}],
    ids=str,
)
def test_what_cannot_be_asked_is_refused(asked):
    with pytest.raises(UserError):
        reported([1, 0, 0], **asked)


def windows(label: str, *starts_and_probabilities: tuple[float, float], length_s: float = 2.0) -> list[Prediction]:
    return [Prediction(start, start + length_s, label, p) for start, p in starts_and_probabilities]


@pytest.mark.parametrize(
    ("heard", "events"),
    [
        (windows("frog", (0, 0.7), (2, 0.9), (4, 0.8)), [Prediction(0, 6, "frog", 0.9)]),  # as sure as the surest
        (windows("frog", (0, 0.7), (2.001, 0.9)), windows("frog", (0, 0.7), (2.001, 0.9))),
        (windows("frog", (0, 0.7), (1.5, 0.6)), [Prediction(0, 3.5, "frog", 0.7)]),  # over one that was not reported
        (
            sorted(windows("frog", (0, 0.7), (2, 0.7), (4, 0.7)) + windows("toad", (2, 0.6), (8, 0.6))),
            [Prediction(0, 6, "frog", 0.7), *windows("toad", (2, 0.6), (8, 0.6))],
        ),
        (windows("frog", (0, 0.7), (2, 0.7), (2.5, 0.8)), [Prediction(0, 4.5, "frog", 0.8)]),  # the tail
    ],
)
def test_windows_of_a_label_that_touch_or_overlap_are_one_event(heard, events):
    assert join_windows(heard) == events
