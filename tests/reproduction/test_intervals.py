import numpy as np
import pytest
from scipy import stats

from reproduction.intervals import mean_interval


@pytest.mark.parametrize("n", [2, 3, 4, 7, 40])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_interval_of_a_mean_agrees_with_scipy(n, confidence):
    values = np.random.default_rng(n).normal(size=n)
    expected = stats.t.interval(confidence, n - 1, loc=values.mean(), scale=stats.sem(values))
    assert mean_interval(values, confidence) == pytest.approx(expected, rel=1e-9)
