import pytest

from cohear.reports.curve_claims import curve_findings
from cohear.reports.run_folders import read_runs
from cohear.reports.table1_choice import choose_table1_runs
from cohear.reports.verdicts import Verdict

HOLDS, DOES_NOT, OPEN = Verdict.HOLDS, Verdict.DOES_NOT, Verdict.OPEN
METHODS = ("standard", "bda", "consistency")
NAMES = {"combination": "Combination", "reverb": "Reverb"}
SUFFIXES = {"standard": "", "bda": "-BDA", "consistency": "-CL"}


def _write(folder, write_run, scales, transform="combination", seed=0, fold=1, **settings):
    """Write a run of each method, its divergence scaled."""
    for method, scale in zip(METHODS, scales, strict=True):
        name = NAMES[transform] + SUFFIXES[method]
        settings = {"n_epochs": 12, "model": name, "jsd_scale": scale} | settings
        settings |= {"model": name, "jsd_scale": scale}
        write_run(folder / f"{name} {fold} {seed}", method, transform, fold, seed, **settings)


def _judged(folder):
    return curve_findings(choose_table1_runs(read_runs([folder])))


def _verdicts(folder):
    return [finding.verdict for finding in _judged(folder)]


def test_nothing_measured_leaves_everything_open(tmp_path, write_run):
    _write(tmp_path, write_run, (3, 2, 1), tracked=False)
    findings = _judged(tmp_path)
    assert {finding.verdict for finding in findings} == {OPEN}
    assert findings[0].evidence == (
        "It needs runs of Combination, Combination-BDA on fold 1 that were measured after each epoch. "
        "Not measured after each epoch: Combination, Combination-BDA."
    )


def test_the_papers_pattern_holds_where_it_is(tmp_path, write_run):
    _write(tmp_path, write_run, (3, 2, 1))
    train, lowest, others, _ = _judged(tmp_path)
    assert (train.verdict, lowest.verdict, others.verdict) == (HOLDS, HOLDS, OPEN)
    # exp(-3) + 0.2 = 0.2498 after the last epoch, times 0.1 and the scales
    assert train.evidence == (
        "Combination-BDA 0.0500 nats on the training clips after the last epoch, below Combination (0.0749) in 100% of "
        "the epochs after the ramp. This stands on fold 1 and 1 seed."
    )


def test_the_reverse_does_not_hold(tmp_path, write_run):
    _write(tmp_path, write_run, (1, 2, 3))
    assert _verdicts(tmp_path)[:2] == [DOES_NOT, DOES_NOT]


def test_seeds_that_disagree_leave_it_open(tmp_path, write_run):
    _write(tmp_path, write_run, (3, 2, 1), seed=0)
    _write(tmp_path, write_run, (2, 3, 1), seed=1)
    train, lowest, *_ = _judged(tmp_path)
    assert (train.verdict, lowest.verdict) == (OPEN, HOLDS)
    assert "below Combination (0.0624) in 50% of the epochs" in train.evidence  # 0.0749 and 0.0500
    assert train.evidence.endswith("fold 1 and 2 seeds.")


def test_figure_1_is_of_the_papers_fold(tmp_path, write_run):
    _write(tmp_path, write_run, (3, 2, 1), fold=2)
    assert _verdicts(tmp_path)[:2] == [OPEN, OPEN]


def test_one_other_transform_is_judged_and_those_left_are_named(tmp_path, write_run):
    _write(tmp_path, write_run, (3, 1, 2), "reverb")
    finding = _judged(tmp_path)[2]
    assert finding.verdict is DOES_NOT  # consistency lies above BDA
    assert finding.evidence.startswith(
        "Reverb: 3 of 5 differences hold; not these: Reverb-CL 0.0500 nats on the training clips after the last epoch, "
        "below Reverb-BDA (0.0250) in 0% of the epochs after the ramp; Reverb-CL"
    )
    assert finding.evidence.endswith("Not run on fold 1 yet: Pitch-Shift, TF-Masking.")


def test_a_pattern_seen_for_one_other_transform_says_so(tmp_path, write_run):
    _write(tmp_path, write_run, (3, 2, 1), "reverb")
    finding = _judged(tmp_path)[2]
    assert (finding.verdict, finding.remark) == (HOLDS, "seen for 1 of 3 other transforms")


@pytest.mark.parametrize(
    ("late", "verdict"),
    [((0.8, 0.8), HOLDS), ((0.8, 0.82), HOLDS), ((0.8, 0.78), DOES_NOT)],
)
def test_accuracy_that_stays_rises_or_falls_in_the_last_sixth(tmp_path, write_run, late, verdict):
    accuracies = (*[0.9] * 8, *[late[0]] * 2, *[late[1]] * 2)  # an early best epoch does not count
    _write(tmp_path, write_run, (3, 2, 1), test_accuracies=accuracies, n_clips=400)
    finding = _judged(tmp_path)[3]
    assert finding.verdict is verdict
    change = f"{100 * (late[1] - late[0]):+.2f}"
    assert (
        f"is {change} points ({change} to {change}, over 3 runs); one clip of a fold is 0.25 points" in finding.evidence
    )


def test_two_runs_are_too_few_to_say_whether_accuracy_stays(tmp_path, write_run):
    for method in METHODS[:2]:
        write_run(tmp_path / method, method, n_epochs=12)
    finding = _judged(tmp_path)[3]
    assert finding.verdict is OPEN
    assert finding.evidence.endswith("so far: 2 runs.")


def test_runs_of_too_few_epochs_are_counted_as_such(tmp_path, write_run):
    for method in METHODS:
        write_run(tmp_path / method, method, model=NAMES["combination"] + SUFFIXES[method], n_epochs=1)
    train, _, others, stays = _judged(tmp_path)
    assert train.evidence.endswith("measured after each epoch. With a single epoch: Combination, Combination-BDA.")
    assert others.evidence.endswith("Not run on fold 1 yet: Pitch-Shift, Reverb, TF-Masking.")
    assert stays.evidence == (
        "It needs 3 runs of at least 6 epochs that were measured after each one; so far: no run (3 runs with fewer "
        "epochs)."
    )


def test_a_pattern_that_the_seeds_leave_open_says_so(tmp_path, write_run):
    _write(tmp_path, write_run, (3, 2, 1), seed=0)
    _write(tmp_path, write_run, (2, 3, 1), seed=1)
    assert _judged(tmp_path)[0].remark == "measured; epochs or seeds disagree"
