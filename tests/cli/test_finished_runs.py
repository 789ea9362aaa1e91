"""Run folders that are finished, unfinished or damaged: what can be lost is kept, what is wrong named."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from cohear.runs import cost
from cohear.runs.run import Run
from cohear.runs.trained_model import load_network
from cohear.training.weights import save_weights
from tiny import OPTIONS, write_tones

AS_TRAINED = (*OPTIONS, "--track", "end")


def change_record(run: Path, **changes: object) -> None:
    path = run / "config.json"
    values = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({name: value for name, value in values.items() if value is not None}))


def test_a_finished_run_is_not_made_again_and_never_too_large(cohear, tones, copied, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in copied.rglob("*")}
    monkeypatch.setattr(cost, "free_bytes", lambda: 1000)
    said = cohear("train", tones, *AS_TRAINED, "--out", copied)
    assert said.status == 0
    assert "\naccuracy " in said.out
    assert said.out.endswith("(finished before)\n")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    (copied / "report.html").unlink()  # it was killed between its numbers and their page
    assert cohear("train", tones, *AS_TRAINED, "--out", copied).status == 0
    assert (copied / "report.html").exists()


def test_an_unfinished_run_without_resume_is_refused_and_resume_finishes_it(cohear, tones, trained, copied):
    for name in ("metrics.json", "model.safetensors"):
        (copied / name).unlink()
    (copied / "checkpoint" / ".epoch-1-step-0.safetensors.123.partial").write_bytes(b"half")
    words = ("train", tones, *AS_TRAINED, "--out", copied)
    assert cohear(*words).refuses(copied, "--resume")
    for command in ("predict", "evaluate", "export", "pack", "compare"):
        others = {"predict": [tones], "evaluate": [tones], "export": ["a.onnx"]}.get(command, [])
        assert cohear(command, copied, *others).refuses("unfinished run")
    assert cohear(*words, "--resume").status == 0
    for name in ("metrics.json", "model.safetensors", "predictions.safetensors"):
        assert (copied / name).read_bytes() == (trained / name).read_bytes()
    assert not list(copied.rglob("*.partial"))


def test_damaged_metrics_are_named_with_the_way_out(cohear, tones, copied, trained):
    (copied / "metrics.json").write_text("{")
    words = ("train", tones, *AS_TRAINED, "--out", copied)
    assert cohear(*words).refuses(copied / "metrics.json", "--resume")
    (copied / "metrics.json").unlink()
    assert cohear(*words, "--resume").status == 0
    assert (copied / "metrics.json").read_bytes() == (trained / "metrics.json").read_bytes()


@pytest.mark.parametrize(
    ("changes", "culprit"),
    [
        ({"schema": 2}, "config.json' has format 2"),
        ({"identity": "0"}, "another version of cohear, or its config.json was changed"),
    ],
)
def test_a_run_of_another_version_is_refused_in_words(cohear, tones, copied, changes, culprit):
    change_record(copied, **changes)
    assert cohear("train", tones, *AS_TRAINED, "--out", copied).refuses(culprit)


def test_a_report_with_sounds_is_not_replaced_by_one_without_and_a_missing_one_is_written(cohear, copied):
    change_record(copied, data_path="gone/sounds.csv")
    page = copied / "report.html"
    page.write_text("<audio controls></audio>")
    assert cohear("report", copied).refuses(copied, "gone/sounds.csv")
    assert page.read_text() == "<audio controls></audio>"
    for file in (page, copied / "model.safetensors", copied / "predictions.csv"):
        file.unlink()
    said = cohear("report", copied)
    assert (said.status, said.out) == (0, "")
    assert "shows no sounds" in said.err
    assert page.exists()
    assert (copied / "predictions.csv").exists()


def test_damaged_files_are_named_and_the_page_and_the_pages_of_others_are_kept(cohear, copied, trained, tmp_path):
    weights, page = copied / "model.safetensors", (copied / "report.html").read_bytes()
    other = shutil.copytree(trained, tmp_path / "other")
    (other / "report.html").unlink()
    weights.write_bytes(weights.read_bytes()[:-8])
    assert cohear("predict", copied, copied).refuses(weights, "--resume")
    assert cohear("report", copied, other).refuses(weights, "--resume")
    assert (other / "report.html").exists()
    weights.unlink()
    assert cohear("predict", copied, copied).refuses(weights, "--resume")
    predictions = copied / "predictions.safetensors"
    predictions.write_bytes(predictions.read_bytes()[:-1])
    assert cohear("report", copied).refuses(predictions, "--resume")
    assert cohear("compare", copied).refuses(predictions)
    assert (copied / "report.html").read_bytes() == page


def test_answers_that_are_no_numbers_are_named_with_their_run(cohear, tones, trained, copied, tmp_path):
    run = Run(copied)
    network = load_network(run)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(weight.sign() * 1e30)
    save_weights(run.weights_path, network, {"identity": run.record.identity})
    page = tmp_path / "page.html"
    assert cohear("evaluate", copied, tones, "--out", page).refuses("not finite", copied)
    assert cohear("evaluate", trained, copied, tones, "--out", page).refuses("not finite", copied)
    assert cohear("report", copied).refuses(copied)
    assert cohear("predict", copied, tones.parent / "tone0-1-0.wav").refuses("tone0-1-0.wav", "NaN or infinite")
    assert not page.exists()


def test_crossval_compares_with_the_finished_runs_on_the_same_clips_only(cohear, tones, tmp_path):
    one_epoch, runs = (*AS_TRAINED, "--set", "training.epochs=1"), tmp_path / "runs"
    others = write_tones(tmp_path / "other-sounds", n_classes=2)
    assert cohear("train", tones, *one_epoch, "--method", "none", "--out", runs / "mine").status == 0
    assert cohear("train", others, *one_epoch, "--out", runs / "elsewhere").status == 0
    for copy in ("a copy", "half", "spoiled"):
        shutil.copytree(runs / "mine", runs / copy)
    (runs / "half" / "metrics.json").unlink()
    change_record(runs / "spoiled", identity="0")
    (runs / "spoiled" / "metrics.json").write_text("{")
    said = cohear("crossval", tones, *one_epoch, "--method", "bda", "--out", runs)
    assert said.status == 0
    assert "compared with 1 other finished run on the same clips" in said.err
    assert "left out of the comparison: " in said.err
    assert "\nNo Augmentation" in said.out
    assert "\nCombination-BDA" in said.out
    assert "other-sounds" not in (runs / "comparison.html").read_text()


@pytest.mark.parametrize("command", ["train", "crossval"])
def test_what_cannot_fit_in_memory_is_refused_before_it_is_begun(cohear, tones, tmp_path, monkeypatch, command):
    monkeypatch.setattr(cost, "free_bytes", lambda: 1000)
    monkeypatch.chdir(tmp_path)
    assert cohear(command, tones, *OPTIONS).refuses("GB", "training.batch_size (now 6)", "network.width (now 0.0625)")
    assert os.listdir(tmp_path) == []
