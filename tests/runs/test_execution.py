"""Runs on tiny sounds from end to end: same seed same bytes, resume is exact, methods differ only where they must."""

import csv
import gc
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from cohear.errors import UserError
from cohear.evaluation.calibration import UNFITTED, Calibration
from cohear.evaluation.measure import FixedViews
from cohear.judging.shown_clips import SoundsGoneError, find_plan, show_test_clips
from cohear.metrics.tasks import MULTI_LABEL, SINGLE_LABEL
from cohear.metrics.thresholds import Threshold
from cohear.runs.config import VALIDATION_SHARE, is_tracked
from cohear.runs.execution import execute
from cohear.runs.identity import identify
from cohear.runs.plan import Plan, list_clips
from cohear.runs.predictions import Predictions, count_false_alarms, fit_calibration, uncalibrated
from cohear.runs.presets import small
from cohear.runs.run import Run
from cohear.runs.trained_model import load_network
from cohear.runtime.interrupts import Interrupted
from runs.made_runs import NONE, ONE_EPOCH, make_plan, make_run, stop_after, weights
from tiny import TINY_SETTINGS, tiny_config, write_classes, write_tones

pytestmark = pytest.mark.usefixtures("one_thread")


def without_times(run: Run) -> list[dict]:
    """A resumed run has a first step once more."""
    return [{**record, "duration_s": 0, "first_step_s": 0} for record in run.history]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_whatever_the_state_of_global_generators(tones, tmp_path):
    before = np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    first = weights(make_run(tones, tmp_path / "a", ONE_EPOCH))
    assert np.random.get_state()[1].tolist() == before[0]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])
    torch.manual_seed(99)
    assert weights(make_run(tones, tmp_path / "b", ONE_EPOCH)) == first
    torch.set_rng_state(before[1])
    assert weights(make_run(tones, tmp_path / "c", {**ONE_EPOCH, "seed": 1})) != first


@pytest.fixture(scope="module")
def unbroken(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that nothing stopped, measured after each of its two epochs of five steps; not to be changed."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COHEAR_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return make_run(tones, tmp_path_factory.mktemp("unbroken") / "run", track="every")


@pytest.mark.parametrize("n_steps", [4, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 5, 8))])
def test_a_run_stopped_after_any_step_and_resumed_ends_in_the_same_bytes(tones, tmp_path, unbroken, n_steps):
    with pytest.raises(Interrupted, match="everything is saved"):
        make_run(tones, tmp_path, track="every", on_step=stop_after(n_steps))
    assert not Run(tmp_path).is_finished
    with pytest.raises(UserError, match="--resume"):
        make_run(tones, tmp_path, track="every")
    with pytest.raises(UserError, match="--track every"):
        make_run(tones, tmp_path, track="end", resume=True)
    run = make_run(tones, tmp_path, track="every", resume=True)
    assert weights(run) == weights(unbroken)
    assert without_times(run) == without_times(unbroken)
    assert run.metrics == unbroken.metrics


def test_the_views_of_a_measurement_are_kept_as_long_as_the_run_and_no_longer(tones, tmp_path, monkeypatch):
    made = weakref.WeakSet[FixedViews]()
    original = FixedViews.__init__

    def noted(self: FixedViews, *arguments: object, **options: object) -> None:
        original(self, *arguments, **options)
        made.add(self)

    monkeypatch.setattr(FixedViews, "__init__", noted)
    n_views: list[int] = []
    plan = make_plan(tones, tmp_path, track="every")
    execute(plan, on_step=lambda _done, _total: n_views.append(len(made)))
    assert n_views[-1] == 2  # of training and test clips, after the first of two epochs
    gc.collect()
    assert not made


def test_a_finished_run_is_reused_and_other_settings_are_refused(tones, tmp_path):
    run = make_run(tones, tmp_path, ONE_EPOCH, track="every", resume=True)  # there is none yet
    modified = [(tmp_path / name).stat().st_mtime_ns for name in ("model.safetensors", "metrics.json")]
    for track in ("every", "5", "end"):
        assert make_run(tones, tmp_path, ONE_EPOCH, track=track).metrics == run.metrics
    assert modified == [(tmp_path / name).stat().st_mtime_ns for name in ("model.safetensors", "metrics.json")]
    with pytest.raises(UserError, match=r"training\.epochs is 1 there and 2 now"):
        make_run(tones, tmp_path)
    saved = load_file(run.weights_path)
    assert all(torch.equal(saved[name], tensor) for name, tensor in load_network(run).state_dict().items())


