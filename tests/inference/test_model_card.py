"""The model card says what the folder says, in Markdown that another program reads as it was meant."""

import re

import numpy as np
import pytest
from markdown_it import MarkdownIt

from cohear.evaluation.calibration import UNFITTED
from cohear.experiments.packed_description import Expectation
from cohear.experiments.predictions import Predictions, round_predictions
from cohear.inference.model_card import model_card
from made_models import DESCRIPTION, PROVENANCE

HOSTILE = ("a|b", "`c` <b>", "*frog* [x](y)\n# toad")


def answered(labels: list[int] | list[list[float]], probabilities: list[list[float]]) -> Predictions:
    n_clips = len(labels)
    truth = np.array(labels, np.float32 if isinstance(labels[0], list) else np.int64)
    said, names = np.log(np.array(probabilities)), tuple(map(str, range(n_clips)))
    return round_predictions(DESCRIPTION.classes, names, names, truth, said, np.zeros(n_clips))


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
    assert "# `pond`: a classifier of 3 sounds" in card
    assert "windows of 1.5 s, one channel at 16000 Hz" in card
    assert "`frog`, `Kröte`, `noise`." in card
    assert "`noise` stands for 'none of these'." in card
    assert "On 40 clips of `pond`, each together with views of it shifted in pitch or heard in rooms, to" in card
    assert "21 of 24 epochs, after which the validation loss was lowest" in card
    assert "1 234 567 parameters" in card
    assert "- Warning: class 'Kröte' has no test clips\n" in card
    assert "**80.0%** of 10 test clips were answered rightly; 95% interval 49.0% to 94.3%" in card
    assert "a temperature of 1.3, fitted on 30 validation clips" in card
    assert "0.0100 nats" in card
    assert "2 of 10 test clips were answered wrongly" in card
    assert "for its owner to say" in card
    assert "cohear 0.1.0" in card
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
    assert "commonest label would be right for 50.0%" in card
    assert "that were at least so probable, 90.0% or more were right" in card
    shown = [np.array(row) ** (1 / 1.3) for row in ([0.7, 0.2, 0.1], [0.1, 0.8, 0.1])]  # softmax of logits over T
    sure, surer = (row.max() / row.sum() for row in shown)
    assert f"a mean probability of {50 * (sure + surer):.1f}%" in card


def test_what_was_not_measured_is_not_claimed():
    card = model_card(DESCRIPTION.model_copy(update={"calibration": UNFITTED, "background": None}), 1, None)
    assert "every window gets one of them, whatever is heard in it" in card
    assert "There were no validation clips, so nothing was fitted" in card
    assert "they were not calibrated" in card
    assert not re.search("temperature|Threshold|calibration error|False alarms", card)
    assert "Consistency" not in changed(jsd=None)
    assert "reached its threshold 3.5 times an hour" in changed(false_alarms_per_hour=3.5)
    assert ", 24 epochs," in changed(kept_epoch=23).replace("\n", " ")


def test_a_model_that_was_trained_on_every_clip_quotes_the_cross_validation():
    untested = {"fold": "all", "accuracy": None, "accuracy_interval": None, "n_test_clips": 0, "jsd": None}
    assert "It was not tested" in changed(**untested)
    expected = Expectation(accuracy=0.75, standard_error=None, n_runs=1, folds=(1,), n_clips=8)
    card = changed(**untested, expected=expected)
    assert "were right on **75.0%** of 8 clips that they had not heard." in card
    assert "left out of the runs of a\ncross-validation" in card
    assert "answered wrongly" not in card


def test_several_labels_per_clip_have_a_table_and_a_mean_average_precision():
    answers = answered([[1, 1, 0], [0, 0, 0]], [[0.9, 0.4, 0.1], [0.6, 0.2, 0.1]])
    changes = {"multi_label": True, "background": None, "calibration": UNFITTED}
    card = model_card(DESCRIPTION.model_copy(update=changes), 1, answers)
    assert [row[1:] for row in cells(card)[1:]] == [
        ["1", "100%", "2", "50%"],
        ["1", "0%", "0", "-"],
        ["0", "-", "0", "-"],
    ]
    assert "mean average precision over labels is 100.0%" in card
    assert "several may be true of a window, or none" in card
    assert "were given exactly their labels" in card
    assert not re.search("every window gets|none of these", card)
    assert "none of these were among" in model_card(
        DESCRIPTION.model_copy(update=changes | {"background": "quiet"}), 1, None
    )


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
@pytest.mark.parametrize("transform", ["none", "pitch", "reverb", "masking", "combination"])
def test_every_way_of_training_is_said(method, transform):
    (sentence,) = re.findall(r"On 40 clips of `pond`, (.*?): ", changed(method=method, transform=transform))
    assert "{" not in sentence
