"""A run becomes one file and answers as before; its card says what the folder says, in Markdown as it was meant."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from markdown_it import MarkdownIt

import cohear
from cohear.errors import UserError
from cohear.evaluation.calibration import UNFITTED, Calibration, write_calibration
from cohear.inference.card import model_card, pack_run
from cohear.judging.verdict import Verdict
from cohear.metrics.tasks import task_of
from cohear.metrics.thresholds import Threshold
from cohear.models import VGG
from cohear.runs.config import parse_override
from cohear.runs.description import Expectation
from cohear.runs.predictions import Predictions, round_predictions, write_predictions
from cohear.runs.presets import configure
from cohear.runs.run import Record, Run
from cohear.runtime.sealed_tensors import seal, unseal
from cohear.training.weights import save_weights
from made_models import DESCRIPTION, PROVENANCE
from tiny import SAMPLE_RATE, TINY

HOSTILE = ("a|b", "`c` <b>", "*frog* [x](y)\n# toad")


def answered(labels: list[int] | list[list[float]], probabilities: list[list[float]]) -> Predictions:
    n_clips = len(labels)
    truth = np.array(labels, np.float32 if isinstance(labels[0], list) else np.int64)
    said, names = np.log(np.array(probabilities)), tuple(map(str, range(n_clips)))
    task = task_of(truth)
    predicted = task.decide(task.logits(said))
    return round_predictions(DESCRIPTION.classes, names, names, truth, predicted, said, np.zeros(n_clips))


def changed(**changes) -> str:
    """Return the card with another provenance."""
    return model_card(
        DESCRIPTION.model_copy(update={"provenance": PROVENANCE.model_copy(update=changes)}), 1234567, None
    )


def cells(card: str) -> list[list[str]]:
    html = MarkdownIt("commonmark").enable("table").render(card)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall("<tr>(.*?)</tr>", html, re.DOTALL)]


def test_every_figure_is_that_of_the_description():
    card = model_card(DESCRIPTION, 1234567, None)
    figures = (
        *("`pond`", "1.5 s", "16000 Hz", "`frog`, `Kröte`, `noise`", "40 clips", "20 of 24 epochs", "1 234 567"),
        *("Warning: class 'Kröte'", "**80.0%** of 10", "49.0% to 94.3%", "of 1.30 was fitted to 30", "0.0100 nats"),
        "2 of 10 test clips were answered wrongly",
    )
    assert [figure for figure in figures if figure not in card] == []
    assert cells(card) == []


def test_the_table_is_counted_by_hand_and_has_the_thresholds():
    answers = answered([0, 0, 1, 1], [[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]])
    card = model_card(DESCRIPTION, 1, answers)
    assert cells(card) == [
        ["Label", "Test clips", "Found", "Answers", "Right", "Threshold"],
        ["<code>frog</code>", "2", "50%", "1", "100%", "0.700"],
        ["<code>Kröte</code>", "2", "100%", "3", "67%", "-"],
        ["<code>noise</code>", "0", "-", "0", "-", "-"],
    ]
    assert re.search("commonest label .* 50.0%", card)
    assert "90.0%" in card


def test_what_was_not_measured_is_not_claimed():
    card = model_card(DESCRIPTION.model_copy(update={"calibration": UNFITTED, "background": None}), 1, None)
    assert not re.search("temperature of|Threshold|calibration error|False alarms", card)
    assert "Consistency" not in changed(jsd=None)
    untested = {"fold": "all", "accuracy": None, "accuracy_interval": None, "n_test_clips": 0, "jsd": None}
    assert "80.0%" not in changed(**untested)
    expected = Expectation(accuracy=0.75, standard_error=None, n_runs=1, folds=(1,), n_clips=8)
    assert "**75.0%** of 8 clips" in changed(**untested, expected=expected)


def test_several_labels_per_clip_have_a_table_and_a_mean_average_precision():
    answers = answered([[1, 1, 0], [0, 0, 0]], [[0.9, 0.4, 0.1], [0.6, 0.2, 0.1]])
    changes = {"task": "multi_label", "background": None, "calibration": UNFITTED}
    card = model_card(DESCRIPTION.model_copy(update=changes), 1, answers)
    assert [row[1:] for row in cells(card)[1:]] == [
        ["1", "100%", "2", "50%"],
        ["1", "0%", "0", "-"],
        ["0", "-", "0", "-"],
    ]
    assert re.search("mean average precision .* 100.0%", card)


def test_commands_are_code():
    step = "`cohear crossval` tests it on every clip."
    found = Verdict(1.0, 0.5, is_real=True, result="All found.", next_step=step)
    card = model_card(DESCRIPTION, 1, None, verdict=found)
    shown = MarkdownIt("commonmark").render(card)
    assert "<code>cohear crossval</code> tests" in shown


def test_names_are_shown_as_they_are_and_are_no_markup():
    about = PROVENANCE.model_copy(update={"dataset": "<img src=x>", "warnings": ("<b>*x*\n- y",)})
    changes = {"classes": HOSTILE, "calibration": UNFITTED, "background": None, "provenance": about}
    answers = answered([0, 1, 2], np.full((3, 3), 1 / 3).tolist())
    card = model_card(DESCRIPTION.model_copy(update=changes), 1, answers)
    assert [row[0] for row in cells(card)[1:]] == [
        "<code>a|b</code>",
        "<code>`c` &lt;b&gt;</code>",
        "<code>*frog* [x](y) # toad</code>",
    ]
    html = MarkdownIt("commonmark").enable("table").render(card)
    assert html.count("<h1>") == 1
    assert "<li>Warning: &lt;b&gt;*x* - y</li>" in html
    assert "<img" not in html


@pytest.mark.parametrize("method", ["none", "standard", "bda", "consistency"])
@pytest.mark.parametrize("transform", ["none", "combination", "noise(snr_db=0..20)+pitch"])
def test_every_way_of_training_is_said(method, transform):
    (sentence,) = re.findall(r"On 40 clips of `pond`, (.*?): ", changed(method=method, transform=transform))
    assert "{" not in sentence


CLASSES = ("frog", "Kröte", "noise")
METRICS = {"accuracy": 0.75, "n_clips": 4, "nll": 0.5, "jsd": 0.01, "jsd_own": 0.01, "fold": 1, "n_train_clips": 12}
METRICS |= {"n_validation_clips": 0, "kept_epoch": 1, "warnings": [], "data_notes": []}


def write_run(folder: Path, settings: tuple[str, ...] = (), task: str = "single_label") -> Path:
    """Write the three files of a finished run that cannot be missing; its weights were drawn."""
    words = ("data.clip_s=0.6", *TINY, *settings)
    config = configure(dict(parse_override(text) for text in words), "small")
    record = Record(
        config=config,
        model="Combination-CL",
        identity="1" * 16,
        experiment="2" * 16,
        numerics=2,
        data_path="/home/somebody/pond",
        dataset="pond",
        data_fingerprint="0" * 32,
        classes=CLASSES,
        task=task,
        track="end",
    )
    Run(folder).write_record(record)
    network = VGG(len(CLASSES), config.network.width, generator=torch.Generator().manual_seed(1))
    save_weights(folder / "model.safetensors", network, {"identity": record.identity})
    (folder / "metrics.json").write_text(json.dumps(METRICS))
    return folder


def pack(run: Path, to: Path) -> Path:
    to.write_bytes(pack_run(run).to_bytes())
    return to


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_a_packed_run_answers_exactly_as_the_run(tmp_path, task):
    settings = ("data.short=repeat", "data.background=noise")
    run = write_run(tmp_path / "run", settings, task)
    write_calibration(run, Calibration(1.7, {"frog": Threshold(0.4, 0.9, 0.5, 12)}, 0.9, 30))
    there, packed = cohear.load(run), cohear.load(pack(run, tmp_path / "frogs.cohear"))
    waveforms = np.random.default_rng(0).uniform(-1, 1, (3, round(0.6 * SAMPLE_RATE))).astype(np.float32)
    assert np.array_equal(packed.probabilities(waveforms), there.probabilities(waveforms))
    soundfile.write(tmp_path / "a.wav", np.tile(waveforms.ravel(), 3), 2 * SAMPLE_RATE)
    assert packed.predict(tmp_path / "a.wav", top=3) == there.predict(tmp_path / "a.wav", top=3)
    assert packed.about == there.about
    assert packed.classes == CLASSES


def test_equal_runs_give_equal_bytes_and_nobody_s_folders(tmp_path):
    first = pack_run(write_run(tmp_path / "first", ("training.initial_run=/home/somebody/run",))).to_bytes()
    assert pack_run(write_run(tmp_path / "second")).to_bytes() == first
    assert b"somebody" not in first
    own = "reverb(bank='/home/somebody/my rooms'),masking"
    run = Run(write_run(tmp_path / "third", (f"views.transform={own}",)))
    run.write_record(replace(run.record, model=f"{run.config.views.transform}-CL"))
    assert "somebody" in Run(run.folder).record.model
    packed = pack_run(run.folder)
    assert b"somebody" not in packed.to_bytes()
    assert packed.description.provenance is not None
    assert packed.description.provenance.transform == "reverb,masking"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("metrics.json", json.dumps({**METRICS, "n_train_clips": "many"})),
        ("model.safetensors", None),
        ("metrics.json", None),
    ],
)
def test_a_run_with_damaged_or_missing_files_is_refused(tmp_path, file, content):
    run = write_run(tmp_path / "run")
    if content is None:
        (run / file).unlink()
    else:
        (run / file).write_text(content)
    with pytest.raises(UserError, match=str(run)):
        pack_run(run)


def test_answers_of_another_run_and_weights_that_are_no_numbers_are_refused(tmp_path):
    run = write_run(tmp_path / "run")
    answers = round_predictions(CLASSES, ("a",), ("",), np.array([0]), np.array([0]), np.zeros((1, 3)), np.zeros(1))
    write_predictions(run, answers)
    with pytest.raises(UserError, match="another run"):
        pack_run(run)
    weights, about = unseal((run / "model.safetensors").read_bytes())
    weights["head.bias"][0] = np.nan
    (run / "model.safetensors").write_bytes(seal(weights, about))
    with pytest.raises(UserError, match=r"head\.bias"):
        pack_run(run)
