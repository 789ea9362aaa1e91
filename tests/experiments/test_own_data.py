"""Data without folds of their own: a validation part teaches, and nothing of the test clips does."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cohear.data.folds import Split
from cohear.errors import UserError
from cohear.evaluation.calibration import CALIBRATION, UNFITTED, read_calibration
from cohear.experiments.build import PreparedData, prepare_data
from cohear.experiments.fitted_calibration import count_false_alarms, fit_calibration
from cohear.experiments.predictions import VALIDATION, read_predictions
from cohear.experiments.presets import change, parse_override, preset
from cohear.experiments.run_folder import read_metrics, read_record
from cohear.experiments.runs import RunRequest, execute
from cohear.experiments.settling import VALIDATION_SHARE, settle
from tiny import TINY, write_classes

pytestmark = pytest.mark.usefixtures("one_thread")

CHOSEN = tuple(parse_override(text)[0] for text in TINY)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    return write_classes(tmp_path_factory.mktemp("own") / "sounds")


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    return write_classes(tmp_path_factory.mktemp("several"), several=True)


def request(data: Path, *overrides: str, **options) -> RunRequest:
    settings = dict(parse_override(text) for text in (*TINY, "data.n_folds=3", *overrides))
    config, _ = settle(data, change(preset("small"), settings), CHOSEN)
    return RunRequest(data, config, track="end", **options)


def run(data: Path, folder: Path, *overrides: str, **options) -> tuple[PreparedData, Split]:
    wanted = request(data, *overrides, **options)
    prepared = prepare_data(data, wanted.config)
    execute(wanted, prepared, folder)
    return prepared, prepared.split(wanted.config)


@pytest.fixture(scope="module")
def crossval(folders, tmp_path_factory) -> Path:
    """Runs on all three folds, not to be changed."""
    parent = tmp_path_factory.mktemp("crossval")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COHEAR_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        for fold in (1, 2, 3):
            run(folders, parent / str(fold), f"fold={fold}")
    return parent


@pytest.mark.slow
def test_a_part_is_kept_back_and_the_calibration_is_fitted_to_it_alone(folders, crossval):
    folder = crossval / "1"
    config = read_record(folder).config
    assert config.data.validation_share == VALIDATION_SHARE
    data = prepare_data(folders, config)
    split = data.split(config)
    assert {*split.train} | {*split.validation} | {*split.test} == set(range(60))
    assert len(split.train) + len(split.validation) + len(split.test) == 60
    validation = read_predictions(folder, VALIDATION)
    assert list(validation.paths) == [data.store.clips[row].id for row in split.validation]
    assert read_calibration(folder) == fit_calibration(validation, config) != UNFITTED
    assert read_metrics(folder)["n_validation_clips"] == read_calibration(folder).n_clips == len(split.validation)


@pytest.mark.slow
def test_a_run_on_every_clip_quotes_the_cross_validation_and_takes_its_calibration(folders, crossval, tmp_path):
    _, split = run(folders, tmp_path / "all", "fold=all", crossval=crossval)
    assert (len(split.train), len(split.validation), len(split.test)) == (60, 0, 0)
    tested = [read_metrics(crossval / str(fold)) for fold in (1, 2, 3)]
    metrics = read_metrics(tmp_path / "all")
    accuracies = [m["accuracy"] for m in tested]
    assert metrics["accuracy"] is None
    assert metrics["n_train_clips"] == 60
    assert metrics["expected"] == {
        "accuracy": pytest.approx(np.mean(accuracies)),
        "standard_error": pytest.approx(np.std(accuracies, ddof=1) / 3**0.5),
        "n_runs": 3,
        "folds": [1, 2, 3],
        "n_clips": 60,
    }
    assert read_calibration(tmp_path / "all").n_clips == sum(m["n_validation_clips"] for m in tested)


@pytest.mark.slow
def test_runs_with_other_settings_are_no_expectation(folders, crossval, tmp_path):
    run(folders, tmp_path / "all", "fold=all", "optimizer.learning_rate=0.01", crossval=crossval)
    assert read_metrics(tmp_path / "all")["expected"] is None
    assert not (tmp_path / "all" / CALIBRATION).exists()


@pytest.mark.slow
def test_several_labels_per_clip_are_learned_measured_and_kept(table, tmp_path):
    longer = ("training.epochs=20", "training.batch_size=12", "optimizer.learning_rate=0.02")
    data, split = run(table, tmp_path / "run", *longer)
    record, metrics = read_record(tmp_path / "run"), read_metrics(tmp_path / "run")
    predictions = read_predictions(tmp_path / "run")
    assert record.multi_label
    assert record.classes == ("tone0", "tone1", "tone2")
    assert predictions.is_multi_label
    assert predictions.labels.tolist() == data.store.targets[split.test].tolist()
    assert metrics["accuracy"] == predictions.correct.mean()
    assert metrics["mean_average_precision"] > 0.8  # three tones in little noise; by chance it is about a half
    assert 0 <= metrics["jsd"] <= np.log(3)


@pytest.mark.slow
def test_training_begins_with_the_weights_of_another_run(folders, crossval, tmp_path):
    initial = f"training.initial_run={crossval / '1'}"
    run(folders, tmp_path / "same", initial, "optimizer.learning_rate=1e-12", "optimizer.weight_decay=0")
    theirs, ours = (load_file(folder / "model.safetensors") for folder in (crossval / "1", tmp_path / "same"))
    learned = [name for name in theirs if name.endswith(".weight")]
    assert all(torch.allclose(theirs[name], ours[name], atol=1e-6) for name in learned)
    record = read_record(tmp_path / "same")
    assert record.initial_weights is not None
    assert record.identity != read_record(crossval / "1").identity
    assert not read_metrics(tmp_path / "same")["warnings"]  # it left out the same fold
    run(folders, tmp_path / "leak", initial, "fold=2")
    assert "trained on the test clips of fold 2" in " ".join(read_metrics(tmp_path / "leak")["warnings"])
    with pytest.raises(UserError, match=r"has front_end.n_mels=16, and 20 was chosen now"):
        run(folders, tmp_path / "deaf", initial, "front_end.n_mels=20")
    with pytest.raises(UserError, match="is no finished run and no packed model"):
        run(folders, tmp_path / "none", f"training.initial_run={tmp_path / 'nothing'}")


@pytest.mark.slow
def test_training_stops_by_validation_and_leaves_its_best_epoch(folders, tmp_path):
    rate = ("optimizer.learning_rate=0.05", "training.epochs=12", "training.patience=2")
    run(folders, tmp_path / "run", *rate)
    history = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    losses = [epoch["validation_nll"] for epoch in history]
    best = int(np.argmin(losses))
    assert read_metrics(tmp_path / "run")["kept_epoch"] == best
    assert len(history) == min(best + 3, 12)
    validation = read_predictions(tmp_path / "run", VALIDATION)
    said = validation.log_probabilities[np.arange(len(validation.labels)), validation.labels]
    assert -said.astype(float).mean() == pytest.approx(losses[best], abs=2e-3)


def test_patience_without_validation_clips_is_refused(folders, tmp_path):
    with pytest.raises(UserError, match="--validation 0"):
        run(folders, tmp_path / "run", "training.patience=2", "data.validation_share=0")
    assert not (tmp_path / "run").exists()


def test_what_the_data_decide(folders, tones):
    settled, said = settle(folders, preset("small"))
    assert (settled.data.sample_rate, prepare_data(folders, settled).clip_s) == (8000, 0.6)
    small = preset("small").front_end  # windows and steps last as long as the preset's
    assert settled.front_end.n_fft / 8000 == pytest.approx(small.n_fft / 22050, rel=0.01)
    assert settled.front_end.hop_length / 8000 == pytest.approx(small.hop_length / 22050, rel=0.01)
    assert len(said) == 2
    chosen, _ = settle(folders, change(preset("small"), {"data.sample_rate": 16000}), {"data.sample_rate"})
    assert (chosen.data.sample_rate, chosen.front_end) == (16000, small)
    assert settle(tones, preset("small"))[0].data.validation_share is None  # it brings its folds
    assert settle(folders, change(preset("small"), {"fold": "all"}))[0].data.validation_share is None


def test_false_alarms_are_counted_on_background_alone(folders):
    from cohear.evaluation.calibration import Calibration, Threshold
    from cohear.experiments.predictions import Predictions

    said = np.log(np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]])).astype(np.float16)
    test = Predictions(
        ("frog", "other"), ("a", "b", "c"), ("", "", ""), np.array([1, 1, 0]), np.array([0, 1, 0]), said, said[:, 0]
    )
    calibration = Calibration(1.0, {"frog": Threshold(0.7, 1.0, 1.0, 1)}, 0.9, 10)
    # Of two seconds of background one is taken for a frog.
    counted = {"false_alarms_per_hour": 1800.0, "n_background_clips": 2}
    assert count_false_alarms(test, calibration, "other", clip_s=1.0) == counted
    assert count_false_alarms(test, calibration, None, clip_s=1.0)["false_alarms_per_hour"] is None
    assert count_false_alarms(test, UNFITTED, "other", clip_s=1.0)["false_alarms_per_hour"] is None
