import numpy as np
import pytest
from scipy import stats

from cohear.experiments.predictions import Predictions, read_predictions, write_predictions
from cohear.reports.grouping import group_runs
from cohear.reports.paired_table import compare, match_answers, paired_table
from cohear.reports.run_folders import read_runs
from cohear.reports.tables import to_text


def _experiments(tmp_path):
    return {experiment.method: experiment for experiment in group_runs(read_runs([tmp_path]))}


def _reverse_and_rename(folder, old, new):
    kept = read_predictions(folder)
    rows = {name: getattr(kept, name)[::-1].copy() for name in ("labels", "predicted", "log_probabilities", "jsd")}
    paths = tuple(new if path == old else path for path in reversed(kept.paths))
    write_predictions(folder, Predictions(kept.classes, paths, kept.groups[::-1], **rows))


def test_answers_are_matched_by_fold_seed_and_path(tmp_path, write_run):
    write_run(tmp_path / "a1", "bda", fold=1, wrong=(0, 1))
    write_run(tmp_path / "a2", "bda", fold=2, wrong=())
    write_run(tmp_path / "a3", "bda", fold=1, seed=1)  # no partner
    write_run(tmp_path / "b1", "consistency", fold=1, wrong=(1, 2))
    b2 = write_run(tmp_path / "b2", "consistency", fold=2, wrong=(), n_clips=20)
    _reverse_and_rename(b2, "fold2/7.wav", "fold2/x.wav")
    found = _experiments(tmp_path)
    answers = match_answers(found["consistency"], found["bda"])
    assert answers is not None
    assert (answers.n_clips, answers.n_seeds, answers.n_unmatched) == (39, 1, 2)
    assert answers.n_recordings == 20
    assert (~answers.correct_a).sum() == 2
    assert (answers.correct_a & ~answers.correct_b).sum() == 1


def test_one_seed_is_tested_by_mcnemar_over_the_pooled_folds(tmp_path, write_run):
    for fold in (1, 2):
        write_run(tmp_path / f"a{fold}", "bda", fold=fold, wrong=(0, 1, 2, 3, 4))
        write_run(tmp_path / f"b{fold}", "consistency", fold=fold, wrong=(9,))
    found = _experiments(tmp_path)
    comparison = compare(found["consistency"], found["bda"])
    assert comparison is not None
    assert comparison.test.p_value == pytest.approx(stats.binomtest(2, 12).pvalue)
    assert comparison.test.difference == pytest.approx(0.2)


def test_several_seeds_are_tested_over_recordings(tmp_path, write_run):
    rng = np.random.default_rng(0)
    for seed in (0, 1, 2):
        for method, share in (("bda", 0.3), ("consistency", 0.1)):
            wrong = tuple(np.flatnonzero(rng.random(60) < share).tolist())
            write_run(tmp_path / f"{method}{seed}", method, seed=seed, n_clips=60, wrong=wrong)
    found = _experiments(tmp_path)
    comparison = compare(found["consistency"], found["bda"])
    assert comparison is not None
    assert (comparison.answers.n_clips, comparison.answers.n_recordings, comparison.answers.n_seeds) == (60, 30, 3)
    difference = found["consistency"].accuracy - found["bda"].accuracy
    assert comparison.test.difference == pytest.approx(difference)
    by_recording = (comparison.answers.correct_a * 1.0 - comparison.answers.correct_b).reshape(3, 30, 2)
    error = stats.sem(by_recording.mean(axis=(0, 2)))
    assert comparison.test.standard_error == pytest.approx(error, rel=0.05)


def test_the_table_has_the_steps_of_the_method_with_holms_correction(tmp_path, write_run):
    for method, n_wrong in (("none", 16), ("standard", 14), ("bda", 8), ("consistency", 2)):
        transform = "none" if method == "none" else "combination"
        write_run(tmp_path / method, method, transform, wrong=tuple(range(n_wrong)))
    table = paired_table(read_runs([tmp_path]))
    assert table is not None
    assert [row[0] for row in table.rows] == [
        "Combination-CL − Combination-BDA",  # noqa: RUF001
        "Combination-BDA − Combination",  # noqa: RUF001
        "Combination − No Augmentation",  # noqa: RUF001
        "Combination-CL − No Augmentation",  # noqa: RUF001
    ]
    assert [row[1] for row in table.rows] == ["+30.00", "+30.00", "+10.00", "+70.00"]
    assert [row[3] for row in table.rows] == ["0.031", "0.031", "0.500", "<0.001"]  # 2 / 2**6, 2 / 2**2, 2 / 2**14
    assert [row[4] for row in table.rows] == ["0.094", "0.094", "0.500", "<0.001"]
    assert {row[6] for row in table.rows} == {"20/10/1"}
    assert table.notes[0] == "Significant at 5 % after correction: Combination-CL − No Augmentation."  # noqa: RUF001
    assert max(map(len, to_text(table).splitlines())) <= 80


def test_equal_models_are_not_called_different(tmp_path, write_run):
    write_run(tmp_path / "a", "bda")
    write_run(tmp_path / "b", "consistency")
    table = paired_table(read_runs([tmp_path]))
    assert table is not None
    assert table.rows[0][1] == "+0.00"
    assert table.rows[0][3] == "1.000"
    assert table.notes[0].startswith("No difference is significant")


def test_models_without_a_shared_fold_are_said_to_be_untested(tmp_path, write_run):
    write_run(tmp_path / "a", "bda", fold=1)
    write_run(tmp_path / "b", "consistency", fold=2)
    table = paired_table(read_runs([tmp_path]))
    assert table is not None
    assert table.rows == ()
    assert table.notes == (
        "Not tested, for want of clips, folds or seeds in common: Combination-CL and Combination-BDA.",
    )


def test_one_model_alone_makes_no_pairs(tmp_path, write_run):
    write_run(tmp_path / "a")
    assert paired_table(read_runs([tmp_path])) is None


def test_an_ablation_is_tested_against_the_model_that_it_changes(tmp_path, write_run):
    write_run(tmp_path / "whole")
    write_run(tmp_path / "batched", "bda")
    write_run(tmp_path / "ablation", model="Combination-CL, no ramp", experiment="no ramp", weight=1.0)
    table = paired_table(read_runs([tmp_path]))
    assert table is not None
    assert [row[0] for row in table.rows] == [
        "Combination-CL − Combination-BDA",  # noqa: RUF001
        "Combination-CL, no ramp − Combination-CL",  # noqa: RUF001
    ]
