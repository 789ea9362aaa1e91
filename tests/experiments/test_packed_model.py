"""A packed file holds what was packed, in equal bytes, and whatever is wrong with one is refused in a sentence."""

import contextlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from cohear.errors import UserError
from cohear.experiments.config import NetworkConfig
from cohear.experiments.packed_model import MAX_FILE_BYTES, parse_packed, read_packed
from cohear.experiments.weight_shapes import weight_shapes
from cohear.models import VGG
from made_models import DESCRIPTION, make_model

MODEL, WEIGHTS, CARD = "model.json", "weights.safetensors", "README.md"
Entries = dict[str, bytes]
DATA = make_model().to_bytes()


def unzip(data: bytes) -> Entries:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(entries: Entries | list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries.items() if isinstance(entries, dict) else entries:
            archive.writestr(name, content)
    return file.getvalue()


def test_what_was_packed_is_read_again_from_equal_bytes(tmp_path):
    (tmp_path / "frogs.cohear").write_bytes(DATA)
    given, there = make_model(), read_packed(tmp_path / "frogs.cohear")
    assert there.description == given.description
    assert there.card == given.card
    assert {name: array.tobytes() for name, array in there.weights.items()} == {
        name: array.tobytes() for name, array in given.weights.items()
    }
    assert there.to_bytes() == given.to_bytes() == DATA
    assert there.description.model_copy(update={"clip_s": 1.6}) != given.description


def test_other_zip_programs_read_it_and_what_they_write_is_read(tmp_path):
    assert list(unzip(DATA)) == [MODEL, WEIGHTS, CARD]
    again = zipped({**unzip(DATA), CARD: b"# With a license\n"})
    assert parse_packed(again, "again.cohear").card == "# With a license\n"


def test_keys_are_those_of_format_1():
    """Whoever changes them raises the format, and keeps reading files of this one."""
    values = json.loads(unzip(DATA)[MODEL])
    sections = {name: set(value) for name, value in values.items() if isinstance(value, dict)}
    assert values["format"] == 1
    assert set(values) == {
        *("format", "classes", "sample_rate", "clip_s", "short", "multi_label", "background"),
        *("front_end", "network", "calibration", "provenance"),
    }
    assert sections["front_end"] == {"n_fft", "hop_length", "n_mels", "f_min", "f_max"}
    assert sections["network"] == {"width", "pooling", "global_pooling", "normalize_input"}
    assert sections["calibration"] == {"temperature", "thresholds", "precision", "n_clips"}
    assert set(values["calibration"]["thresholds"]["frog"]) == {"probability", "precision", "recall", "n_answers"}


@pytest.mark.parametrize(("width", "n_classes", "normalizes"), [(1 / 4, 50, True), (1 / 8, 3, False), (0.01, 1, True)])
def test_weights_that_are_expected_are_those_of_the_network(width, n_classes, normalizes):
    state = VGG(n_classes, width, normalize_input=normalizes).state_dict()
    there = {name: (tuple(tensor.shape), tensor.numpy().dtype) for name, tensor in state.items()}
    assert weight_shapes(NetworkConfig(width=width, normalize_input=normalizes), n_classes) == there


@pytest.mark.slow
def test_reading_imports_no_torch():
    code = "import sys, cohear.experiments.packed_model; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "False\n"


def refused(data: bytes) -> str:
    with pytest.raises(UserError) as error:
        parse_packed(data, "frogs.cohear")
    message = str(error.value)
    assert message.startswith("'frogs.cohear' ")
    assert "\n" not in message
    return message


def twice(entries: Entries) -> bytes:
    with pytest.warns(UserWarning, match="Duplicate name"):
        return zipped([*entries.items(), (CARD, b"another")])


def patched(name: str, offset: int, value: bytes) -> Callable[[Entries], bytes]:
    """Change a field of an entry's record in the central directory."""

    def change(entries: Entries) -> bytes:
        data = bytearray(zipped(entries))
        record = data.rindex(name.encode()) - 46
        assert data[record : record + 4] == b"PK\x01\x02"
        data[record + offset : record + offset + len(value)] = value
        return bytes(data)

    return change


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda e: b"", "it is no zip file"),
        (lambda e: b"\x80\x04K\x01.", "it is no zip file"),  # a pickle
        (lambda e: zipped(e)[:-1], "it is no zip file"),
        (lambda e: zipped(e)[:2000], "it is no zip file"),
        (lambda e: zipped(e)[9:], "it is no zip file"),
        (lambda e: zipped(e).replace("# Frösche".encode(), b"# Froesch"), "it is no zip file"),  # the checksum
        (lambda e: zipped(e, zipfile.ZIP_DEFLATED), "its 'model.json' is compressed or encrypted"),
        (patched(MODEL, 8, b"\x01"), "its 'model.json' is compressed or encrypted"),
        (patched(MODEL, 24, b"\xff\xff\xff\x7f"), "its 'model.json' claims a size that it cannot have"),
        (patched(MODEL, 20, b"\xff\xff\xff\x7f" * 2), "its 'model.json' claims a size that it cannot have"),
        (twice, "it has 'README.md' twice"),
        (lambda e: zipped({**e, "../README.md": b""}), "it has an entry '../README.md', which is no plain file name"),
        (lambda e: zipped({**e, "/etc/passwd": b""}), "it has an entry '/etc/passwd', which is no plain file name"),
        (lambda e: zipped({**e, "a\nb.md": b""}), r"it has an entry 'a\nb.md', which is no plain file name"),
        (lambda e: zipped({**e, "code.py": b""}), "it has an unknown entry 'code.py'"),
        (lambda e: zipped({**e, **{f"a{i}.md": b"" for i in range(20)}}), "it has 23 entries, more than 16"),
        (lambda e: zipped(e) + b"PK\x01\x02" * 1001, "it has more entries than 16"),
        *((lambda e, n=n: zipped({k: v for k, v in e.items() if k != n}), f"it has no '{n}'") for n in unzip(DATA)),
        (lambda e: zipped({**e, CARD: b"\xff"}), "its 'README.md' is no text"),
        (lambda e: zipped({**e, CARD: bytes(2**22 + 1)}), "its 'README.md' is larger than"),
        (lambda e: zipped({**e, MODEL: bytes(2**22 + 1)}), "its 'model.json' is larger than"),
        (lambda e: zipped({**e, MODEL: b"{"}), "its 'model.json' is no JSON"),
        (lambda e: zipped({**e, MODEL: b"[" * 10**5}), "its 'model.json' is no JSON"),
        (lambda e: zipped({**e, MODEL: b"[1]"}), "its 'model.json' names no format"),
        (lambda e: zipped({**e, MODEL: json.dumps([0] * 100_001).encode()}), "has more than 100000 values"),
        (lambda e: zipped({**e, WEIGHTS: e[WEIGHTS][:-1]}), "its 'weights.safetensors' is damaged"),
        (lambda e: zipped({**e, WEIGHTS: b""}), "its 'weights.safetensors' is damaged"),
    ],
)
def test_a_file_that_is_no_whole_plain_archive_is_refused(spoil, reason):
    message = refused(spoil(unzip(DATA)))
    assert f"is no packed model that can be used ({reason}" in message or reason in message
    assert message.endswith("copy it again, or make it anew by `cohear pack`")


