import pytest
from scipy import stats

from cohear.metrics.accuracy import standard_error, wilson_interval


@pytest.mark.parametrize("ddof", [0, 1])
def test_standard_error_agrees_with_scipy(ddof):
    values = [0.81, 0.84, 0.79, 0.85, 0.83]
    assert standard_error(values, ddof) == pytest.approx(stats.sem(values, ddof=ddof), rel=1e-12)


@pytest.mark.parametrize(("n_correct", "n_clips"), [(0, 10), (10, 10), (345, 400), (1, 2)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilson_interval_agrees_with_scipy(n_correct, n_clips, confidence):
    expected = stats.binomtest(n_correct, n_clips).proportion_ci(confidence, method="wilson")
    assert wilson_interval(n_correct, n_clips, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)
