"""What a run keeps of its answers: rounded, whole, equal bytes for equal answers, and refused in words when damaged."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from cohear.errors import UserError
from cohear.experiments.predictions import (
    PREDICTIONS,
    TABLE,
    VALIDATION,
    Predictions,
    join_predictions,
    read_predictions,
    round_predictions,
    write_predictions,
    write_table,
)

CLASSES = ("bird", 'dog, "barking"', "Hühner")
PATHS = ("a/1.wav", "a/2.wav#0.5-1.5", "Straße/3.wav", "b.wav")


def answered(**changes) -> Predictions:
    logits = np.random.default_rng(0).normal(size=(4, 3)) * 5
    log_probabilities = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return replace(
        round_predictions(
            CLASSES,
            PATHS,
            ("1", "2", "", "4"),
            np.array([0, 1, 2, 2]),
            log_probabilities.astype(np.float32),
            np.array([0.0, 1e-6, 0.01, 1.0]),
        ),
        **changes,
    )


def test_what_is_written_is_read_again(tmp_path):
    given = answered()
    write_predictions(tmp_path, given)
    read = read_predictions(tmp_path)
    for name, value in vars(given).items():
        assert np.array_equal(getattr(read, name), value), name
    assert read.correct.tolist() == (given.predicted == [0, 1, 2, 2]).tolist()
    assert (read.log_probabilities.dtype, read.jsd.dtype) == (np.float16, np.float16)


def test_equal_answers_give_equal_bytes_and_others_do_not(tmp_path):
    found = []
    for name, predictions in (("a", answered()), ("b", answered()), ("c", answered(groups=("", "", "", "")))):
        (tmp_path / name).mkdir()
        write_predictions(tmp_path / name, predictions)
        found.append((tmp_path / name / PREDICTIONS).read_bytes())
    assert found[0] == found[1] != found[2]


def test_a_tie_that_rounding_makes_keeps_the_answer(tmp_path):
    close = np.array([[-1.0, -1.0 + 1e-6, -3.0], [-1.0 + 1e-6, -1.0, -3.0]])
    kept = round_predictions(CLASSES, ("a", "b"), ("", ""), np.array([1, 1]), close, np.zeros(2))
    write_predictions(tmp_path, kept)
    read = read_predictions(tmp_path)
    assert np.array_equal(read.log_probabilities[:, 0], read.log_probabilities[:, 1])
    assert read.predicted.tolist() == [1, 0]
    assert read.correct.tolist() == [True, False]


def test_a_probability_of_nothing_stays_a_number():
    said = np.array([[0.0, -1e6, -np.inf]])
    kept = round_predictions(CLASSES, ("a",), ("",), np.array([0]), said, np.zeros(1))
    assert np.isfinite(kept.log_probabilities).all()
    assert np.exp(kept.log_probabilities.astype(np.float64)).tolist() == [[1, 0, 0]]


def test_no_clips_are_no_error(tmp_path):
    none = round_predictions(CLASSES, (), (), np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros(0))
    write_predictions(tmp_path, none)
    assert read_predictions(tmp_path).paths == ()


def test_the_table_is_rendered_from_the_file(tmp_path):
    given = answered()
    write_predictions(tmp_path, given)
    write_table(tmp_path, read_predictions(tmp_path))
    text = (tmp_path / TABLE).read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["path"] for row in rows] == list(PATHS)
    assert [row["label"] for row in rows] == [CLASSES[0], CLASSES[1], CLASSES[2], CLASSES[2]]
    assert [row["predicted"] for row in rows] == [CLASSES[index] for index in given.predicted]
    assert [row["correct"] == "1" for row in rows] == given.correct.tolist()
    for row, index in zip(rows, given.predicted, strict=True):
        assert row["probability"] == row[f"p:{CLASSES[index]}"]
        assert sum(float(row[f"p:{name}"]) for name in CLASSES) == pytest.approx(1, abs=4e-3)


def test_several_labels_are_kept_and_written_as_sets(tmp_path):
    targets = np.array([[1, 0, 1], [0, 0, 0]], np.float32)
    said = np.log(np.array([[0.9, 0.2, 0.7], [0.1, 0.6, 0.1]]))
    given = round_predictions(CLASSES, PATHS[:2], PATHS[:2], targets, said, np.zeros(2))
    write_predictions(tmp_path, given, VALIDATION)
    kept = read_predictions(tmp_path, VALIDATION)
    assert kept.is_multi_label
    assert kept.correct.tolist() == [True, False]
    write_table(tmp_path, kept)
    first, second = csv.DictReader((tmp_path / TABLE).read_text("utf-8").splitlines())
    assert first["label"] == first["predicted"] == f"{CLASSES[0]};{CLASSES[2]}"
    assert (second["label"], second["predicted"], second["probability"]) == ("", CLASSES[1], "")


def test_parts_are_joined_in_their_order(tmp_path):
    given = answered()
    both = join_predictions([given, given])
    assert both.paths == given.paths * 2
    assert both.correct.tolist() == given.correct.tolist() * 2


def spoil(folder: Path, change) -> Path:
    write_predictions(folder, answered())
    file = folder / PREDICTIONS
    file.write_bytes(change(file.read_bytes()))
    return file


@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"",
        lambda content: content[:4],
        lambda content: content[:60],
        lambda content: content[:-1],
        lambda content: content + b"more",
        lambda content: b"\x80\x04K\x01.",  # a pickle
        lambda content: b"\xff" * 8 + content[8:],
        lambda content: content.replace(b'"clips"', b'"clipz"'),
        lambda content: content.replace(b"classes", b"clazzes"),
        lambda content: content.replace(b'"predicted"', b'"predicton"'),
        lambda content: content.replace(b'"F16"', b'"F61"'),
        lambda content: content.replace(b'[\\"bird', b'[[\\"bird'),
        lambda content: content.replace("Hühner".encode(), b"H\xff\xffhner"),
    ],
    ids=[
        *("empty", "cut in the length", "cut in the header", "cut", "longer", "pickle", "length", "no metadata"),
        *("no classes", "no answers", "unknown type", "no list", "no text"),
    ],
)
def test_a_damaged_file_is_named_in_one_sentence(tmp_path, change):
    file = spoil(tmp_path, change)
    with pytest.raises(UserError) as refused:
        read_predictions(tmp_path)
    assert str(refused.value).startswith(f"'{file}' is damaged (it ")
    assert str(refused.value).endswith(
        "): remove metrics.json beside it and go on with --resume, or leave the run out."
    )
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("position", range(0, 60, 7))
def test_a_flipped_bit_in_the_header_is_refused_or_of_no_account(tmp_path, position):
    spoil(tmp_path, lambda content: content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :])
    with pytest.raises(UserError, match="is damaged"):
        read_predictions(tmp_path)


WHOLE = {
    "labels": np.array([0, 1, 2, 2], np.int32),
    "predicted": np.array([0, 1, 2, 0], np.int32),
    "log_probabilities": np.full((4, 3), -1.1, np.float16),
    "jsd": np.zeros(4, np.float16),
}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": np.zeros(3, np.int32)}, "its labels do not fit 4 clips and 3 classes"),
        ({"log_probabilities": np.zeros((4, 2), np.float16)}, "its log_probabilities do not fit 4 clips and 3 classes"),
        ({"predicted": np.zeros((4, 1), np.int32)}, "its predicted do not fit 4 clips"),
        ({"jsd": np.zeros(5, np.float16)}, "its jsd do not fit 4 clips"),
        ({"labels": np.array([0, 1, 2, 3], np.int32)}, "its labels name a class that it has not"),
        ({"predicted": np.array([0, 1, 2, -1], np.int32)}, "its predicted name a class that it has not"),
        ({"log_probabilities": np.full((4, 3), np.nan, np.float16)}, "its log_probabilities hold what is no number"),
        ({"jsd": np.array([0, 1, 2, np.inf], np.float16)}, "its jsd hold what is no number"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, changes, reason):
    text = {"classes": CLASSES, "paths": PATHS, "groups": ["1", "2", "3", "4"]}
    (tmp_path / PREDICTIONS).write_bytes(save(WHOLE, {"clips": json.dumps(text)}))
    assert read_predictions(tmp_path).correct.tolist() == [True, True, True, False]
    (tmp_path / PREDICTIONS).write_bytes(save({**WHOLE, **changes}, {"clips": json.dumps(text)}))
    with pytest.raises(UserError) as refused:
        read_predictions(tmp_path)
    assert f"is damaged ({reason}" in str(refused.value)


def test_groups_of_other_clips_are_refused(tmp_path):
    text = {"classes": CLASSES, "paths": PATHS, "groups": ["1"]}
    (tmp_path / PREDICTIONS).write_bytes(save(WHOLE, {"clips": json.dumps(text)}))
    with pytest.raises(UserError, match=r"is damaged \(it has 1 groups for 4 clips\)"):
        read_predictions(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        UserError, match=r"predictions\.safetensors' is missing: remove metrics.json beside it and go on"
    ):
        read_predictions(tmp_path)
