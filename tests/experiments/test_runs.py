"""End-to-end on tiny sounds: same seed same bytes, resume is exact, methods differ where they must and nowhere else."""

import csv
import json
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from cohear.errors import UserError
from cohear.experiments.build import prepare_data
from cohear.experiments.folder_claims import locked
from cohear.experiments.presets import change, parse_override, preset
from cohear.experiments.run_folder import read_metrics, read_record
from cohear.experiments.runs import RunRequest, execute, is_tracked
from cohear.experiments.shown_runs import show_test_clips
from cohear.experiments.trained_network import load_network
from cohear.runtime.interrupts import Interrupted
from cohear.training.checkpoint_files import checkpoint_paths
from tiny import TINY, write_tones

pytestmark = pytest.mark.usefixtures("one_thread")


def request(tones: Path, *overrides: str, track: str = "end") -> RunRequest:
    settings = dict(parse_override(text) for text in (*TINY, *overrides))
    return RunRequest(tones, change(preset("small"), settings), track=track)


def run(tones: Path, folder: Path, *overrides: str, track: str = "end", **options) -> bytes:
    wanted = request(tones, *overrides, track=track)
    execute(wanted, prepare_data(tones, wanted.config), folder, **options)
    return (folder / "model.safetensors").read_bytes()


def read_history(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def stop_after(n_steps: int):
    """An `on_step` that presses Ctrl-C."""

    def on_step(done: int, _total: int) -> None:
        if done == n_steps:
            signal.raise_signal(signal.SIGINT)

    return on_step


@pytest.mark.slow
def test_kept_pitch_shifts_give_another_run_that_ends_the_same_from_an_empty_and_from_a_full_cache(
    tones, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "cache"))
    setting = ("views.transform=pitch", "data.pitch_cache=True")
    empty = run(tones, tmp_path / "empty", *setting)
    assert len(list((tmp_path / "cache").glob("pitch-*"))) == 1
    assert run(tones, tmp_path / "full", *setting) == empty
    run(tones, tmp_path / "live", setting[0])
    live, kept = (load_file(tmp_path / name / "model.safetensors") for name in ("live", "full"))
    # Rounding to 16 bits moves the weights by little and not by nothing.
    assert any(not torch.equal(live[name], kept[name]) for name in live)
    assert all(torch.allclose(live[name].float(), kept[name].float(), atol=0.02) for name in live)
    assert read_record(tmp_path / "live").identity != read_record(tmp_path / "full").identity
    with pytest.raises(UserError, match=r"data\.pitch_cache is False there and True now"):
        run(tones, tmp_path / "live", *setting)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tones, tmp_path):
    first, again, other = (run(tones, tmp_path / name, f"seed={seed}") for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert first == again
    assert first != other


@pytest.mark.parametrize("n_steps", [4, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 5, 8))])
def test_a_run_stopped_after_any_step_and_resumed_ends_in_the_same_bytes(tones, tmp_path, n_steps):
    unbroken = run(tones, tmp_path / "unbroken", track="every")
    with pytest.raises(Interrupted, match="everything is saved"):
        run(tones, tmp_path / "broken", track="every", on_step=stop_after(n_steps))
    assert not (tmp_path / "broken" / "metrics.json").exists()
    assert run(tones, tmp_path / "broken", track="every", resume=True) == unbroken
    durations = {"duration_s": 0, "first_step_s": 0}  # a resumed run has a first step once more
    histories = [
        [{**record, **durations} for record in read_history(tmp_path / name)] for name in ("unbroken", "broken")
    ]
    assert histories[0] == histories[1]
    assert read_metrics(tmp_path / "unbroken") == read_metrics(tmp_path / "broken")


@pytest.mark.slow
def test_consistency_with_weight_zero_is_batched_augmentation_bit_for_bit(tones, tmp_path):
    run(tones, tmp_path / "bda", "method=bda")
    run(tones, tmp_path / "consistency", "objective.consistency_weight=0")
    run(tones, tmp_path / "weighted", "objective.ramp_epochs=0")
    bda, consistency, weighted = (
        load_file(tmp_path / name / "model.safetensors") for name in ("bda", "consistency", "weighted")
    )
    assert all(torch.equal(bda[name], consistency[name]) for name in bda)
    assert not torch.equal(bda["linear.weight"], weighted["linear.weight"])


