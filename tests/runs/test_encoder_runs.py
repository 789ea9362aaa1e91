"""Runs on a frozen encoder, from files to everything that comes after training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import soundfile
import torch

import cohear
from cohear.app.hearing import hear
from cohear.app.sounds import Excerpt
from cohear.data.audio_decoding import decode
from cohear.errors import UserError
from cohear.evaluation.corruptions import CORRUPTIONS
from cohear.inference.card import pack_run
from cohear.inference.onnx_export import compare, to_onnx
from cohear.judging.judged_clips import choose_clips
from cohear.judging.judged_runs import judge_runs
from cohear.models.encoder import Encoder
from cohear.runs.embedding import embed
from cohear.runs.execution import execute
from cohear.runs.plan import Plan, list_clips
from cohear.runs.presets import configure
from cohear.runs.run import Run
from cohear.runtime.interrupts import Interrupted
from made_encoders import embedding, write_encoder
from runs.made_runs import stop_after, weights
from tiny import write_classes

pytestmark = pytest.mark.usefixtures("one_thread")

LARGE_STEPS = {"optimizer.learning_rate": 0.2, "training.batch_size": 8}
METHODS = ("none", "standard", "bda", "consistency")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> Path:
    return write_classes(tmp_path_factory.mktemp("classes"), n_clips=16)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoders") / "tones.onnx")


def plan_for(sounds: Path, encoder: Path, out: Path, settings: Any = None, **options: Any) -> Plan:
    chosen = {"encoder.file": str(encoder), "encoder.n_views": 3, "training.batch_size": 24, **options}
    config = configure(chosen, "probe", 4, settings)
    listing = list_clips(sounds, config, {*chosen, *(settings or {})})
    listing.check(listing.config)
    return Plan(listing.config, listing.decode(), out=out)


@pytest.fixture(scope="module")
def run(sounds, encoder, tmp_path_factory) -> Run:
    return execute(plan_for(sounds, encoder, tmp_path_factory.mktemp("runs") / "probe", LARGE_STEPS))[0]


def test_the_sounds_decide_nothing_that_the_encoder_has_decided(run):
    config = run.record.config
    assert config.data.sample_rate == 8000
    assert (config.data.clip_s or 0) >= 0.2  # a window
    assert (config.encoder.window, config.encoder.n_features, config.encoder.output) == (1600, 6, "embedding")
    assert Path(config.encoder.file or "").is_absolute()
    assert run.metrics["accuracy"] > 0.6  # three tones


@pytest.mark.parametrize("method", METHODS)
def test_a_stopped_run_ends_as_one_that_was_not_whatever_was_kept(sounds, encoder, tmp_path, method, monkeypatch):
    options = {"method": method, **({"views.transform": "none"} if method == "none" else {"views.transform": "pitch"})}
    whole = execute(plan_for(sounds, encoder, tmp_path / "whole", **options))[0]
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "other cache"))
    plan = plan_for(sounds, encoder, tmp_path / "stopped", **options)
    with pytest.raises(Interrupted):
        execute(plan, on_step=stop_after(3))
    again = execute(plan, resume=True)[0]
    assert weights(again) == weights(whole)
    assert [{**its, "duration_s": 0} for its in again.history] == [{**its, "duration_s": 0} for its in whole.history]


def test_each_clip_is_embedded_once_for_all_methods(sounds, encoder, tmp_path, monkeypatch):
    heard = []
    original = Encoder.forward
    monkeypatch.setattr(Encoder, "forward", lambda self, waveforms: (heard.append(1), original(self, waveforms))[1])
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "cache"))
    done = []
    embed([plan_for(sounds, encoder, tmp_path / "a", fold=1)], lambda *counts: done.append(counts))
    n_train = len(plan_for(sounds, encoder, tmp_path / "b", fold=1).split.train)
    assert len(heard) == done[0][1]
    heard.clear()
    for method in METHODS[1:]:
        execute(plan_for(sounds, encoder, tmp_path / method, method=method, fold=1))
    assert not heard
    embed([plan_for(sounds, encoder, tmp_path / "none", fold=1, method="none", **{"views.transform": "none"})])
    assert len(heard) == n_train  # its pool has clean clips alone, and what is measured is there


def test_answers_to_a_file_are_those_of_its_clip_in_the_run(run, sounds):
    classifier = cohear.load(run.folder)
    predictions = run.predictions
    for path, expected in list(zip(predictions.paths, predictions.log_probabilities, strict=True))[:5]:
        audio = decode(sounds / path.partition("#")[0])
        n_samples = classifier.n_samples
        waveform = np.pad(audio.waveform, (0, max(0, n_samples - len(audio.waveform))))[:n_samples]
        logits = classifier.network(classifier.front_end(torch.from_numpy(waveform[None])))
        np.testing.assert_allclose(logits.log_softmax(-1)[0].detach(), expected, atol=0.02)


def test_an_embedding_is_the_encoder_s_before_anything_learned(run, sounds):
    classifier = cohear.load(run.folder)
    path = sorted((sounds / "tone1").iterdir())[0]
    waveform = decode(path).waveform[: classifier.n_samples]
    starts = (*range(0, len(waveform) - 1600, 1600), len(waveform) - 1600)
    expected = np.stack([embedding(waveform[None, start : start + 1600])[0] for start in starts]).max(0)
    norm: Any = classifier.network.body.input_norm  # one scale and shift for all numbers
    scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).item()
    shift = (norm.bias - norm.running_mean * scale).item()
    np.testing.assert_allclose(classifier.embed(path)[0], expected * scale + shift, rtol=1e-3, atol=1e-4)


def test_a_packed_model_has_the_encoder_inside_or_finds_it_beside(run, encoder, tmp_path):
    classifier, waveform = cohear.load(run.folder), 0.2 * np.random.default_rng(0).standard_normal(8000)
    expected = classifier.predict(waveform, sample_rate=8000)
    inside, beside = tmp_path / "inside.cohear", tmp_path / "beside.cohear"
    inside.write_bytes(pack_run(run.folder).to_bytes())
    model = pack_run(run.folder, with_encoder=False)
    beside.write_bytes(model.to_bytes())
    assert str(encoder.parent) not in inside.read_bytes().decode("latin-1")
    assert cohear.load(inside).predict(waveform, sample_rate=8000) == expected
    with pytest.raises(UserError, match=r"tones\.onnx"):
        cohear.load(beside)
    write_encoder(tmp_path / "tones.onnx", seed=1)
    with pytest.raises(UserError, match="another file"):
        cohear.load(beside)
    (tmp_path / "tones.onnx").unlink()
    (tmp_path / "tones.onnx").write_bytes(encoder.read_bytes())
    assert cohear.load(beside).predict(waveform, sample_rate=8000) == expected
    assert "tones.onnx" in model.card
    assert "MIT" in model.card


def test_encoder_and_head_are_exported_as_one_model_for_any_batch_and_length(run):
    classifier = cohear.load(run.folder)
    model = to_onnx(classifier)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    for n_clips, n_samples in ((1, 500), (2, 1600), (3, 4800), (2, 5000)):
        sounds = (0.2 * np.random.default_rng(n_samples).standard_normal((n_clips, n_samples))).astype(np.float32)
        said = session.run(["probabilities", "embeddings"], {"waveforms": sounds})
        np.testing.assert_allclose(said[0], classifier.probabilities(sounds), atol=1e-5)
    assert compare(model, classifier, sounds)[0] < 1e-5


def test_an_encoder_of_fixed_batch_is_heard_packed_and_not_exported(sounds, tmp_path):
    fixed = write_encoder(tmp_path / "fixed.onnx", shape=(2, 1600))
    classifier = cohear.load(execute(plan_for(sounds, fixed, tmp_path / "run", method="none"))[0].folder)
    with pytest.raises(UserError, match="2 windows at once"):
        to_onnx(classifier)


def test_a_run_is_judged_shown_and_listened_to_as_any_other(run, sounds):
    (judged,) = judge_runs([(run, choose_clips(run, sounds, None))], corruptions=True)
    assert judged.right_when_corrupted is not None
    assert judged.right_when_corrupted.shape[0] == len(CORRUPTIONS)
    classifier = cohear.load(run.folder)
    waveform = (0.2 * np.random.default_rng(0).standard_normal(classifier.n_samples)).astype(np.float32)
    clip = Excerpt(waveform, classifier.n_samples, "noise", "made up")
    clean, hidden = hear(classifier, clip), hear(classifier, clip, "masks", 50.0)
    assert clean.log_mel.shape[0] == classifier.about.front_end.n_mels
    probabilities = np.exp(clean.logits) / np.exp(clean.logits).sum()
    np.testing.assert_allclose(probabilities, classifier.probabilities(waveform[None])[0], rtol=1e-4)
    assert not np.allclose(clean.logits, hidden.logits)


@pytest.mark.parametrize(
    ("options", "settings", "said"),
    [
        ({"views.transform": "masking"}, {}, "masking"),
        ({}, {"data.sample_rate": 16000}, "8000 Hz"),
        ({}, {"network.name": "vgg"}, "hears spectrograms"),
        ({}, {"encoder.n_views": 1, "views.n_transformed": 2}, "encoder.n_views"),
        ({"encoder.file": None}, {}, "--encoder"),
        ({"encoder.file": "nowhere.onnx"}, {}, "nowhere.onnx"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused_at_once(sounds, encoder, tmp_path, options, settings, said):
    with pytest.raises(UserError, match=said):
        plan_for(sounds, encoder, tmp_path / "run", settings, **options)


def test_an_encoder_that_moved_is_found_in_the_run_s_folder(sounds, tmp_path):
    encoder = write_encoder(tmp_path / "tones.onnx")
    run, _ = execute(plan_for(sounds, encoder, tmp_path / "run"))
    expected = cohear.load(run.folder).predict(sounds / "tone0" / "0.wav")
    encoder.rename(run.folder / "tones.onnx")
    assert cohear.load(run.folder).predict(sounds / "tone0" / "0.wav") == expected
    listed = list_clips(sounds, configure({"training.initial_run": str(run.folder)}, "probe"))
    assert listed.config.encoder.file == str(run.folder / "tones.onnx")
    write_encoder(run.folder / "tones.onnx", seed=1)
    with pytest.raises(UserError, match="another file"):
        cohear.load(run.folder)


def test_a_run_whose_encoder_is_gone_or_another_says_so(sounds, tmp_path):
    file = write_encoder(tmp_path / "own.onnx")
    made = execute(plan_for(sounds, file, tmp_path / "run", method="none"))[0]
    file.unlink()
    with pytest.raises(UserError, match=r"own\.onnx"):
        cohear.load(made.folder)
    write_encoder(file, seed=3)
    with pytest.raises(UserError, match="another file"):
        cohear.load(made.folder)


@pytest.mark.parametrize(
    "options",
    [
        {"training.balance": "sampling"},
        {"training.balance": "weights"},
        {"training.patience": 2, "data.validation_share": 0.4},
        {"training.mixup": 0.4},
        {"network.hidden": 8},
        {"fold": "all"},
        {"views.transform": "noise(snr_db=0..20)+pitch,reverb"},
    ],
    ids=str,
)
def test_what_a_training_can_it_can_on_an_encoder_too(sounds, encoder, tmp_path, options):
    made = execute(plan_for(sounds, encoder, tmp_path / "run", **options))[0]
    assert np.isfinite(made.history[-1]["loss"])
    assert cohear.load(made.folder).predict(sorted((sounds / "tone0").iterdir())[0])


def test_several_labels_and_weights_to_begin_with(encoder, run, sounds, tmp_path):
    several = write_classes(tmp_path / "several", n_clips=16, several=True)
    made = execute(plan_for(several, encoder, tmp_path / "run"))[0]
    assert made.metrics["mean_average_precision"] > 0.5
    begun = plan_for(sounds, encoder, tmp_path / "begun", **{"training.initial_run": str(run.folder)})
    assert execute(begun)[0].history[0]["loss"] < run.history[0]["loss"]


def test_weights_to_begin_with_know_the_encoder_wherever_it_lies(run, encoder, sounds, tmp_path):
    moved, packed = tmp_path / "moved.onnx", tmp_path / "packed.cohear"
    moved.write_bytes(encoder.read_bytes())
    packed.write_bytes(pack_run(run.folder).to_bytes())
    for start in (run.folder, packed):
        begun = plan_for(sounds, moved, tmp_path / "begun", **{"training.initial_run": str(start)})
        assert begun.config.encoder.digest == run.record.config.encoder.digest
    alone = {"encoder.file": None, "training.initial_run": str(run.folder)}
    assert plan_for(sounds, moved, tmp_path / "begun", **alone).config.encoder.file == str(encoder)
    with pytest.raises(UserError, match="--encoder"):
        plan_for(sounds, moved, tmp_path / "begun", **{**alone, "training.initial_run": str(packed)})
    other = write_encoder(tmp_path / "other.onnx", seed=4)
    with pytest.raises(UserError, match="another file"):
        plan_for(sounds, other, tmp_path / "begun", **{"training.initial_run": str(run.folder)})


def test_a_file_elsewhere_is_the_same_run_and_another_file_another(run, encoder, sounds, tmp_path):
    moved = tmp_path / "moved.onnx"
    moved.write_bytes(encoder.read_bytes())
    same, other = (
        plan_for(sounds, file, tmp_path / "run", LARGE_STEPS)
        for file in (moved, write_encoder(tmp_path / "other.onnx", seed=9))
    )
    assert same.record.identity == run.record.identity
    assert other.record.identity != run.record.identity


def test_a_damaged_embedding_is_made_again_before_it_is_trained_on(sounds, encoder, tmp_path, monkeypatch):
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "cache"))
    whole = execute(plan_for(sounds, encoder, tmp_path / "whole"))[0]
    for kept in (tmp_path / "cache" / "log_mels").iterdir():
        data = bytearray(kept.read_bytes())
        data[5] ^= 255
        kept.write_bytes(data)
    assert weights(execute(plan_for(sounds, encoder, tmp_path / "again"))[0]) == weights(whole)


def test_a_deadline_while_clips_are_embedded_keeps_what_was_made(sounds, encoder, tmp_path, monkeypatch):
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "cache"))
    plan = plan_for(sounds, encoder, tmp_path / "run")
    with pytest.raises(Interrupted):
        execute(plan, deadline_s=0.0)
    assert execute(plan, resume=True)[0].is_finished


@pytest.mark.parametrize(
    "changes",
    [{"input": "x"}, {"window": 10**9}, {"window": None}, {"output": "no"}, {"digest": "0" * 32}],
    ids=str,
)
def test_a_packed_model_that_says_what_its_encoder_is_not_is_refused(run, tmp_path, changes):
    model = pack_run(run.folder)
    encoder = model.description.encoder.model_copy(update=changes)
    about = model.description.model_copy(update={"encoder": encoder})
    packed = tmp_path / "m.cohear"
    packed.write_bytes(replace(model, description=about).to_bytes())
    with pytest.raises(UserError):
        cohear.load(packed).predict(np.zeros(8000, np.float32), sample_rate=8000)


def test_python_and_paths(sounds, encoder, tmp_path, monkeypatch):
    monkeypatch.chdir(encoder.parent)
    made = cohear.train(sounds, encoder="tones.onnx", epochs=2, out=tmp_path / "run")
    assert made.metrics["preset"] == "probe"
    monkeypatch.chdir(tmp_path)
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    assert len(made.classifier.predict("a.wav")) > 0
    assert made.report.exists()
