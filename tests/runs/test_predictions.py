"""What a run keeps of its answers: rounded, whole, equal bytes for equal answers, and refused in words when damaged."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save

from cohear.errors import UserError
from cohear.metrics.tasks import MULTI_LABEL, SINGLE_LABEL
from cohear.runs.predictions import (
    PREDICTIONS,
    TABLE,
    VALIDATION,
    Predictions,
    read_predictions,
    round_predictions,
    write_predictions,
    write_table,
)

CLASSES = ("bird", 'dog, "barking"', "Hühner")
PATHS = ("a/1.wav", "a/2.wav#0.5-1.5", "Straße/3.wav", "b.wav")


def answered(**changes) -> Predictions:
    logits = np.random.default_rng(0).normal(size=(4, 3)) * 5
    said = (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)
    groups, jsd = ("1", "2", "", "4"), np.array([0.0, 1e-6, 0.01, 1.0])
    given = round_predictions(CLASSES, PATHS, groups, np.array([0, 1, 2, 2]), said.argmax(1), said, jsd)
    return replace(given, **changes)


def test_what_is_written_is_read_again_from_equal_bytes(tmp_path):
    given = answered()
    write_predictions(tmp_path, given)
    read = read_predictions(tmp_path)
    for name, value in vars(given).items():
        assert np.array_equal(getattr(read, name), value), name
    assert read.task is SINGLE_LABEL
    assert read.correct.tolist() == (given.predicted == [0, 1, 2, 2]).tolist()
    assert (read.log_probabilities.dtype, read.jsd.dtype) == (np.float16, np.float16)
    first = (tmp_path / PREDICTIONS).read_bytes()
    write_predictions(tmp_path, answered())
    assert (tmp_path / PREDICTIONS).read_bytes() == first
    write_predictions(tmp_path, answered(groups=("", "", "", "")))
    assert (tmp_path / PREDICTIONS).read_bytes() != first


def test_rounding_changes_no_answer_and_keeps_numbers(tmp_path):
    close = np.array([[-1.0, -1.0 + 1e-6, -3.0], [-1.0 + 1e-6, -1.0, -3.0], [0.0, -1e6, -np.inf]])
    kept = round_predictions(CLASSES, PATHS[:3], ("",) * 3, np.array([1, 1, 0]), close.argmax(1), close, np.zeros(3))
    write_predictions(tmp_path, kept)
    read = read_predictions(tmp_path)
    assert np.array_equal(read.log_probabilities[:2, 0], read.log_probabilities[:2, 1])
    assert read.predicted.tolist() == [1, 0, 0]
    assert np.exp(read.log_probabilities[2].astype(np.float64)).tolist() == [1, 0, 0]


def test_the_table_is_rendered_from_the_file(tmp_path):
    given = answered()
    write_predictions(tmp_path, given)
    write_table(tmp_path, read_predictions(tmp_path))
    rows = list(csv.DictReader((tmp_path / TABLE).read_text("utf-8").splitlines()))
    assert [row["path"] for row in rows] == list(PATHS)
    assert [row["label"] for row in rows] == [CLASSES[0], CLASSES[1], CLASSES[2], CLASSES[2]]
    assert [row["predicted"] for row in rows] == [CLASSES[index] for index in given.predicted]
    assert [row["correct"] == "1" for row in rows] == given.correct.tolist()
    for row in rows:
        assert row["probability"] == row[f"p:{row['predicted']}"]
        assert sum(float(row[f"p:{name}"]) for name in CLASSES) == pytest.approx(1, abs=4e-3)


def test_several_labels_are_kept_and_written_as_sets(tmp_path):
    targets = np.array([[1, 0, 1], [0, 0, 0]], np.float32)
    said = np.log(np.array([[0.9, 0.2, 0.7], [0.1, 0.6, 0.1]]))
    decided = (said > np.log(0.5)).astype(np.int64)
    write_predictions(
        tmp_path, round_predictions(CLASSES, PATHS[:2], PATHS[:2], targets, decided, said, np.zeros(2)), VALIDATION
    )
    kept = read_predictions(tmp_path, VALIDATION)
    assert kept.task is MULTI_LABEL
    assert kept.correct.tolist() == [True, False]
    write_table(tmp_path, kept)
    first, second = csv.DictReader((tmp_path / TABLE).read_text("utf-8").splitlines())
    assert first["label"] == first["predicted"] == f"{CLASSES[0]};{CLASSES[2]}"
    assert (second["label"], second["predicted"], second["probability"]) == ("", CLASSES[1], "")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:60],
        lambda content: content[:-1],
        lambda content: b"\x80\x04K\x01.",  # a pickle
        lambda content: b"\xff" * 8 + content[8:],
        lambda content: content.replace(b'"clips"', b'"clipz"'),
        lambda content: content.replace(b"classes", b"clazzes"),
        lambda content: content.replace(b'[\\"bird', b'[[\\"bird'),
        lambda content: content.replace("Hühner".encode(), b"H\xff\xffhner"),
        *(lambda content, i=i: content[:i] + bytes([content[i] ^ 4]) + content[i + 1 :] for i in range(0, 60, 15)),
    ],
    ids=range(13),
)
def test_a_damaged_file_is_named(tmp_path, damage):
    write_predictions(tmp_path, answered())
    file = tmp_path / PREDICTIONS
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(UserError) as refused:
        read_predictions(tmp_path)
    assert str(file) in str(refused.value)
    assert "--resume" in str(refused.value)
    assert "\n" not in str(refused.value)


WHOLE = {
    "labels": np.array([0, 1, 2, 2], np.int32),
    "predicted": np.array([0, 1, 2, 0], np.int32),
    "log_probabilities": np.full((4, 3), -1.1, np.float16),
    "jsd": np.zeros(4, np.float16),
}


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": np.zeros(3, np.int32)},
        {"log_probabilities": np.zeros((4, 2), np.float16)},
        {"predicted": np.zeros((4, 1), np.int32)},
        {"jsd": np.zeros(5, np.float16)},
        {"labels": np.array([0, 1, 2, 3], np.int32)},
        {"predicted": np.array([0, 1, 2, -1], np.int32)},
        {"log_probabilities": np.full((4, 3), np.nan, np.float16)},
        {"jsd": np.array([0, 1, 2, np.inf], np.float16)},
        {"groups": ["1"]},
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, changes):
    def write(values):
        text = {"classes": CLASSES, "paths": PATHS, "groups": values.pop("groups")}
        (tmp_path / PREDICTIONS).write_bytes(save(values, {"clips": json.dumps(text)}))

    whole = {**WHOLE, "groups": ["1", "2", "3", "4"]}
    write(dict(whole))
    assert read_predictions(tmp_path).correct.tolist() == [True, True, True, False]
    write({**whole, **changes})
    with pytest.raises(UserError, match="is damaged"):
        read_predictions(tmp_path)
