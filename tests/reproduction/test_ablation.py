"""Runs that are measured, and the table by hand."""

import pytest

from cohear.runs.config import change
from cohear.runs.plan import list_clips
from cohear.runs.presets import small
from reproduction.ablation import FOLDS, INGREDIENTS, configured, measure, table
from tiny import tiny_config, write_tones


def test_each_ingredient_is_another_run():
    configs = [configured(small(), name, fold, 24) for name in INGREDIENTS for fold in FOLDS]
    assert len(set(configs)) == len(configs)
    assert {its.training.epochs for its in configs} == {24, 48}
    assert configs[0].optimizer.warmup_epochs == pytest.approx(small().optimizer.warmup_epochs / 3)
    assert configs[-1].optimizer.warmup_epochs == 2 * configs[0].optimizer.warmup_epochs


def test_a_run_is_judged_on_clips_of_its_own_training_part(tmp_path):
    chosen = {"data.validation_share": 0.25}
    data = list_clips(write_tones(tmp_path, n_clips=8), change(tiny_config(), chosen), chosen).decode()
    record = measure(data, "bda", 1, 1, None)
    assert record
    assert record.keys() == {"name", "fold", "epochs", "accuracy", "nll", "core_minutes"}
    assert measure(data, "bda", 1, 1, deadline_s=0.0) is None


def test_gains_are_over_the_folds_that_both_have():
    measured = [("small", 2, 0.7, 1.0), ("small", 3, 0.8, 0.8), ("small", 4, 0.1, 9.0)]
    measured += [("half the width", 2, 0.65, 1.2), ("half the width", 3, 0.77, 0.9), ("mixup", 2, 0.7, 1.1)]
    names = ("name", "fold", "accuracy", "nll")
    found = [{**dict(zip(names, its, strict=True)), "epochs": 24, "core_minutes": 1.0} for its in measured]
    assert table(found).splitlines()[2:] == [
        "| small | 53.3 |  | 3.600 | 1.0 | 3 |",
        "| mixup | 70.0 | +0.0 | 1.100 | 1.0 | 1 |",
        "| half the width | 71.0 | -4.0 ± 1.0 | 1.050 | 1.0 | 2 |",
    ]
