"""Runs that begin with a folder of pretrained weights, and everything that comes after training, without the folder."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import soundfile
import torch
from safetensors.numpy import load_file

import cohear
from cohear.errors import UserError
from cohear.inference.card import pack_run
from cohear.inference.onnx_export import INPUT, to_onnx
from cohear.models.kaldi_log_mel import KaldiLogMel
from cohear.runs.build import build_network
from cohear.runs.execution import execute
from cohear.runs.plan import Plan, list_clips
from cohear.runs.presets import configure, default_preset
from cohear.runs.run import Run
from cohear.runtime.interrupts import Interrupted
from made_transformers import write_ast, write_clap, write_timm
from runs.made_runs import stop_after, weights
from tiny import write_classes

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

WRITERS = {"transformers:ast": write_ast, "transformers:clap": write_clap, "timm:local-dir:timm": write_timm}


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> Path:
    return write_classes(tmp_path_factory.mktemp("classes"), n_clips=6)


def plan_for(sounds: Path, name: str, out: Path, settings: dict[str, Any] | None = None) -> Plan:
    chosen = {"network.name": name, "training.batch_size": 12, **(settings or {})}
    config = configure({}, default_preset(chosen)[0], 1, chosen)
    listing = list_clips(sounds, config, chosen)
    listing.check(listing.config)
    return Plan(listing.config, listing.decode(), out=out)


@pytest.fixture(scope="module", params=WRITERS)
def made(sounds, tmp_path_factory, request) -> tuple[Run, str, Path]:
    """A run, the name that its network was given by, and the folder, which is gone."""
    parent = tmp_path_factory.mktemp("pretrained")
    kind, _, last = request.param.rpartition(":")
    folder = parent / last
    WRITERS[request.param](folder)
    name = f"{kind}:{folder}"
    run = execute(plan_for(sounds, name, parent / "run"))[0]
    shutil.move(folder, parent / "away")
    return run, name, parent / "away"


def test_training_begins_with_the_weights_of_the_folder_and_its_place_is_not_what_it_is(made, sounds, tmp_path):
    run, name, away = made
    kind = name[: name.index(str(away.parent))]
    plan = plan_for(sounds, f"{kind}{away}", tmp_path / "frozen", {"network.trained_blocks": 0})
    assert plan_for(sounds, f"{kind}{away}", tmp_path / "other").record.identity == run.record.identity
    assert plan.record.identity != run.record.identity
    given = build_network(plan.config, 3)
    plan.data.listing.pretrained.begin(given)
    kept, trained = load_file(execute(plan)[0].weights_path), load_file(run.weights_path)
    of_trunk = [key for key in kept if key.startswith("body.trunk.")]
    assert all(np.array_equal(kept[key], given.state_dict()[key].numpy()) for key in of_trunk)
    assert any(not np.array_equal(kept[key], trained[key]) for key in of_trunk)
    norms = [key for key in kept if key.startswith("body.input_norm.num_batches")]
    assert all(kept[key] > 0 for key in norms)  # of the sounds, whatever the other weights come from


def test_what_comes_after_needs_no_folder(made, sounds, tmp_path):
    run, *_ = made
    classifier = cohear.load(run.folder)
    waveform = np.random.default_rng(0).standard_normal(2 * classifier.n_samples).astype(np.float32) / 10
    soundfile.write(tmp_path / "long.wav", waveform, classifier.sample_rate)
    answers = list(classifier.predict(tmp_path / "long.wav"))
    assert len(answers) == 2
    (tmp_path / "run.cohear").write_bytes(pack_run(run.folder).to_bytes())
    packed = cohear.load(tmp_path / "run.cohear")
    assert list(packed.predict(tmp_path / "long.wav")) == answers
    assert packed.about.network.folder in {"ast", "clap", "timm"}  # and not where it lay
    session = onnxruntime.InferenceSession(to_onnx(packed))
    for n_samples in (classifier.n_samples, 2 * classifier.n_samples // 3):
        exported = session.run(["embeddings"], {INPUT: waveform[None, :n_samples]})[0]
        with torch.no_grad():
            heard = classifier.front_end(torch.from_numpy(waveform[None, :n_samples]))
            expected = classifier.network.embed(heard).numpy()
        np.testing.assert_allclose(exported, expected, rtol=1e-3, atol=1e-4)


def test_what_hears_is_settled_by_the_weights(sounds, tmp_path):
    folder = write_ast(tmp_path / "ast")
    plan = plan_for(sounds, f"transformers:{folder}", tmp_path / "run")
    assert plan.config.data.sample_rate == 16000
    assert isinstance(cohear.load(execute(plan)[0].folder).front_end, KaldiLogMel)
    for changes in ({"data.sample_rate": 22050}, {"front_end.n_mels": 40}):
        with pytest.raises(UserError, match=next(iter(changes))):
            plan_for(sounds, f"transformers:{folder}", tmp_path / "no", changes)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_stopped_run_ends_in_the_same_bytes(sounds, tmp_path, kind):
    base, _, last = kind.rpartition(":")
    WRITERS[kind](tmp_path / last)
    settings = {"network.trained_blocks": 2, "optimizer.averaging_epochs": 0.5}
    whole = execute(plan_for(sounds, f"{base}:{tmp_path / last}", tmp_path / "whole", settings))[0]
    torch.manual_seed(3)
    plan = plan_for(sounds, f"{base}:{tmp_path / last}", tmp_path / "stopped", settings)
    with pytest.raises(Interrupted):
        execute(plan, on_step=stop_after(1))
    assert weights(execute(plan, resume=True)[0]) == weights(whole)


def test_training_goes_on_from_such_a_run_as_it_was_trained(sounds, tmp_path):
    folder = write_ast(tmp_path / "ast")
    first = execute(plan_for(sounds, f"transformers:{folder}", tmp_path / "first"))[0]
    shutil.rmtree(folder)
    chosen = {"training.initial_run": str(first.folder)}
    assert default_preset(chosen)[0] == "finetune"
    listing = list_clips(sounds, configure(chosen, "finetune", 1), chosen)
    assert listing.config.network.folder == str(folder)
    assert (
        "whose license holds"
        in pack_run(execute(Plan(listing.config, listing.decode(), out=tmp_path / "next"))[0].folder).card
    )