@pytest.mark.slow
def test_consistency_with_weight_zero_is_batched_augmentation_bit_for_bit(tones, tmp_path):
    of = {"bda": {"method": "bda"}, "unweighted": {"objective.consistency_weight": 0.0}, "weighted": {}}
    more = {**ONE_EPOCH, "objective.ramp_epochs": 0}
    runs = {name: make_run(tones, tmp_path / name, {**changes, **more}) for name, changes in of.items()}
    bda, unweighted, weighted = (load_file(runs[name].weights_path) for name in of)
    assert all(torch.equal(bda[name], unweighted[name]) for name in bda)
    assert not all(torch.equal(bda[name], weighted[name]) for name in bda)
    losses = [[record["loss"] for record in runs[name].history] for name in ("bda", "unweighted")]
    assert losses[0] == losses[1]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "transform"), [("standard", "reverb"), ("consistency", "combination")])
def test_every_method_trains_with_every_transform_and_its_folder_is_complete(tones, tmp_path, method, transform):
    metrics = make_run(tones, tmp_path, {"method": method, "views.transform": transform, **ONE_EPOCH}).metrics
    assert {path.name for path in tmp_path.iterdir()} >= {
        *("config.json", "environment.json", "history.jsonl", "model.safetensors"),
        *("predictions.safetensors", "predictions.csv"),
    }
    assert (metrics["method"], metrics["transform"]) == (method, transform)
    assert 0 <= metrics["jsd"] <= np.log(3)
    assert (metrics["jsd_own"] == metrics["jsd"]) == (transform == "combination")


@pytest.mark.slow
def test_training_without_augmentation_learns_the_tones_and_its_numbers_follow_from_its_answers(tones, tmp_path):
    rates = {"training.epochs": 12, "optimizer.learning_rate": 0.01, "optimizer.decay_epochs": 4}
    run = make_run(tones, tmp_path, {**NONE, **rates}, track="every")
    history, metrics = run.history, run.metrics
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert metrics["accuracy"] == history[-1]["test_accuracy"] > 0.8
    assert metrics["jsd_own"] is None
    assert [record["consistency_weight"] for record in history] == [0.0] * 12
    rows = list(csv.DictReader((tmp_path / "predictions.csv").read_text().splitlines()))
    assert len(rows) == metrics["n_clips"] == 9
    assert np.mean([row["label"] == row["predicted"] for row in rows]) == pytest.approx(metrics["accuracy"])
    nll = np.mean([-np.log(float(row[f"p:{row['label']}"])) for row in rows])
    assert nll == pytest.approx(metrics["nll"], rel=5e-3, abs=1e-3)  # rounded to float16
    assert np.mean([float(row["jsd"]) for row in rows]) == pytest.approx(metrics["jsd"], rel=5e-3, abs=1e-4)


def test_tracking_measures_every_nth_epoch_and_always_the_last():
    assert [e for e in range(10) if is_tracked("every", e, 10)] == list(range(10))
    assert [e for e in range(10) if is_tracked("4", e, 10)] == [3, 7, 9]
    assert [e for e in range(10) if is_tracked("end", e, 10)] == [9]


@pytest.mark.slow
def test_a_resumed_run_remembers_its_earlier_starts_and_says_when_threads_changed(tones, tmp_path):
    with pytest.raises(Interrupted):
        make_run(tones, tmp_path, on_step=stop_after(1))
    torch.set_num_threads(2)
    run = make_run(tones, tmp_path, resume=True)
    starts = [run.environment, *run.environment["earlier_starts"]]
    assert [start["n_threads"] for start in starts] == [2, 1]
    assert any("threads (1 and 2)" in text for text in run.metrics["warnings"])


@pytest.mark.slow
def test_changed_sounds_make_another_run_and_are_not_shown(tmp_path):
    table = write_tones(tmp_path / "sounds")
    for name in (f"tone{label}-1-{take}.wav" for label in range(3) for take in range(2)):
        soundfile.write(tmp_path / "sounds" / name, np.zeros(4800), 8000, subtype="PCM_16")
    run = make_run(table, tmp_path / "run", ONE_EPOCH)
    shown = show_test_clips(run, find_plan(run))
    assert {clip.path for clip in shown} == {f"tone{label}-1-2.wav" for label in range(3)}  # none that is silent
    table.write_text(table.read_text().replace("tone0-1-0.wav,tone0", "tone0-1-0.wav,tone1"))
    with pytest.raises(UserError, match="of other data"):
        make_run(table, tmp_path / "run", ONE_EPOCH)
    with pytest.raises(SoundsGoneError, match=table.name):
        find_plan(Run(tmp_path / "run"))


# Data without folds of their own: a validation part teaches, and nothing of the test clips does.

THREE = {"data.n_folds": 3}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("own") / "sounds")


@pytest.fixture(scope="module")
def crossval(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Run]:
    """Runs on all three folds, not to be changed."""
    parent = tmp_path_factory.mktemp("crossval")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COHEAR_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return {fold: make_run(folders, parent / str(fold), {**THREE, "fold": fold}) for fold in (1, 2, 3)}


