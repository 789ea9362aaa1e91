import re

import numpy as np
import pytest

from cohear.metrics.paired_tests import PairedTest
from cohear.reports.comparison import PAPER_TABLE_1
from cohear.runs.paper import HEADLINE, TABLE_1
from reproduction.claims import Verdict, below, findings, order, similar, size, together
from reproduction.grid import choose
from run_folders_made import read_runs

HOLDS, DOES_NOT, OPEN = Verdict.HOLDS, Verdict.DOES_NOT, Verdict.OPEN
PLANTED = {"none": 15, "standard": 12, "bda": 8, "consistency": 2}
REVERSED = {"none": 2, "standard": 8, "bda": 12, "consistency": 15}
PAPERS = {"dataset": "ESC-50", "preset": "paper", "tracked": False, "n_epochs": 1}


def _test(low, high, p=0.001):
    return PairedTest((low + high) / 2, (low, high), p, 0.01)


def _found(runs):
    return {finding.claim: finding for finding in findings(choose(runs))}


def _about(found, words):
    (finding,) = [finding for claim, finding in found.items() if words in claim]
    return finding


def _orders(found):
    return [finding.verdict for claim, finding in found.items() if ", that than " in claim]


@pytest.mark.parametrize(
    ("tests", "verdict"),
    [
        ([_test(0.01, 0.03), _test(0.01, 0.02)], HOLDS),
        ([_test(0.01, 0.03), _test(-0.01, 0.03, 0.4)], OPEN),
        ([_test(0.01, 0.03), _test(-0.03, -0.01)], DOES_NOT),
        ([_test(-0.03, -0.001, 0.03)], DOES_NOT),
        ([_test(-0.03, -0.001, 0.03), _test(-0.01, 0.01, 0.9)], OPEN),  # Holm: 2 x 0.03
    ],
)
def test_an_order_holds_as_a_whole_and_falls_by_one_reversal_that_survives_correction(tests, verdict):
    assert order(tests) is verdict


@pytest.mark.parametrize(
    ("interval", "is_size", "is_similar"),
    [
        ((0.01, 0.03), HOLDS, OPEN),  # contains 2 points and not zero; partly within a point
        ((-0.01, 0.03), OPEN, OPEN),
        ((0.021, 0.04), DOES_NOT, DOES_NOT),
        ((-0.009, 0.009), DOES_NOT, HOLDS),
        ((-0.03, -0.011), DOES_NOT, DOES_NOT),
    ],
)
def test_a_size_and_likeness_are_judged_by_the_interval(interval, is_size, is_similar):
    assert size(0.02, [_test(*interval)]) is is_size
    assert similar([_test(*interval)]) is is_similar


def test_a_curve_lies_below_where_all_seeds_end_below_and_most_epochs_agree():
    assert [below([True, True], 0.75), below([True, True], 0.74), below([True, False], 1.0)] == [HOLDS, OPEN, OPEN]
    assert [below([False, False], 0.25), below([False], 0.3)] == [DOES_NOT, OPEN]
    assert [together([]), together([HOLDS, OPEN]), together([OPEN, DOES_NOT])] == [OPEN, OPEN, DOES_NOT]


def test_no_runs_leave_every_claim_open_and_every_verdict_has_its_rule():
    found = _found([])
    assert {finding.verdict for finding in found.values()} == {OPEN}
    assert len(found) == 21
    assert all("olds if" in finding.rule for finding in found.values())


def test_each_number_is_the_papers():
    claims = [claim for claim in _found([]) if "read as one" not in claim]
    for claim, method in zip(claims, ("standard", "bda", "consistency"), strict=False):
        gains = [
            PAPER_TABLE_1[model.name].improvement_points
            for model in TABLE_1
            if model.name in PAPER_TABLE_1 and model.method == method
        ]
        (number,) = re.findall(r"is (\d\.\d\d) points", claim)
        assert float(number) == pytest.approx(np.mean(gains), abs=0.006)
    assert any("is 2.63 points" in claim for claim in _found([]))


def test_one_fold_decides_nothing_and_is_told(tmp_path, write_grid):
    finding = _about(_found(write_grid(tmp_path, PLANTED, folds=(1,), models=HEADLINE)), "the paper's largest")
    assert finding.verdict is OPEN
    assert "2 of the 10" in finding.evidence
    assert "+65.00 points" in finding.evidence


def test_four_models_on_all_folds_decide_what_is_said_of_them(tmp_path, write_grid):
    found = _found(write_grid(tmp_path, PLANTED, models=HEADLINE))
    assert _about(found, "the paper's largest").verdict is DOES_NOT  # 65 points are not 2.63
    assert _orders(found) == [OPEN, OPEN, OPEN, HOLDS]
    assert _about(found, "largest of the twelve").verdict is OPEN
    assert _about(found, "average gain of BDA").verdict is OPEN


@pytest.mark.parametrize(("n_wrong", "verdict"), [({"bda": 12}, OPEN), ({"bda": 15, "standard": 8}, DOES_NOT)])
def test_one_step_leaves_an_order_open_or_reverses_it(tmp_path, write_grid, n_wrong, verdict):
    assert _orders(_found(write_grid(tmp_path, PLANTED | n_wrong, models=HEADLINE)))[-1] is verdict


