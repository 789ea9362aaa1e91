"""A packed file holds what was packed, in equal bytes, and whatever is wrong with one is refused in a sentence."""

import contextlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohear.errors import UserError
from cohear.runs.config import Config
from cohear.runs.trained_model import MAX_FILE_BYTES, TrainedModel, parse_packed, read_packed
from cohear.runtime.sealed_tensors import seal, unseal
from made_models import DESCRIPTION, PROVENANCE, make_model

CARD = "# Frösche\n"
DATA = make_model().to_bytes()


def refused(data: bytes) -> str:
    with pytest.raises(UserError) as error:
        parse_packed(data, "frogs.cohear")
    message = str(error.value)
    assert message.startswith("'frogs.cohear' ")
    assert "\n" not in message
    return message


def with_value(place: str, value: Any) -> bytes:
    """Change a value of the description; `...` removes it."""
    weights, about = unseal(DATA)
    *sections, name = place.split(".")
    target = about["description"]
    for section in sections:
        target = target[section]
    target[name] = value
    if value is ...:
        del target[name]
    return seal(weights, about)


def test_what_was_packed_is_read_again_from_equal_bytes(tmp_path):
    (tmp_path / "frogs.cohear").write_bytes(DATA)
    given, there = make_model(), read_packed(tmp_path / "frogs.cohear")
    assert there.description == given.description
    assert there.card == given.card == CARD
    assert {name: array.tobytes() for name, array in there.weights.items()} == {
        name: array.tobytes() for name, array in given.weights.items()
    }
    assert there.to_bytes() == given.to_bytes() == DATA


@pytest.mark.parametrize(
    "data",
    [
        b"",
        pickle.dumps(print),
        b"PK\x03\x04" + bytes(100),
        DATA[:-1],
        DATA[:2000],
        DATA + b"more",
        DATA.replace(b"frog", b"from"),
        DATA[:-40] + bytes([DATA[-40] ^ 1]) + DATA[-39:],
        seal({}, {"description": {}}),
        seal(unseal(DATA)[0], [1]),
        seal(unseal(DATA)[0], {"description": "x", "card": ""}),
        with_value("format", "2"),
        with_value("format", 1),
        with_value("classes", ["x"] * 200_000),
    ],
    ids=range(14),
)
def test_what_is_no_whole_packed_file_is_refused(data):
    assert "`cohear pack`" in refused(data)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("colour", "red"),
        ("front_end.colour", "red"),
        ("clip_s", ...),
        ("classes", []),
        ("classes.1", 3),
        ("classes", ["frog", " ", "noise"]),
        ("classes", ["frog", "noise", "frog"]),
        ("background", "silence"),
        ("sample_rate", "16000"),
        ("task", "guess"),
        ("sample_rate", 4000),
        ("clip_s", 1e9),
        ("front_end", {"n_fft": 1 << 17, "hop_length": 1}),
        ("front_end.n_mels", 2**40),
        ("front_end.hop_length", 0),
        ("network.name", "vgh"),
        ("network.width", 1e300),
        ("network.width", 64.0),
        ("network.pooling", "median"),
        ("calibration.temperature", 0.0),
        ("calibration.thresholds.frog.probability", 1.5),
        ("calibration.thresholds.toad", {"probability": 1, "precision": 1, "recall": 1, "n_answers": 1}),
        ("provenance.accuracy", 82.5),
        ("provenance.warnings", [1]),
    ],
)
def test_a_description_out_of_range_is_refused(place, value):
    if place == "classes.1":
        place, value = "classes", ["frog", value, "noise"]
    assert refused(with_value(place, value))


def test_a_newer_format_is_told_from_a_damaged_file():
    assert "newer cohear" in refused(with_value("format", 4))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("head.bias", None),
        ("head.scale", np.zeros(3, np.float32)),
        ("head.bias", np.zeros(4, np.float32)),
        ("head.bias", np.zeros(3)),
        ("head.bias", np.array([0, np.nan, 0], np.float32)),
        ("head.bias", np.array([0, np.inf, 0], np.float32)),
    ],
)
def test_weights_of_another_network_are_refused_by_name(name, array):
    weights, about = unseal(DATA)
    changed = {there: value for there, value in (weights | {name: array}).items() if value is not None}
    assert name in refused(seal(changed, about))
    with pytest.raises(ValueError, match=name):
        TrainedModel(DESCRIPTION, changed)


def test_whatever_bytes_are_changed_it_is_read_or_refused_in_a_sentence():
    random = np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(DATA)
        for place in random.integers(0, 6000 if random.random() < 0.5 else len(data), 2):
            data[place] = random.choice([0, 1, 0x7F, 0xFF, int(random.integers(256))])
        with contextlib.suppress(UserError):
            there = parse_packed(bytes(data), "frogs.cohear")
            assert (there.description, there.card) == (DESCRIPTION, CARD)


def test_a_path_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "folder").mkdir()
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)  # takes no room on the disk
    for name in ("nowhere", "folder", "huge"):
        with pytest.raises(UserError, match=name):
            read_packed(Path(tmp_path / name))


@pytest.mark.parametrize(
    ("of", "fold", "said"),
    [
        ({}, 1, None),
        ({}, 2, "the test clips of fold 2"),
        ({}, "all", None),
        ({"fold": "all"}, 1, "the test clips of fold 1"),
        ({"data_fingerprint": "2" * 32}, 1, "clips of 'pond'"),
        ({"initial_weights": "3" * 32}, 1, "the weights that they began with themselves"),
    ],
)
def test_a_run_that_begins_with_weights_which_may_know_its_test_clips_says_so(of, fold, said):
    model = make_model(provenance=PROVENANCE.model_copy(update=of))
    warning = model.heard_test_clips(Config(fold=fold), "0" * 32)
    assert warning is None if said is None else said in (warning or "")
