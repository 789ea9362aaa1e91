"""Weights that are finite and so large that answers are not: one sentence wherever a network is asked about clips."""

import re
import shutil
from pathlib import Path

import pytest
import torch

from cohear.evaluation.answering import NotFiniteError
from cohear.experiments import judged_runs
from cohear.experiments.trained_network import load_network
from cohear.training.checkpoints import save_weights
from tiny import OPTIONS

TOO_FAST = ("--set", "optimizer.learning_rate=1e6", "--set", "training.batch_size=60")  # one step an epoch
SENTENCE = re.compile(
    r"the answers to the (train|validation|test) clips are not finite after epoch [01], counted from 0; lower "
    r"optimizer\.learning_rate and train under another --out$"
)


def sentence(said) -> str:
    assert said.refuses()
    return said.err.splitlines()[-1]


@pytest.mark.parametrize("options", [(), ("--on-nonfinite", "skip"), ("--track", "end")], ids=" ".join)
def test_training_whose_answers_are_no_numbers_ends_in_words(cohear, tones, tmp_path, options):
    said = cohear("train", tones, *OPTIONS, *TOO_FAST, *options, "--out", tmp_path / "run")
    assert SENTENCE.search(sentence(said)), said
    assert not (tmp_path / "run" / "metrics.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_so_does_a_grid(cohear, tones, tmp_path, jobs):
    said = cohear("crossval", tones, *OPTIONS, *TOO_FAST, "--jobs", jobs, "--out", tmp_path / "runs")
    assert "2 of 2 runs failed" in sentence(said)
    assert SENTENCE.search(sentence(said)), said


@pytest.fixture
def overgrown(trained: Path, tmp_path: Path) -> Path:
    """A finished run whose weights were made so large that what they add up to is infinite."""
    folder = shutil.copytree(trained, tmp_path / "overgrown")
    record, network = load_network(folder)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(weight.sign() * 1e30)
    save_weights(folder / "model.safetensors", network, {"identity": record.identity})
    return folder


def test_evaluating_a_run_whose_answers_are_no_numbers_names_it(cohear, tones, overgrown, tmp_path):
    said = cohear("evaluate", overgrown, tones, "--out", tmp_path / "page.html")
    assert said.refuses("the answers to the clips are not finite with the weights of", str(overgrown))
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("stage", "clips"), [("measure_agreement", "changed clips"), ("answer_corrupted", "corrupted clips")]
)
def test_of_several_runs_the_one_with_such_answers_is_named(
    cohear, tones, trained, tmp_path, monkeypatch, stage, clips
):
    other = shutil.copytree(trained, tmp_path / "other")
    chosen = [trained, other]
    monkeypatch.setattr("cohear.cli.evaluate._finished_runs", lambda _paths: chosen)
    if stage != "measure_agreement":
        monkeypatch.setattr(judged_runs, "measure_agreement", lambda networks, *_, **__: [() for _ in networks])

    def fail(networks, *_arguments, **_options):
        raise NotFiniteError(networks[1])

    monkeypatch.setattr(judged_runs, stage, fail)
    said = cohear("evaluate", *chosen, tones, "--corruptions", "--out", tmp_path / "page.html")
    assert said.refuses(f"the answers to {clips} are not finite with the weights of '{other}'; lower optimizer")


def test_the_report_of_a_run_with_such_answers_names_it(cohear, overgrown):
    assert cohear("report", overgrown).refuses(f"no clips of '{overgrown}' can be shown: the network answers with NaN")
