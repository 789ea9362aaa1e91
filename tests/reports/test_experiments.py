import pytest

from cohear.errors import UserError
from cohear.reports.experiments import closest, group_runs
from run_folders_made import read_runs

WEIGHT = "objective.consistency_weight"


def _labels(tmp_path):
    return [experiment.label for experiment in group_runs(read_runs([tmp_path]))]


def test_runs_that_differ_in_fold_and_seed_are_one_experiment(tmp_path, write_run):
    for fold, seed, wrong in ((1, 0, 1), (1, 1, 3), (2, 0, 5)):
        write_run(tmp_path / f"{fold}-{seed}", fold=fold, seed=seed, wrong=tuple(range(wrong)))
    (experiment,) = group_runs(read_runs([tmp_path]))
    assert experiment.label == "Combination-CL"
    assert (experiment.folds, experiment.seeds) == ((1, 2), (0, 1))
    assert experiment.accuracy_by_fold == pytest.approx({1: 0.9, 2: 0.75})  # fold 1: 19/20 and 17/20
    assert experiment.accuracy_by_seed == pytest.approx({0: 0.85})  # seed 1 lacks a fold
    assert experiment.accuracy == pytest.approx(0.825)


def test_experiments_of_one_name_are_told_apart_by_what_differs(tmp_path, write_run):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", settings={WEIGHT: 7.5})
    write_run(tmp_path / "c", method="none", transform="none", dataset="aud")
    write_run(tmp_path / "d", method="none", transform="none", dataset="raven")
    write_run(tmp_path / "e", "bda", experiment="0a1b")
    write_run(tmp_path / "f", "bda", experiment="9c8d")
    assert _labels(tmp_path) == [
        "No Augmentation (dataset=aud)",
        "No Augmentation (dataset=raven)",
        "Combination-BDA (0a1b)",
        "Combination-BDA (9c8d)",
        "Combination-CL (consistency_weight=5)",
        "Combination-CL (consistency_weight=7.5)",
    ]


def test_the_same_run_twice_is_refused(tmp_path, write_run):
    write_run(tmp_path / "a")
    write_run(tmp_path / "copy")
    with pytest.raises(UserError, match=r"a' and '.*copy'"):
        group_runs(read_runs([tmp_path]))


def test_the_fairest_partner_shares_data_set_and_most_settings(tmp_path, write_run):
    write_run(tmp_path / "ours", settings={"network.width": 0.25})
    write_run(tmp_path / "near", method="bda", settings={"network.width": 0.25})
    write_run(tmp_path / "far", method="bda", settings={"network.width": 0.5})
    write_run(tmp_path / "other", method="bda", settings={"network.width": 0.25}, dataset="elsewhere")
    experiments = group_runs(read_runs([tmp_path]))
    (ours,) = [e for e in experiments if e.method == "consistency"]
    partner = closest(ours, [e for e in experiments if e.method == "bda"])
    assert partner is not None
    assert partner.runs[0].folder.name == "near"
    assert closest(ours, [e for e in experiments if e.runs[0].record.dataset == "elsewhere"]) is None


@pytest.mark.parametrize(
    ("settings", "is_changed"),
    [
        ({}, False),
        ({"training.precision": "bf16"}, False),  # the paper does not say
        ({WEIGHT: 7.5}, True),
        ({"training.epochs": 3}, True),  # stopped early: the schedules are of more epochs
        (
            {
                "training.epochs": 3,
                "objective.ramp_epochs": 10 * 3 / 72,
                "optimizer.warmup_epochs": 10 * 3 / 72,
                "optimizer.decay_epochs": 2 * 3 / 72,
            },
            False,
        ),
    ],
)
def test_a_changed_setting_makes_another_model_than_the_papers(tmp_path, write_run, settings, is_changed):
    write_run(tmp_path / "a", n_epochs=24, settings=settings)
    (experiment,) = group_runs(read_runs([tmp_path]))
    assert experiment.is_changed == is_changed
