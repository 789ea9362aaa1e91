"""The paired test beside scipy's, exact enumeration, simulations and cases computed by hand."""

import itertools

import numpy as np
import pytest
from scipy import stats

from cohear.metrics.paired_tests import detectable_difference, holm, paired_test


def _differences(n_same, n_a, n_b):
    return np.repeat([0.0, 1.0, -1.0], [n_same, n_a, n_b])


@pytest.mark.parametrize(("n_a", "n_b"), [(0, 0), (1, 0), (7, 2), (2, 7), (40, 25), (900, 800)])
def test_with_a_clip_in_each_recording_it_is_mcnemars_exact_test(n_a, n_b):
    differences = _differences(350, n_a, n_b)
    test = paired_test(differences, range(len(differences)))
    expected = stats.binomtest(n_a, n_a + n_b).pvalue if n_a + n_b else 1.0
    assert test.p_value == pytest.approx(expected, rel=1e-9)
    assert test.difference == pytest.approx((n_a - n_b) / (350 + n_a + n_b))


def test_with_a_clip_in_each_recording_the_interval_is_that_of_bonett_and_price():
    test = paired_test(_differences(84, 12, 4), range(100))  # adjusted shares 13/102 and 5/102
    error = np.sqrt((18 / 102 - (8 / 102) ** 2) / 102)
    assert test.standard_error == pytest.approx(error)
    assert test.interval == pytest.approx((8 / 102 - 1.959964 * error, 8 / 102 + 1.959964 * error), abs=1e-6)


@pytest.mark.parametrize("unit", [1.0, 0.25])
def test_p_is_the_share_of_all_signs_of_recordings_that_differ_as_much(unit):
    random = np.random.default_rng(0)
    recordings = random.integers(0, 9, 60)
    differences = unit * random.integers(-2, 4, 60)
    sums = np.bincount(recordings, differences)
    signed = [np.dot(signs, sums) for signs in itertools.product((-1, 1), repeat=len(sums))]
    expected = np.mean(np.abs(signed) >= abs(sums.sum()) - 1e-9)
    assert paired_test(differences, [f"place {number}" for number in recordings], unit).p_value == pytest.approx(
        expected
    )


def test_copies_of_a_recording_are_no_further_evidence():
    values = _differences(100, 20, 8)
    once = paired_test(values, range(128))
    thrice = paired_test(np.repeat(values, 3), np.repeat(np.arange(128), 3).tolist())
    assert (thrice.difference, thrice.p_value) == (once.difference, once.p_value)
    assert thrice.standard_error == pytest.approx(once.standard_error, rel=0.05)


def test_false_alarms_and_intervals_are_as_promised_where_clips_of_a_recording_are_alike():
    random, recordings = np.random.default_rng(2), np.repeat(np.arange(80), 4).tolist()
    tests = []
    for _ in range(300):
        ease = random.choice([0.0, 1.0, -1.0], 80, p=[0.6, 0.2, 0.2])
        tests.append(paired_test(np.repeat(ease, 4) * (random.uniform(size=320) < 0.8), recordings))
    assert 0.01 < np.mean([test.p_value < 0.05 for test in tests]) < 0.08
    assert 0.91 < np.mean([test.interval[0] <= 0 <= test.interval[1] for test in tests]) < 0.99


def test_holm_of_a_textbook_case():
    # four hypotheses at 0.01, 0.04, 0.03, 0.005: times 3, 1, 2, 4, then never falling
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_array_equal(holm([0.9, 0.8]), [1.0, 1.0])


def test_a_true_difference_of_the_detectable_size_is_found_four_times_in_five():
    z = np.random.default_rng(0).normal(detectable_difference(1.0), 1, 20_000)
    assert np.mean(np.abs(z) > stats.norm.ppf(0.975)) == pytest.approx(0.8, abs=0.01)
    expected = (stats.norm.ppf(1 - 0.05 / 32) + stats.norm.ppf(0.8)) * 0.01
    assert detectable_difference(0.01, n_comparisons=16) == pytest.approx(expected)
