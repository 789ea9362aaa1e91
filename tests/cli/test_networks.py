"""A network of timm goes through the ordinary commands as the VGG does."""

import json
import shutil

import pytest

from cohear.runs.run import Run
from tiny import OPTIONS


@pytest.mark.slow
def test_a_network_of_timm_trains_resumes_predicts_packs_and_exports(cohear, tones, tmp_path):
    run, packed, exported = (tmp_path / name for name in ("run", "timm.cohear", "timm.onnx"))
    words = ("train", tones, *OPTIONS, "--set", "network.name=timm:resnet10t", "--out", run)
    assert cohear(*words).status == 0
    history = [{**epoch, "duration_s": 0, "first_step_s": 0} for epoch in Run(run).history]
    weights = (run / "model.safetensors").read_bytes()

    for name in ("metrics.json", "model.safetensors"):
        (run / name).unlink()
    newest = sorted((run / "checkpoint").iterdir())[-1]
    newest.unlink()  # so that training is resumed, and not only what follows it
    assert cohear(*words, "--resume").status == 0
    assert [{**epoch, "duration_s": 0, "first_step_s": 0} for epoch in Run(run).history] == history
    assert (run / "model.safetensors").read_bytes() == weights

    assert cohear("pack", run, packed).status == 0
    shutil.rmtree(run / "checkpoint")
    said = [cohear("predict", model, tones.parent / "tone1-1-0.wav") for model in (run, packed)]
    assert said[0].out == said[1].out
    assert cohear("export", packed, exported).status == 0
    assert exported.exists()
    assert json.loads((run / "config.json").read_text())["config"]["network"]["name"] == "timm:resnet10t"


def test_an_unknown_network_is_refused_before_anything_is_decoded(cohear, tones, tmp_path):
    said = cohear("train", tones, *OPTIONS, "--set", "network.name=vgh", "--out", tmp_path / "run")
    assert said.refuses("vgh", "did you mean 'vgg'")
    assert not (tmp_path / "run").exists()
