import numpy as np
import pytest
from scipy import stats

from cohear.metrics.paired_tests import detectable_difference, grouped_bootstrap, holm, mcnemar


def _answers(n_both, n_a, n_b, n_neither):
    a = np.repeat([True, True, False, False], [n_both, n_a, n_b, n_neither])
    b = np.repeat([True, False, True, False], [n_both, n_a, n_b, n_neither])
    return a, b


@pytest.mark.parametrize(("n_a", "n_b"), [(0, 0), (1, 0), (7, 2), (2, 7), (40, 25), (900, 800)])
def test_mcnemar_agrees_with_the_binomial_test_of_scipy(n_a, n_b):
    test = mcnemar(*_answers(300, n_a, n_b, 50))
    expected = stats.binomtest(n_a, n_a + n_b).pvalue if n_a + n_b else 1.0
    assert test.p_value == pytest.approx(expected, rel=1e-9)
    assert test.difference == pytest.approx((n_a - n_b) / (350 + n_a + n_b))


def test_mcnemar_interval_of_a_case_computed_by_hand():
    test = mcnemar(*_answers(60, 12, 4, 24))  # adjusted shares 13/102 and 5/102
    error = np.sqrt((18 / 102 - (8 / 102) ** 2) / 102)
    assert test.standard_error == pytest.approx(error)
    assert test.interval == pytest.approx((8 / 102 - 1.959964 * error, 8 / 102 + 1.959964 * error), abs=1e-6)


def test_mcnemar_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    cells = rng.multinomial(80, [0.7, 0.12, 0.06, 0.12], size=1000)
    intervals = [mcnemar(*_answers(*row)).interval for row in cells]
    assert 0.93 < np.mean([low <= 0.06 <= high for low, high in intervals]) < 0.98


def test_mcnemar_of_no_clips_is_refused():
    with pytest.raises(ValueError, match="at least one clip"):
        mcnemar(np.array([], bool), np.array([], bool))


def test_bootstrap_of_independent_clips_agrees_with_the_normal_interval():
    values = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], 600, p=[0.05, 0.83, 0.12])
    test = grouped_bootstrap(values, np.arange(600))
    error = stats.sem(values)
    assert test.difference == pytest.approx(values.mean())
    assert test.standard_error == pytest.approx(error, rel=0.03)
    expected = values.mean() - 1.96 * error, values.mean() + 1.96 * error
    assert test.interval == pytest.approx(expected, abs=0.1 * error + 1 / 600)


def test_bootstrap_agrees_with_that_of_scipy():
    values = np.random.default_rng(3).normal(0.1, 1, 40)
    reference = stats.bootstrap((values,), np.mean, n_resamples=10_000, method="percentile", rng=4)
    test = grouped_bootstrap(values, np.arange(40))
    assert test.interval == pytest.approx(tuple(reference.confidence_interval), abs=0.03)
    assert test.standard_error == pytest.approx(reference.standard_error, rel=0.05)


def test_copies_of_a_recording_are_no_further_evidence():
    values = np.random.default_rng(5).choice([-1.0, 0.0, 1.0], 200)
    once = grouped_bootstrap(values, np.arange(200), seed=1)
    thrice = grouped_bootstrap(np.repeat(values, 3), np.repeat(np.arange(200), 3), seed=1)
    assert thrice == once


def test_groups_of_unequal_size_weigh_by_their_pairs():
    test = grouped_bootstrap(np.array([1.0, 1.0, 1.0, 0.0]), np.array([7, 7, 7, 9]))
    assert test.difference == 0.75
    assert test.interval == (0.0, 1.0)  # both resamples of a single group are common


def test_bootstrap_false_alarms_are_about_as_rare_as_promised():
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(100), 6)  # two clips under three seeds from each recording
    alarms = [
        grouped_bootstrap(np.repeat(rng.normal(0, 1, 100), 6), groups, n_resamples=400).p_value < 0.05
        for _ in range(400)
    ]
    assert 0.02 < np.mean(alarms) < 0.09


def test_bootstrap_depends_on_its_seed_alone():
    values, groups = np.random.default_rng(6).normal(size=50), np.arange(50)
    assert grouped_bootstrap(values, groups, seed=1) == grouped_bootstrap(values, groups, seed=1)
    assert grouped_bootstrap(values, groups, seed=1) != grouped_bootstrap(values, groups, seed=2)


def test_bootstrap_of_one_recording_is_refused():
    with pytest.raises(ValueError, match="at least two of them, 1 was given"):
        grouped_bootstrap(np.array([1.0, 0.0]), np.array([4, 4]))


def test_holm_of_a_textbook_case():
    # four hypotheses at 0.01, 0.04, 0.03, 0.005: times 3, 1, 2, 4, then never falling
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_array_equal(holm([0.9, 0.8]), [1.0, 1.0])


def test_a_true_difference_of_the_detectable_size_is_found_four_times_in_five():
    size = detectable_difference(1.0)
    rng = np.random.default_rng(0)
    z = rng.normal(size, 1, 20_000)
    assert np.mean(np.abs(z) > stats.norm.ppf(0.975)) == pytest.approx(0.8, abs=0.01)


def test_more_comparisons_need_a_larger_difference():
    expected = (stats.norm.ppf(1 - 0.05 / 32) + stats.norm.ppf(0.8)) * 0.01
    assert detectable_difference(0.01, n_comparisons=16) == pytest.approx(expected)
