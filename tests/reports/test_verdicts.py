import pytest

from cohear.metrics.paired_tests import PairedTest
from cohear.reports.claims import caveat, rules, verdict_words
from cohear.reports.verdicts import Finding, Verdict, below, direction, likeness, no_fall, size, steps, together

HOLDS, DOES_NOT, OPEN = Verdict.HOLDS, Verdict.DOES_NOT, Verdict.OPEN


def _test(difference, low, high, p):
    return PairedTest(difference, (low, high), p, 0.01)


@pytest.mark.parametrize(
    ("interval", "verdict"), [((0.01, 0.03), HOLDS), ((-0.03, -0.01), DOES_NOT), ((0.0, 0.03), OPEN), ((-1, 1), OPEN)]
)
def test_a_direction_is_judged_by_the_interval(interval, verdict):
    assert direction(interval) is verdict


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((0.01, 0.03), HOLDS),  # contains 2 points, not zero
        ((-0.01, 0.03), OPEN),  # contains both
        ((0.021, 0.04), DOES_NOT),  # more than the paper
        ((-0.01, 0.019), DOES_NOT),  # less, perhaps nothing
        ((-0.03, -0.01), DOES_NOT),
    ],
)
def test_a_size_is_judged_by_the_papers_number_and_zero(interval, verdict):
    assert size(interval, 0.02) is verdict


def test_a_wider_interval_never_turns_an_answer_into_its_opposite():
    for center in (-0.02, 0.0, 0.02, 0.05):
        seen = {size((center - half, center + half), 0.02) for half in (0.001, 0.01, 0.03, 0.1)} - {OPEN}
        assert len(seen) <= 1


def test_likeness_needs_the_whole_interval_within_a_point():
    assert likeness((-0.009, 0.009)) is HOLDS
    assert likeness((-0.002, 0.011)) is OPEN
    assert likeness((0.011, 0.03)) is DOES_NOT
    assert likeness((-0.05, 0.05)) is OPEN  # no difference seen, and none excluded


def test_a_fall_smaller_than_the_margin_is_none_even_where_it_is_sure():
    assert no_fall((-0.002, -0.001), 0.0025) is HOLDS
    assert no_fall((-0.01, -0.001), 0.0025) is DOES_NOT
    assert no_fall((-0.01, 0.02), 0.0025) is OPEN


def test_steps_hold_together_only_and_fall_by_one_reversal():
    up, flat, down = _test(0.02, 0.01, 0.03, 0.001), _test(0.0, -0.01, 0.01, 0.9), _test(-0.02, -0.03, -0.01, 0.001)
    assert steps([up, up]) == (HOLDS, [HOLDS, HOLDS])
    assert steps([up, flat]) == (OPEN, [HOLDS, OPEN])
    assert steps([up, flat, down]) == (DOES_NOT, [HOLDS, OPEN, DOES_NOT])


def test_a_reversal_must_survive_the_number_of_steps():
    flat, down = _test(0.0, -0.01, 0.01, 0.9), _test(-0.02, -0.03, -0.001, 0.03)
    assert steps([down])[0] is DOES_NOT
    assert steps([down, flat])[0] is OPEN  # Holm: 2 x 0.03


def test_a_claim_of_no_parts_is_open():
    assert together([]) is OPEN


def test_a_curve_lies_below_where_all_seeds_end_below_and_most_epochs_agree():
    assert below([True, True], 0.75) is HOLDS
    assert below([True, True], 0.74) is OPEN
    assert below([True, False], 1.0) is OPEN
    assert below([False, False], 0.25) is DOES_NOT
    assert below([False], 0.3) is OPEN


def test_a_rehearsal_never_speaks_of_the_paper():
    assert [verdict_words(Finding("", verdict, ""), is_rehearsal=False) for verdict in Verdict] == [
        "holds", "does not hold", "not enough data yet",
    ]  # fmt: skip
    assert [verdict_words(Finding("", verdict, ""), is_rehearsal=True) for verdict in Verdict] == [
        "holds in this rehearsal", "does not hold in this rehearsal", "not enough data yet",
    ]  # fmt: skip


def test_the_rules_are_told_as_the_code_has_them():
    assert rules().startswith("Accuracies. A claim is judged when")
    assert "three quarters" in rules()
    assert "{" not in rules()
    assert "only No Augmentation, Reverb, " in rules()
    assert "not over all 19 claims" in caveat()