def test_what_the_data_decide(folders, tones):
    config = list_clips(folders, small()).config
    assert (config.data.sample_rate, config.data.clip_s) == (8000, 0.6)
    usual = small().front_end  # windows and steps last as long as the preset's
    assert config.front_end.n_fft / 8000 == pytest.approx(usual.n_fft / 22050, rel=0.01)
    assert config.front_end.hop_length / 8000 == pytest.approx(usual.hop_length / 22050, rel=0.01)
    chosen = list_clips(folders, small(), {"data.sample_rate"}).config
    assert (chosen.data.sample_rate, chosen.front_end) == (22050, usual)
    assert config.data.validation_share == VALIDATION_SHARE
    assert list_clips(tones, small()).config.data.validation_share is None  # it brings its folds


@pytest.mark.slow
def test_a_part_is_kept_back_and_the_calibration_is_fitted_to_it_alone(folders, crossval):
    run, plan = crossval[1], make_plan(folders, changes={**THREE, "fold": 1})
    split = plan.split
    parts = [*split.train, *split.validation, *split.test]
    assert sorted(parts) == list(range(60))
    assert run.validation is not None
    assert list(run.validation.paths) == [plan.data.store.clips[row].id for row in split.validation]
    targets = plan.data.targets[split.train]
    assert run.calibration == fit_calibration([run.validation], run.config, targets) != UNFITTED
    assert run.metrics["n_validation_clips"] == run.calibration.n_clips == len(split.validation) > 0


def test_where_labels_were_balanced_a_default_threshold_is_the_even_odds_of_the_data():
    said = np.log(np.array([[0.9, 0.1], [0.2, 0.8]])).astype(np.float16)
    labels = np.array([0, 1])
    answers = Predictions(("broken", "healthy"), ("a", "b"), ("", ""), labels, labels, said, said[:, 0])
    targets = np.array([0] * 6 + [1] * 40)
    for balance in ("sampling", "weights"):
        config = tiny_config({"training.balance": balance})
        thresholds = fit_calibration([answers], config, targets).thresholds
        assert thresholds["broken"].probability == pytest.approx(40 / 46)  # odds 40 to 6, which the data make even
        assert not thresholds["broken"].is_fitted
        untaught = uncalibrated(SINGLE_LABEL, answers.classes, config, targets)
        assert not untaught.is_fitted  # the same thresholds, resting on nothing
        assert untaught.thresholds == {"broken": replace(thresholds["broken"], n_answers=0)}
    assert fit_calibration([answers], tiny_config(), targets).thresholds["broken"].probability == 0.5
    assert uncalibrated(SINGLE_LABEL, answers.classes, tiny_config(), targets) == UNFITTED


def test_runs_of_several_seeds_teach_no_more_of_the_same_clips_than_one():
    said = np.log(np.tile([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], (4, 1))).astype(np.float16)
    labels, paths = np.tile([0, 1, 1], 4), tuple(f"{clip}.wav" for clip in range(12))
    answers = Predictions(("broken", "healthy"), paths, paths, labels, said.argmax(1), said, said[:, 0])
    one, three = (fit_calibration([answers] * n, tiny_config(), labels) for n in (1, 3))
    assert three == one
    assert (three.n_clips, three.has_temperature) == (12, False)


@pytest.mark.slow
def test_a_run_on_every_clip_quotes_the_cross_validation_and_takes_its_calibration(folders, crossval, tmp_path):
    parent, settings = crossval[1].folder.parent, {**THREE, "fold": "all"}
    run = make_run(folders, tmp_path / "all", settings, crossval=parent)
    accuracies = [tested.accuracy for tested in crossval.values()]
    assert not run.is_tested
    assert (run.metrics["accuracy"], run.metrics["n_train_clips"]) == (None, 60)
    assert run.metrics["expected"] == {
        "accuracy": pytest.approx(np.mean(accuracies)),
        "standard_error": pytest.approx(np.std(accuracies, ddof=1) / 3**0.5),
        "n_runs": 3,
        "folds": [1, 2, 3],
        "n_clips": 60,
    }
    heard = [path for tested in crossval.values() for path in tested.validation.paths]
    assert run.calibration.n_clips == len({*heard}) < len(heard)  # folds share some: these count once
    other = make_run(folders, tmp_path / "other", {**settings, "optimizer.learning_rate": 0.01}, crossval=parent)
    assert other.metrics["expected"] is None
    assert other.calibration == UNFITTED