LONG_WINDOWS = {"n_fft": 1 << 17, "hop_length": 1, "n_mels": 16, "f_min": 0.0, "f_max": None}


def with_value(place: str, value: Any) -> bytes:
    """Change a value of `model.json`; `...` removes it."""
    entries = unzip(DATA)
    values = json.loads(entries[MODEL])
    *sections, name = place.split(".")
    target = values
    for section in sections:
        target = target[section]
    target[name] = value
    if value is ...:
        del target[name]
    return zipped({**entries, MODEL: json.dumps(values).encode()})


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        ("colour", "red", "'colour': extra inputs are not permitted"),
        ("front_end.colour", "red", "'front_end.colour': extra inputs"),
        ("calibration.colour", "red", "'calibration.colour': unexpected"),
        ("clip_s", ..., "'clip_s': field required"),
        ("front_end.n_mels", ..., "its 'model.json' has no 'front_end.n_mels'"),
        ("calibration.temperature", ..., "its 'model.json' has no 'calibration.temperature'"),
        ("classes", "frog", "'classes': input should be a valid array"),
        ("classes", [], "'classes'"),
        ("classes", ["frog", 3, "noise"], "'classes.1': input should be a valid string"),
        ("classes", ["frog", " ", "noise"], "a label is blank"),
        ("classes", ["frog", "noise", "frog"], "the label 'frog' is there 2 times"),
        ("classes", ["frog", "noise"], "weight 'linear.weight' is float32 [3, 16], and the network"),
        ("background", "silence", "the background 'silence' is no label"),
        ("sample_rate", "16000", "'sample_rate': input should be a valid integer"),
        ("sample_rate", 4000, "'sample_rate': input should be greater"),
        ("clip_s", float("nan"), "'clip_s': input should be"),
        ("clip_s", 1e9, "'clip_s': input should be less"),
        ("multi_label", 1, "'multi_label': input should be a valid boolean"),
        ("front_end.n_fft", 2**40, "'front_end.n_fft': input should be less than or equal to 131072"),
        ("front_end", LONG_WINDOWS, "the spectrogram of a clip takes more than 1 GiB"),
        ("front_end.n_mels", 2**40, "the spectrogram of a clip takes more than 1 GiB"),
        ("front_end.hop_length", 0, "'front_end.hop_length': input should be greater"),
        ("network.width", 1e300, "'network.width': input should be less than or equal to 64"),
        ("network.pooling", "median", "'network.pooling': input should be 'max' or 'average'"),
        ("calibration.temperature", 0.0, "'calibration': a calibration's temperature"),
        ("calibration.temperature", float("inf"), "'calibration.temperature': input should be a finite number"),
        ("calibration.thresholds.toad", {}, "'calibration.thresholds.toad.probability'"),
        ("calibration.thresholds.frog.probability", 1.5, "'calibration': a calibration's temperature"),
        ("provenance.accuracy", 82.5, "'provenance.accuracy': input should be less"),
        ("provenance.warnings", [1], "'provenance.warnings.0': input should be a valid string"),
    ],
)
def test_a_description_of_the_wrong_shape_is_refused(place, value, reason):
    assert reason in refused(with_value(place, value))


