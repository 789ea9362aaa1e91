"""Paired tests: computed anew by hand, and always over recordings."""

import numpy as np
import pytest
from scipy import stats

from cohear.reports.experiments import group_runs
from cohear.reports.pages import to_text
from cohear.reports.paired import answers_of, compare, compare_pairs, name_of_best, paired_table
from cohear.runs.predictions import Predictions, read_predictions, write_predictions
from run_folders_made import read_runs


def _answers(tmp_path):
    return {its.method: answers_of(its) for its in group_runs(read_runs([tmp_path]))}


def _table(tmp_path):
    return paired_table(compare_pairs(group_runs(read_runs([tmp_path]))))


def test_answers_are_matched_by_fold_seed_and_path(tmp_path, write_run):
    write_run(tmp_path / "a1", "bda", fold=1, wrong=(0, 1))
    write_run(tmp_path / "a2", "bda", fold=2, wrong=())
    write_run(tmp_path / "a3", "bda", fold=1, seed=1)  # no partner
    write_run(tmp_path / "b1", "consistency", fold=1, wrong=(1, 2))
    b2 = write_run(tmp_path / "b2", "consistency", fold=2, wrong=())
    kept = read_predictions(b2)
    rows = {name: getattr(kept, name)[::-1].copy() for name in ("labels", "predicted", "log_probabilities", "jsd")}
    paths = tuple("fold2/x.wav" if path == "fold2/7.wav" else path for path in reversed(kept.paths))
    write_predictions(b2, Predictions(kept.classes, paths, kept.groups[::-1], **rows))
    found = _answers(tmp_path)
    comparison = compare([found["consistency"]], [found["bda"]])
    assert comparison is not None
    assert (comparison.n_clips, comparison.n_recordings) == (39, 20)
    assert (comparison.folds, comparison.seeds) == ((1, 2), (0,))
    assert comparison.test.difference == 0  # each is right alone once


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_errors_are_of_recordings_and_not_of_clips(tmp_path, write_run, n_seeds):
    """Independently: the standard error of a mean over recordings, each of four clips that are heard alike."""
    rng = np.random.default_rng(0)
    n_recordings, gains = 60, np.zeros(60)
    for seed in range(n_seeds):
        for method, share in (("bda", 0.4), ("consistency", 0.2)):
            is_wrong = rng.random(n_recordings) < share
            gains += (1 if method == "bda" else -1) * is_wrong / n_seeds
            wrong = tuple(np.flatnonzero(np.repeat(is_wrong, 4)).tolist())
            write_run(tmp_path / f"{method}{seed}", method, seed=seed, n_clips=240, wrong=wrong, recording_size=4)
    found = _answers(tmp_path)
    comparison = compare([found["consistency"]], [found["bda"]])
    assert comparison is not None
    assert (comparison.n_clips, comparison.n_recordings, len(comparison.seeds)) == (240, 60, n_seeds)
    assert comparison.test.difference == pytest.approx(gains.mean())
    assert comparison.test.standard_error == pytest.approx(stats.sem(gains), rel=0.05)
    as_if_independent = stats.sem(np.repeat(gains, 4))
    assert comparison.test.standard_error > 1.8 * as_if_independent
    low, high = stats.norm.interval(0.95, gains.mean(), stats.sem(gains))
    assert comparison.test.interval == pytest.approx((low, high), abs=0.03)


def test_models_are_averaged_clip_by_clip(tmp_path, write_run):
    for method, n_wrong in (("none", 10), ("standard", 8), ("consistency", 2)):
        write_run(tmp_path / method, method, "none" if method == "none" else "combination", wrong=tuple(range(n_wrong)))
    found = _answers(tmp_path)
    comparison = compare([found["standard"], found["consistency"]], [found["none"]])
    assert comparison is not None
    assert comparison.test.difference == pytest.approx(((10 - 8) + (10 - 2)) / 2 / 20)
    low, high = comparison.test.interval
    assert low < comparison.test.difference < high