@pytest.mark.slow
def test_several_labels_per_clip_are_learned_measured_and_kept(tmp_path):
    table = write_classes(tmp_path / "several", several=True)
    longer = {**NONE, "training.epochs": 20, "training.batch_size": 12, "optimizer.learning_rate": 0.02, **THREE}
    run, plan = make_run(table, tmp_path / "run", longer), make_plan(table, changes=longer)
    assert run.task is run.predictions.task is MULTI_LABEL
    assert run.record.classes == ("tone0", "tone1", "tone2")
    assert run.predictions.labels.tolist() == plan.data.targets[plan.split.test].tolist()
    assert run.accuracy == run.predictions.correct.mean()
    assert run.metrics["mean_average_precision"] > 0.8  # three tones in little noise; by chance it is about a half
    assert 0 <= run.jsd <= np.log(3)


@pytest.mark.slow
def test_training_begins_with_the_weights_of_another_run(folders, crossval, tmp_path):
    initial = {**THREE, "training.initial_run": str(crossval[1].folder)}
    nearly_none = {"optimizer.learning_rate": 1e-12, "optimizer.weight_decay": 0.0}
    same = make_run(folders, tmp_path / "same", {**initial, **nearly_none})
    theirs, ours = (load_file(run.weights_path) for run in (crossval[1], same))
    assert all(torch.allclose(theirs[name], ours[name], atol=1e-6) for name in theirs if name.endswith(".weight"))
    assert same.record.contents["training.initial_run"]
    assert same.record.identity != crossval[1].record.identity
    assert not same.metrics["warnings"]  # it left out the same fold
    (leak,) = make_plan(folders, changes={**initial, "fold": 2}).warnings
    assert "fold 2" in leak
    with pytest.raises(UserError, match=r"front_end.n_mels=16, and 20"):
        make_run(folders, tmp_path / "deaf", {**initial, "front_end.n_mels": 20})
    with pytest.raises(UserError, match="nothing"):
        make_plan(folders, changes={"training.initial_run": str(tmp_path / "nothing")})


@pytest.mark.slow
def test_training_stops_by_validation_and_leaves_its_best_epoch(folders, tmp_path):
    settings = {**THREE, "optimizer.learning_rate": 0.05, "training.epochs": 8, "training.patience": 2}
    run = make_run(folders, tmp_path / "run", settings)
    losses = [record["validation_nll"] for record in run.history]
    best = int(np.argmin(losses)) + 1
    assert run.metrics["kept_epoch"] == best
    assert len(losses) == min(best + 2, 8)
    assert run.validation is not None
    said = run.validation.log_probabilities[np.arange(len(run.validation.labels)), run.validation.labels]
    assert -said.astype(float).mean() == pytest.approx(losses[best - 1], abs=2e-3)
    with pytest.raises(UserError, match="--validation 0"):
        make_run(folders, tmp_path / "none", {**settings, "data.validation_share": 0.0})
    assert not (tmp_path / "none").exists()


def test_false_alarms_are_counted_on_background_alone():
    said = np.log(np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]])).astype(np.float16)
    labels, predicted = np.array([1, 1, 0]), np.array([0, 1, 0])
    test = Predictions(("frog", "other"), ("a", "b", "c"), ("", "", ""), labels, predicted, said, said[:, 0])
    calibration = Calibration(1.0, {"frog": Threshold(0.7, 1.0, 1.0, 1)}, 0.9, 10)
    # Of two seconds of background one is taken for a frog.
    counted = {"false_alarms_per_hour": 1800.0, "n_background_clips": 2}
    assert count_false_alarms(test, calibration, "other", clip_s=1.0) == counted
    assert count_false_alarms(test, calibration, None, clip_s=1.0)["false_alarms_per_hour"] is None
    assert count_false_alarms(test, UNFITTED, "other", clip_s=1.0)["false_alarms_per_hour"] is None


def test_a_run_on_every_clip_without_a_validation_part_is_one_run_however_that_is_said(folders):
    def identity(**changes: object) -> str:
        given = {**{name.replace("__", "."): value for name, value in changes.items()}, "fold": "all"}
        config = list_clips(folders, tiny_config(given), {*TINY_SETTINGS, *given}).config
        return identify(config, "0" * 32, {})

    assert identity() == identity(data__validation_share=0)
    assert identity() != identity(data__validation_share=0.2)


def test_a_folder_name_is_another_runs_only_once(folders, tmp_path):
    listing = list_clips(folders, tiny_config({"training.epochs": 1}))
    plans = [Plan(config, listing.decode(), track="end", parent=tmp_path) for config in (listing.config,) * 2]
    assert plans[0].folder.name.startswith(f"{folders.name}_combination-cl_fold1_quarter")
    plans[0].folder.mkdir()
    Run(plans[0].folder).write_record(replace(plans[0].record, identity="0123456789"))
    assert plans[1].folder == tmp_path / f"{plans[0].folder.name}_{plans[1].record.identity[:4]}"
    Run(plans[0].folder).write_record(plans[0].record)
    again = Plan(listing.config, listing.decode(), track="end", parent=tmp_path)
    assert again.folder == plans[0].folder