def test_ablations_are_judged_against_the_whole_method(tmp_path, write_grid, write_run):
    write_grid(tmp_path / "grid", {**PLANTED, "consistency": 3}, models=HEADLINE)
    ablations = {"no ramp": 6, "weight 7.5": 3, "clean-only cross-entropy": 9, "one transformed view": 1}
    for name, n_wrong in ablations.items():
        for fold in range(1, 6):
            model = {"model": f"Combination-CL, {name}", "experiment": name}
            write_run(tmp_path / f"{name} {fold}", fold=fold, wrong=tuple(range(n_wrong)), **PAPERS, **model)
    found = _found(read_runs([tmp_path]))
    assert _about(found, "first epochs helps").verdict is HOLDS  # 3 against 6 wrong of 20, five folds
    assert _about(found, "Two transformed views").verdict is DOES_NOT  # one view is better here
    assert _about(found, "clean view only").verdict is HOLDS  # 3 < 9 < 15
    assert _about(found, "weight of 7.5").verdict is OPEN  # equal, but 100 clips cannot show it within a point


@pytest.mark.slow
@pytest.mark.parametrize(("n_wrong", "verdict"), [(PLANTED, HOLDS), (REVERSED, DOES_NOT)])
def test_a_whole_grid_shows_the_order_that_is_in_it(tmp_path, write_grid, n_wrong, verdict):
    found = _found(write_grid(tmp_path, n_wrong))
    assert _orders(found) == [verdict] * 4
    assert [its.verdict for claim, its in found.items() if "BDA is better than standard" in claim] == [verdict, verdict]
    assert _about(found, "average gain of BDA").verdict is DOES_NOT  # 35 points, or minus as many, are not 1.38
    assert _about(found, "largest of the twelve").verdict is (OPEN if verdict is HOLDS else DOES_NOT)  # four are equal


@pytest.mark.slow
def test_the_papers_averages_hold_where_they_are_planted(tmp_path, write_grid):
    n_wrong = {"none": 66, "standard": 64, "bda": 60, "consistency": 58}  # of 400: gains of 0.5, 1.5 and 2 points
    n_wrong |= {model.name: 90 for model in TABLE_1 if "(one)" in model.name}
    found = _found(write_grid(tmp_path, n_wrong, n_clips=400))
    gains = {claim: its.verdict for claim, its in found.items() if "average gain of" in claim}
    assert [verdict for claim, verdict in gains.items() if "(read as one" not in claim] == [HOLDS, HOLDS, HOLDS]
    assert [verdict for claim, verdict in gains.items() if "(read as one" in claim] == [DOES_NOT]
    (finding,) = [its for claim, its in found.items() if "BDA is better than standard" in claim and "as one" in claim]
    assert "+7.50 points" in finding.evidence


def _write_curves(tmp_path, write_run, scales, transform="combination", seed=0):
    for method, scale in zip(("standard", "bda", "consistency"), scales, strict=True):
        how = {"n_epochs": 12, "settings": {"objective.ramp_epochs": 2.0}}
        folder = tmp_path / f"{transform}-{method}-{seed}"
        write_run(folder, method, transform, seed=seed, jsd_scale=scale, **how)


@pytest.mark.parametrize(
    ("scales", "verdicts"),
    [((3, 2, 1), (HOLDS, HOLDS)), ((2, 3, 1), (DOES_NOT, HOLDS)), ((3, 2, 4), (HOLDS, DOES_NOT))],
)
def test_curves_are_judged_as_they_lie(tmp_path, write_run, scales, verdicts):
    _write_curves(tmp_path, write_run, scales)
    train, lowest, others, _ = findings(choose(read_runs([tmp_path])))[-4:]
    assert (train.verdict, lowest.verdict, others.verdict) == (*verdicts, OPEN)
    assert "ramp" in train.rule


def test_seeds_that_disagree_leave_a_pattern_open_and_other_transforms_are_seen(tmp_path, write_run):
    _write_curves(tmp_path, write_run, (3, 2, 1))
    _write_curves(tmp_path, write_run, (2, 3, 1), seed=1)
    for seed in (0, 1):
        _write_curves(tmp_path, write_run, (3, 2, 1), "reverb", seed)
    train, _, others, _ = findings(choose(read_runs([tmp_path])))[-4:]
    assert (train.verdict, others.verdict) == (OPEN, HOLDS)
    assert "not all models of pitch" in others.evidence


@pytest.mark.parametrize(
    ("late", "verdict"), [((0.5, 0.5, 0.52, 0.53), HOLDS), ((0.9, 0.9, 0.5, 0.5), DOES_NOT), ((), OPEN)]
)
def test_late_epochs_are_compared_with_each_other(tmp_path, write_run, late, verdict):
    for fold in (1, 2, 3):
        accuracies = (*[0.5] * 8, *(value + 0.001 * fold for value in late))
        write_run(tmp_path / str(fold), fold=fold, n_epochs=12 if late else 1, test_accuracies=accuracies)
    assert findings(choose(read_runs([tmp_path])))[-1].verdict is verdict