@pytest.mark.slow
@pytest.mark.parametrize("transform", ["pitch", "reverb", "masking", "combination"])
@pytest.mark.parametrize("method", ["standard", "consistency"])
def test_every_method_trains_with_every_transform_and_its_folder_is_complete(tones, tmp_path, method, transform):
    run(tones, tmp_path, f"method={method}", f"views.transform={transform}", "training.epochs=1")
    metrics = read_metrics(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= {
        *("config.json", "environment.json", "history.jsonl", "model.safetensors"),
        *("predictions.safetensors", "predictions.csv"),
    }
    assert metrics["method"] == method
    assert metrics["transform"] == transform
    assert 0 <= metrics["jsd"] <= np.log(3)
    assert (metrics["jsd_own"] == metrics["jsd"]) == (transform == "combination")


@pytest.mark.slow
def test_training_without_augmentation_learns_the_tones(tones, tmp_path):
    overrides = ("method=none", "views.transform=none", "training.epochs=12", "optimizer.learning_rate=0.01")
    run(tones, tmp_path, *overrides, "optimizer.decay_epochs=4", track="every")
    history = read_history(tmp_path)
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert read_metrics(tmp_path)["accuracy"] == history[-1]["test_accuracy"] > 0.8
    assert read_metrics(tmp_path)["jsd_own"] is None
    assert [record["consistency_weight"] for record in history] == [0.0] * 12


@pytest.mark.slow
def test_metrics_follow_from_the_predictions(tones, tmp_path):
    run(tones, tmp_path, "training.epochs=1")
    rows = list(csv.DictReader((tmp_path / "predictions.csv").read_text().splitlines()))
    metrics = read_metrics(tmp_path)
    assert len(rows) == metrics["n_clips"] == 9
    assert np.mean([row["label"] == row["predicted"] for row in rows]) == pytest.approx(metrics["accuracy"])
    assert np.mean([-np.log(float(row[f"p:{row['label']}"])) for row in rows]) == pytest.approx(
        metrics["nll"],
        rel=2e-3,  # both are rounded to float16
    )
    assert np.mean([float(row["jsd"]) for row in rows]) == pytest.approx(metrics["jsd"], rel=2e-3)


def test_a_finished_run_is_reused_and_other_settings_are_refused(tones, tmp_path):
    first = run(tones, tmp_path, "training.epochs=1")
    modified = (tmp_path / "model.safetensors").stat().st_mtime_ns
    assert run(tones, tmp_path, "training.epochs=1") == first
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == modified
    with pytest.raises(UserError, match=r"made by other settings: training.epochs is 1 there and 2 now"):
        run(tones, tmp_path, "training.epochs=2")
    with pytest.raises(UserError, match="measured --track end, not every"):
        run(tones, tmp_path, "training.epochs=1", track="every")


def test_an_unfinished_run_needs_resume_and_resume_without_a_run_starts_one(tones, tmp_path):
    with pytest.raises(Interrupted):
        run(tones, tmp_path / "run", on_step=stop_after(1))
    with pytest.raises(UserError, match="unfinished run; add --resume"):
        run(tones, tmp_path / "run")
    assert run(tones, tmp_path / "other", "training.epochs=1", resume=True)


@pytest.mark.slow
def test_how_often_a_run_is_measured_does_not_change_its_weights(tones, tmp_path):
    assert run(tones, tmp_path / "end") == run(tones, tmp_path / "every", track="every")


@pytest.mark.slow
def test_a_run_measured_often_serves_whoever_asks_for_less(tones, tmp_path):
    run(tones, tmp_path, "training.epochs=1", track="every")
    modified = (tmp_path / "metrics.json").stat().st_mtime_ns
    for track in ("5", "end"):
        run(tones, tmp_path, "training.epochs=1", track=track)
    assert (tmp_path / "metrics.json").stat().st_mtime_ns == modified


def test_an_unfinished_run_goes_on_only_with_the_measurements_it_began_with(tones, tmp_path):
    with pytest.raises(Interrupted):
        run(tones, tmp_path, on_step=stop_after(1), track="end")
    with pytest.raises(UserError, match="measured --track end, not every; go on with that"):
        run(tones, tmp_path, track="every", resume=True)


@pytest.mark.slow
def test_shown_clips_are_refused_where_the_data_have_changed(tmp_path):
    table = write_tones(tmp_path / "sounds")
    run(table, tmp_path / "run", "training.epochs=1")
    assert show_test_clips(tmp_path / "run")[0].classes == ("tone0", "tone1", "tone2")
    table.write_text(table.read_text().replace(",tone0,", ",aaa,"))
    with pytest.raises(UserError, match="no longer holds what the run was trained on"):
        show_test_clips(tmp_path / "run")


@pytest.mark.slow
def test_silent_clips_are_shown_only_where_there_are_no_others(tmp_path):
    table = write_tones(tmp_path / "sounds")
    for name in (f"tone{label}-1-{take}.wav" for label in range(3) for take in range(2)):
        soundfile.write(tmp_path / "sounds" / name, np.zeros(4800), 8000, subtype="PCM_16")
    run(table, tmp_path / "run", "training.epochs=1")
    assert {clip.path for clip in show_test_clips(tmp_path / "run")} == {f"tone{label}-1-2.wav" for label in range(3)}


def test_two_processes_do_not_work_on_one_folder(tones, tmp_path):
    with pytest.raises(Interrupted):
        run(tones, tmp_path, on_step=stop_after(1))
    with locked(tmp_path), pytest.raises(UserError, match="another process is working on"):
        run(tones, tmp_path, resume=True)


def test_half_written_checkpoints_of_another_run_are_left_alone(tmp_path):
    theirs, mine = tmp_path / "theirs" / "checkpoint", tmp_path / "mine"
    for folder in (theirs, mine):
        folder.mkdir(parents=True)
    (theirs / ".a.1.partial").touch()
    (mine / "checkpoint").symlink_to(theirs)
    with pytest.raises(UserError, match="is a link"), locked(mine):
        pass
    assert (theirs / ".a.1.partial").exists()


@pytest.mark.slow
def test_a_resumed_run_remembers_its_earlier_starts_and_says_when_threads_changed(tones, tmp_path):
    with pytest.raises(Interrupted):
        run(tones, tmp_path, on_step=stop_after(1))
    torch.set_num_threads(2)
    run(tones, tmp_path, resume=True)
    environment = json.loads((tmp_path / "environment.json").read_text())
    assert [environment["n_threads"], *(start["n_threads"] for start in environment["earlier_starts"])] == [2, 1]
    assert any("another number of threads (1 and 2)" in text for text in read_metrics(tmp_path)["warnings"])


def test_a_folder_that_is_no_run_is_left_alone(tones, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds 'thesis.txt' and is no run folder"):
        run(tones, tmp_path)


@pytest.mark.slow
def test_changed_sounds_make_another_run(tmp_path):
    table = write_tones(tmp_path / "sounds")
    run(table, tmp_path / "run", "training.epochs=1")
    table.write_text(table.read_text().replace("tone0-1-0.wav,tone0", "tone0-1-0.wav,tone1"))
    with pytest.raises(UserError, match="is not, or no longer, what was given now"):
        run(table, tmp_path / "run", "training.epochs=1")


def test_a_damaged_checkpoint_or_model_is_refused_in_words(tones, tmp_path):
    with pytest.raises(Interrupted):
        run(tones, tmp_path, on_step=stop_after(2))
    for checkpoint in checkpoint_paths(tmp_path):
        checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"epoch-0-step-2.safetensors' cannot be used"):
        run(tones, tmp_path, resume=True)


@pytest.mark.slow
def test_a_saved_network_is_rebuilt_exactly(tones, tmp_path):
    run(tones, tmp_path, "training.epochs=1")
    record, network = load_network(tmp_path)
    saved = load_file(tmp_path / "model.safetensors")
    assert record.classes == ("tone0", "tone1", "tone2")
    assert all(torch.equal(saved[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.slow
def test_global_random_state_is_not_read_or_touched(tones, tmp_path):
    before = np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    first = run(tones, tmp_path / "a", "training.epochs=1")
    assert np.random.get_state()[1].tolist() == before[0]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])
    torch.manual_seed(99)
    assert run(tones, tmp_path / "b", "training.epochs=1") == first
    torch.set_rng_state(before[1])


def test_tracking_measures_every_nth_epoch_and_always_the_last():
    assert [e for e in range(10) if is_tracked("every", e, 10)] == list(range(10))
    assert [e for e in range(10) if is_tracked("4", e, 10)] == [3, 7, 9]
    assert [e for e in range(10) if is_tracked("end", e, 10)] == [9]