def test_the_table_has_the_steps_of_the_method_with_holms_correction(tmp_path, write_run):
    for method, n_wrong in (("none", 16), ("standard", 14), ("bda", 8), ("consistency", 2)):
        write_run(tmp_path / method, method, "none" if method == "none" else "combination", wrong=tuple(range(n_wrong)))
    table = _table(tmp_path)
    assert table is not None
    assert [row[0] for row in table.rows] == [
        "Combination-CL − Combination-BDA",  # noqa: RUF001
        "Combination-BDA − Combination",  # noqa: RUF001
        "Combination − No Augmentation",  # noqa: RUF001
        "Combination-CL − No Augmentation",  # noqa: RUF001
    ]
    assert [row[1] for row in table.rows] == ["+30.00", "+30.00", "+10.00", "+70.00"]
    # Of ten recordings 3, 3, 1 and 7 tell the models apart, all in one direction: 2 / 2**3 and so on.
    assert [row[3] for row in table.rows] == ["0.250", "0.250", "1.000", "0.016"]
    assert [row[4] for row in table.rows] == ["0.750", "0.750", "1.000", "0.062"]
    assert {row[6] for row in table.rows} == {"20/10/1"}
    assert max(map(len, to_text(table).splitlines())) <= 80


def test_bda_is_compared_with_either_reading_of_standard_augmentation(tmp_path, write_run):
    for name, reads in (("Combination", "all"), ("Combination (one)", "one")):
        write_run(tmp_path / reads, "standard", settings={"views.standard_reads": reads}, model=name)
    write_run(tmp_path / "bda", "bda")
    table = _table(tmp_path)
    assert table is not None
    assert [row[0] for row in table.rows] == [
        "Combination-BDA − Combination",  # noqa: RUF001
        "Combination-BDA − Combination (one)",  # noqa: RUF001
    ]


def test_equal_models_are_not_called_different(tmp_path, write_run):
    for method in ("bda", "consistency"):
        write_run(tmp_path / method, method)
    table = _table(tmp_path)
    assert table is not None
    assert (table.rows[0][1], table.rows[0][3]) == ("+0.00", "1.000")
    low, high = map(float, table.rows[0][2].split(", "))
    assert low < 0 < high  # as many clips cannot show that there is no difference


def test_models_without_a_shared_fold_are_not_tested_and_one_alone_makes_no_pairs(tmp_path, write_run):
    write_run(tmp_path / "a", "bda", fold=1)
    assert _table(tmp_path) is None
    write_run(tmp_path / "b", "consistency", fold=2)
    table = _table(tmp_path)
    assert table is not None
    assert table.rows == ()


def test_an_ablation_is_tested_against_the_next_simpler_model(tmp_path, write_run):
    for method in ("bda", "consistency"):
        write_run(tmp_path / method, method, preset="quarter")
    for name in ("one transformed view", "KL of two views"):
        write_run(tmp_path / name, model=f"Combination-CL, {name}", experiment=name, preset="quarter")
    table = _table(tmp_path)
    assert table is not None
    assert {row[0] for row in table.rows} == {
        "Combination-CL − Combination-BDA",  # noqa: RUF001
        "Combination-CL, one transformed view − Combination-CL",  # noqa: RUF001
        "Combination-CL, KL of two views − Combination-CL, one transformed view",  # noqa: RUF001
    }


def test_the_best_leads_only_where_every_other_was_found_worse(tmp_path, write_run):
    def name(*folders):
        experiments = group_runs(read_runs([tmp_path / folder for folder in folders]))
        best = max(experiments, key=lambda its: its.accuracy)
        return name_of_best(best, experiments, compare_pairs(experiments))

    write_run(tmp_path / "ours", n_clips=40, wrong=())
    write_run(tmp_path / "much", "bda", n_clips=40, wrong=tuple(range(20)))
    write_run(tmp_path / "little", "none", "none", n_clips=40, wrong=(1,))
    assert name("ours") == ""
    assert name("ours", "much") == "Combination-CL"
    assert name("ours", "little") == name("ours", "much", "little") == "Combination-CL, whose lead may be chance"
