import numpy as np
import pytest
from scipy import stats

from cohear.metrics.accuracy import (
    accuracy,
    confusion_matrix,
    mean_interval,
    standard_error,
    wilson_interval,
)

LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 1, 0, 1, 0, 2])


def test_accuracy_of_a_hand_counted_case():
    assert accuracy(PREDICTED, LABELS) == pytest.approx(4 / 6)


def test_confusion_matrix_has_labels_in_rows_and_predictions_in_columns():
    assert confusion_matrix(PREDICTED, LABELS, 4).tolist() == [
        [2, 1, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 0],
    ]


def test_accuracy_is_the_trace_of_the_confusion_matrix():
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 7, 200), rng.integers(0, 7, 200)
    counts = confusion_matrix(predicted, labels, 7)
    assert counts.sum() == 200
    assert np.trace(counts) / 200 == pytest.approx(accuracy(predicted, labels))


def test_no_clips_are_refused():
    nothing = np.array([], dtype=np.int64)
    with pytest.raises(ValueError, match="at least one clip"):
        accuracy(nothing, nothing)


@pytest.mark.parametrize("wrong", [-1, 2])
def test_a_class_index_out_of_range_is_named(wrong):
    with pytest.raises(ValueError, match=f"{wrong} is not a class index: class indices here are 0 to 1"):
        confusion_matrix(np.array([0, wrong]), np.array([0, 1]), 2)


@pytest.mark.parametrize("ddof", [0, 1])
def test_standard_error_agrees_with_scipy(ddof):
    values = [0.81, 0.84, 0.79, 0.85, 0.83]
    assert standard_error(values, ddof) == pytest.approx(stats.sem(values, ddof=ddof), rel=1e-12)


def test_one_value_has_no_standard_error():
    assert standard_error([0.8]) is None


@pytest.mark.parametrize("n", [2, 3, 4, 7, 40])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_interval_of_a_mean_agrees_with_scipy(n, confidence):
    values = np.random.default_rng(n).normal(size=n)
    expected = stats.t.interval(confidence, n - 1, loc=values.mean(), scale=stats.sem(values))
    assert mean_interval(values, confidence) == pytest.approx(expected, rel=1e-9)


def test_one_value_has_no_interval():
    assert mean_interval([0.8]) is None


@pytest.mark.parametrize(("n_correct", "n_clips"), [(0, 10), (10, 10), (345, 400), (1, 2)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilson_interval_agrees_with_scipy(n_correct, n_clips, confidence):
    expected = stats.binomtest(n_correct, n_clips).proportion_ci(confidence, method="wilson")
    assert wilson_interval(n_correct, n_clips, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_more_correct_than_clips_are_refused():
    with pytest.raises(ValueError, match="3 correct of 2 clips"):
        wilson_interval(3, 2)
