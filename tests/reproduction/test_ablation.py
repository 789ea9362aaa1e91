"""Runs that are planned, and the table by hand."""

import json

from reproduction.ablation import FOLDS, INGREDIENTS, plans, table


def test_each_ingredient_is_another_run(tones, tmp_path):
    planned = plans(tones, tmp_path)
    assert len({plan.record.identity for plan in planned}) == len(planned) == len(FOLDS) * len(INGREDIENTS)
    assert len({plan.folder for plan in planned}) == len(planned)
    first = [plan.config for plan in planned[: len(INGREDIENTS)]]
    assert {config.fold for config in first} == {FOLDS[0]}
    assert all(config.data.validation_share == 0.25 for config in first)
    assert first[-1].optimizer.warmup_epochs == 2 * first[0].optimizer.warmup_epochs


def test_gains_are_over_the_folds_that_both_have(write_run, tmp_path):
    measured = {"small_fold2": (0.7, 1.0), "small_fold3": (0.8, 0.8), "small_fold4": (0.1, 9.0)}
    measured |= {"half-the-width_fold2": (0.65, 1.2), "half-the-width_fold3": (0.77, 0.9)}
    for name, (accuracy, nll) in measured.items():
        folder = write_run(tmp_path / name, fold=int(name[-1]), recording_size=1)
        epochs = [{"epoch": epoch, "duration_s": 30.0} for epoch in (1, 2)]
        epochs[-1] |= {"validation_accuracy": accuracy, "validation_nll": nll}
        (folder / "history.jsonl").write_text("".join(f"{json.dumps(epoch)}\n" for epoch in epochs))
    assert table(tmp_path).splitlines()[2:] == [
        "| small | 53.3 |  | 3.600 | 1.0 |",
        "| half the width | 71.0 | -4.0 ± 1.0 | 1.050 | 1.0 |",
    ]
