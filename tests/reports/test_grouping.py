import pytest

from cohear.errors import UserError
from cohear.reports.grouping import closest, group_runs
from cohear.reports.run_folders import read_runs


def test_runs_that_differ_in_fold_and_seed_are_one_experiment(tmp_path, write_run):
    for fold, seed, wrong in ((1, 0, 1), (1, 1, 3), (2, 0, 5)):
        write_run(tmp_path / f"{fold}-{seed}", fold=fold, seed=seed, wrong=tuple(range(wrong)))
    (experiment,) = group_runs(read_runs([tmp_path]))
    assert experiment.label == "Combination-CL"
    assert (experiment.folds, experiment.seeds) == ((1, 2), (0, 1))
    assert experiment.accuracy_by_fold == pytest.approx({1: 0.9, 2: 0.75})  # fold 1: 19/20 and 17/20
    assert experiment.accuracy == pytest.approx(0.825)


def test_experiments_of_one_name_are_told_apart_by_what_differs(tmp_path, write_run):
    write_run(tmp_path / "a", weight=5.0)
    write_run(tmp_path / "b", weight=7.5)
    write_run(tmp_path / "c", method="none", transform="none")
    labels = [experiment.label for experiment in group_runs(read_runs([tmp_path]))]
    assert labels == [
        "No Augmentation",
        "Combination-CL (consistency_weight=5.0)",
        "Combination-CL (consistency_weight=7.5)",
    ]


def test_experiments_come_in_the_order_of_the_paper(tmp_path, write_run):
    for method, transform in (
        ("consistency", "combination"), ("consistency", "pitch"), ("bda", "combination"),
        ("standard", "combination"), ("none", "none"),
    ):  # fmt: skip
        write_run(tmp_path / f"{method}-{transform}", method=method, transform=transform)
    labels = [experiment.label for experiment in group_runs(read_runs([tmp_path]))]
    assert labels == ["No Augmentation", "Pitch-Shift-CL", "Combination", "Combination-BDA", "Combination-CL"]


def test_the_same_run_twice_is_refused(tmp_path, write_run):
    write_run(tmp_path / "a")
    write_run(tmp_path / "copy")
    with pytest.raises(UserError, match=r"a' and '.*copy' are the same run .*leave one of them out"):
        group_runs(read_runs([tmp_path]))


def test_the_same_clips_under_two_names_are_two_data_sets(tmp_path, write_run):
    write_run(tmp_path / "a", dataset="raven")
    write_run(tmp_path / "b", dataset="aud")
    labels = [experiment.label for experiment in group_runs(read_runs([tmp_path]))]
    assert labels == ["Combination-CL (dataset=aud)", "Combination-CL (dataset=raven)"]


def test_the_fairest_partner_shares_data_set_and_most_settings(tmp_path, write_run):
    write_run(tmp_path / "ours", weight=7.5)
    write_run(tmp_path / "near", method="bda", weight=7.5)
    write_run(tmp_path / "far", method="bda", weight=1.0)
    write_run(tmp_path / "other", method="bda", weight=7.5, dataset="elsewhere", experiment="x")
    experiments = group_runs(read_runs([tmp_path]))
    (ours,) = [e for e in experiments if e.method == "consistency"]
    partner = closest(ours, [e for e in experiments if e.method == "bda"])
    assert partner is not None
    assert partner.runs[0].folder.name == "near"
    assert closest(ours, [e for e in experiments if e.runs[0].dataset == "elsewhere"]) is None


def test_experiments_that_differ_in_their_data_only_are_told_apart_by_identity(tmp_path, write_run):
    write_run(tmp_path / "a", experiment="0a1b")
    write_run(tmp_path / "b", experiment="9c8d")
    labels = [experiment.label for experiment in group_runs(read_runs([tmp_path]))]
    assert labels == ["Combination-CL (0a1b)", "Combination-CL (9c8d)"]