def test_a_threshold_of_no_label_is_refused():
    given = with_value("calibration.thresholds.toad", {"probability": 1, "precision": 1, "recall": 1, "n_answers": 1})
    assert "there is a threshold for 'toad', which is no label" in refused(given)


def test_a_newer_format_is_told_from_a_damaged_file():
    values = {"format": 2, "layers": []}
    message = refused(zipped({MODEL: json.dumps(values).encode(), "layers.json": b""}))
    assert message == (
        "'frogs.cohear' has a newer format than 1, which this version of cohear reads; install a newer cohear"
    )
    assert "'format': input should be 1" in refused(with_value("format", 0))
    assert "names no format" in refused(with_value("format", "1"))
    assert "names no format" in refused(with_value("format", ...))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"linear.bias": None}, "its weights lack 'linear.bias'"),
        ({"linear.scale": np.zeros(3, np.float32)}, "its weights have an unknown 'linear.scale'"),
        ({"linear.bias": np.zeros(4, np.float32)}, "its weight 'linear.bias' is float32 [4], and the network that is"),
        ({"linear.bias": np.zeros(3)}, "its weight 'linear.bias' is float64 [3]"),
        ({"linear.bias": np.zeros(3, np.float16)}, "its weight 'linear.bias' is float16 [3]"),
        ({"linear.bias": np.array([0, np.nan, 0], np.float32)}, "its weight 'linear.bias' is not finite"),
        ({"linear.bias": np.array([0, np.inf, 0], np.float32)}, "its weight 'linear.bias' is not finite"),
        ({"input_norm.running_var": np.array([-1], np.float32)}, "its variance 'input_norm.running_var' is negative"),
    ],
)
def test_weights_of_another_network_are_refused(changes, reason):
    entries = unzip(DATA)
    weights = {name: array for name, array in (load(entries[WEIGHTS]) | changes).items() if array is not None}
    assert reason in refused(zipped({**entries, WEIGHTS: save(weights)}))


def test_a_type_that_numpy_has_not_is_refused():
    entries = unzip(DATA)
    single, half = b'"linear.bias":{"dtype":"F32","shape":[3]', b'"linear.bias":{"dtype":"BF16","shape":[6]'
    halves = entries[WEIGHTS].replace(single, half)
    length = int.from_bytes(halves[:8], "little") + len(halves) - len(entries[WEIGHTS])
    message = refused(zipped({**entries, WEIGHTS: length.to_bytes(8, "little") + halves[8:]}))
    assert "its 'weights.safetensors' is damaged" in message


def test_whatever_bytes_are_changed_it_is_read_or_refused_in_a_sentence():
    random = np.random.default_rng(0)
    tail = len(unzip(DATA)[CARD]) + 400
    for _ in range(300):
        data = bytearray(DATA)
        places = random.integers(0, 3000, 2) if random.random() < 0.5 else len(data) - random.integers(1, tail, 2)
        for place in places:
            data[place] = random.choice([0, 1, 0x7F, 0xFF, int(random.integers(256))])
        with contextlib.suppress(UserError):
            there = parse_packed(bytes(data), "frogs.cohear")
            assert (there.description, there.card) == (DESCRIPTION, "# Frösche\n")


def test_a_path_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.cohear' does not exist; give a file that `cohear pack` made"):
        read_packed(tmp_path / "nowhere.cohear")
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\)"):
        read_packed(tmp_path)
    huge = tmp_path / "huge.cohear"
    with huge.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)  # takes no room on the disk
    with pytest.raises(UserError, match=r"has 1073741825 bytes, and at most 1073741824 are read"):
        read_packed(Path(huge))
