"""Embeddings against numpy's, of encoders that take windows in every way; what is said of files that are none."""

import copy
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from cohear.errors import UserError
from cohear.models.encoder import Encoder
from cohear.models.encoder_facts import read_facts
from cohear.models.onnx_files import open_bytes, open_file
from made_encoders import FACTS, N_FEATURES, embedding, write_encoder

WAVEFORMS = (0.3 * np.random.default_rng(1).standard_normal((3, 4000))).astype(np.float32)
STARTS = (0, 1600, 2400)
"""Of the windows of 1600 samples; the last ends with the clip."""
YAMNET = Path(os.environ.get("COHEAR_YAMNET", ""))


def opened(path: Path, pooling: Any = "mean", **given: Any) -> Encoder:
    return Encoder(open_file(path), read_facts(path, given), pooling)


def expected(pooling: str = "mean") -> np.ndarray:
    of_windows = np.stack([embedding(WAVEFORMS[:, start : start + 1600]) for start in STARTS])
    return (of_windows.mean(0) if pooling == "mean" else of_windows.max(0))[..., None]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"shape": ("batch", 1600)},
        {"shape": (1, 1600)},
        {"shape": (4, "time")},
        {"shape": (1600,)},
        {"shape": ("time",)},
        {"shape": ("batch", 1, 1600)},
        {"shape": ("batch", "time"), "frames": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_windows_are_heard_however_they_are_taken_and_put_together(tmp_path, how, pooling):
    encoder = opened(write_encoder(tmp_path / "e.onnx", **how), pooling)
    heard = encoder(torch.from_numpy(WAVEFORMS))
    assert heard.shape == (3, N_FEATURES, 1)
    np.testing.assert_allclose(heard, expected(pooling), rtol=1e-4, atol=1e-6)
    stacked = encoder(torch.from_numpy(WAVEFORMS).expand(2, 3, 4000))  # any leading axes
    np.testing.assert_allclose(stacked[1], heard, rtol=1e-5)


def test_a_clip_is_filled_with_silence_up_to_a_window(tmp_path):
    encoder = opened(write_encoder(tmp_path / "e.onnx"))
    short = WAVEFORMS[:1, :700]
    padded = np.pad(short, ((0, 0), (0, 900)))
    np.testing.assert_allclose(encoder(torch.from_numpy(short))[..., 0], embedding(padded), rtol=1e-4, atol=1e-6)
    assert encoder.least_samples(1) == 1600


def test_peak_centers_and_scales_each_window_but_silence(tmp_path):
    encoder = opened(write_encoder(tmp_path / "e.onnx"), peak=0.25)
    windows = np.stack([WAVEFORMS[0, :1600] + 0.5, np.zeros(1600, np.float32)])
    centered = windows[0] - windows[0].mean()
    scaled = np.stack([0.25 * centered / np.abs(centered).max(), windows[1]])
    np.testing.assert_allclose(encoder(torch.from_numpy(windows))[..., 0], embedding(scaled), rtol=1e-3, atol=1e-6)


def test_what_is_kept_has_half_precision_and_numbers_beyond_it_are_refused(tmp_path):
    encoder = opened(write_encoder(tmp_path / "e.onnx"))
    heard = encoder(torch.from_numpy(WAVEFORMS))
    kept = encoder.to_kept(heard)
    assert kept.dtype == np.int16
    np.testing.assert_array_equal(encoder.from_kept(kept), heard.numpy().astype(np.float16).astype(np.float32))
    with pytest.raises(UserError, match="65504"):
        encoder.to_kept(heard + 1e5)


def test_facts_are_those_given_then_those_beside_then_those_inside(tmp_path):
    path = write_encoder(tmp_path / "e.onnx")
    facts = read_facts(path, {})
    assert (facts.sample_rate, facts.window, facts.n_features, facts.input) == (8000, 1600, N_FEATURES, "waveform")
    assert (facts.output, facts.peak, facts.license) == ("embedding", None, "MIT")
    (tmp_path / "e.json").write_text(json.dumps({"window": 800, "output": "other", "peak": 0.5}))
    facts = read_facts(path, {"window": None, "sample_rate": 8000})
    assert (facts.sample_rate, facts.window, facts.output, facts.peak) == (8000, 800, "other", 0.5)
    assert read_facts(path, {"window": 400}).window == 400
    (tmp_path / "e.json").write_text('{"sample_rate": 9000}')
    with pytest.raises(UserError, match="hears at 8000 Hz, and not at 9000 Hz"):
        read_facts(path, {})
    (tmp_path / "e.json").write_text('["frog", "toad"]')  # somebody's labels
    (tmp_path / "encoder.json").write_text('{"window": 1000}')
    assert read_facts(path, {}).window == 1000


def test_a_tensor_of_the_inside_can_be_the_embedding(tmp_path):
    path = write_encoder(tmp_path / "e.onnx")
    encoder = opened(path, output="filtered")  # [window, feature, time], of which the last axis counts
    assert encoder.n_bands == 1600 - 8
    assert encoder.facts.digest == open_file(path).digest


def test_names_of_opensoundscape_are_known_and_a_fixed_window_is_seen(tmp_path):
    of_others = {"sample_rate": "8000", "sample_duration": "0.2", "embedding_outputs_key": "embedding"}
    facts = read_facts(write_encoder(tmp_path / "a.onnx", facts=of_others), {})
    assert (facts.window, facts.output) == (1600, "embedding")
    of_file = {"sample_rate": "8000", "output": "embedding"}
    assert read_facts(write_encoder(tmp_path / "b.onnx", shape=("n", 1200), facts=of_file), {}).window == 1200


@pytest.mark.parametrize(
    ("how", "given", "said"),
    [
        ({"facts": {}}, {}, "data.sample_rate=N"),  # the output is guessed by its name
        ({}, {"output": "channel"}, "no 'channel'"),
        ({"facts": {"output": "embedding", "sample_rate": "8000"}}, {}, "encoder.window=N"),
        ({"facts": {**FACTS, "window": "many"}}, {}, "many"),
        ({"facts": {**FACTS, "sample_rate": "-1"}}, {}, "-1"),
        ({}, {"output": "embed"}, "embedding, other"),
        ({}, {"input": "wave"}, "waveform"),
        ({}, {"digest": "0" * 32}, "another file"),
        ({}, {"window": float("inf")}, "window"),
        ({}, {"window": True}, "window"),
        ({}, {"window": 1600.5}, "window"),
        ({}, {"window": 10**9}, "window"),
        ({}, {"output": ["embedding"]}, "text"),
        ({}, {"n_features": 7}, "6 numbers, and not 7"),
        ({}, {"output": "over_batch"}, "no embedding"),
        ({}, {"sample_rate": 16000}, "8000 Hz, and not at 16000 Hz"),
        ({"shape": ("batch", 1600)}, {"window": 1000}, "1600 samples, and not 1000"),
        ({"shape": ("batch", 2, 1600)}, {}, "no waveforms"),
        ({"kind": TensorProto.DOUBLE}, {}, "ONNX"),
    ],
    ids=str,
)
def test_what_is_missing_or_wrong_is_said_in_a_sentence(tmp_path, how, given, said):
    path = write_encoder(tmp_path / "e.onnx", **how)
    with pytest.raises(UserError, match=said) as refused:
        read_facts(path, given)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_model_a_folder_and_none_at_all(tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"RIFF" * 100)
    (tmp_path / "facts.json").write_text("[1")
    for path in (tmp_path / "no.onnx", tmp_path, tmp_path / "none.onnx"):
        with pytest.raises(UserError):
            read_facts(path, {})
    write_encoder(tmp_path / "facts.onnx")
    with pytest.raises(UserError, match=r"facts\.json"):
        read_facts(tmp_path / "facts.onnx", {})


def _with_weights_elsewhere(path: Path, place: str) -> None:
    write_encoder(path)
    model = onnx.load(path)
    (weights,) = (its for its in model.graph.initializer if its.name == "filters")
    data = numpy_helper.to_array(weights).tobytes()
    (path.parent / place).write_bytes(data)
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    for key, value in (("location", place), ("length", str(len(data)))):
        weights.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())


def test_weights_may_lie_beside_the_file_and_count_as_the_file_does_but_not_elsewhere(tmp_path):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "e.onnx"
    _with_weights_elsewhere(path, "e.data")
    heard = opened(path)(torch.from_numpy(WAVEFORMS))
    np.testing.assert_allclose(heard, expected(), rtol=1e-4, atol=1e-6)
    digest, copied = open_file(path).digest, tmp_path / "copy" / "e.onnx"
    shutil.copytree(path.parent, copied.parent)
    assert open_file(copied).digest == digest
    (tmp_path / "in" / "e.data").replace(tmp_path / "e.data")
    shutil.copytree(copied.parent, tmp_path / "third")
    (tmp_path / "third" / "e.data").write_bytes(bytes(N_FEATURES * 9 * 4))
    with pytest.raises(UserError, match="another file"):
        read_facts(tmp_path / "third" / "e.onnx", {"digest": digest})
    _with_weights_elsewhere(path, "../e.data")
    with pytest.raises(UserError):
        read_facts(path, {})


def test_a_packed_model_reads_no_file_of_the_reader_and_a_branch_hides_no_weights(tmp_path, monkeypatch):
    _with_weights_elsewhere(tmp_path / "e.onnx", "e.data")
    monkeypatch.chdir(tmp_path)  # where onnxruntime would look
    with pytest.raises(UserError, match="must be inside"):
        open_bytes((tmp_path / "e.onnx").read_bytes(), "m.cohear")
    model = onnx.load(tmp_path / "e.onnx", load_external_data=False)
    weights = [its for its in model.graph.initializer if its.name == "filters"]
    branch = helper.make_graph([], "branch", [], [], weights)
    del model.graph.initializer[:]
    model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch))
    with pytest.raises(UserError, match="must be inside"):
        open_bytes(model.SerializeToString(), "m.cohear")
    model.graph.node.pop()
    of_function = helper.make_function("its", "f", ["x"], ["y"], [], [helper.make_opsetid("", 17)])
    of_function.attribute_proto.append(helper.make_attribute("kernel", weights[0]))
    model.functions.append(of_function)
    with pytest.raises(UserError, match="must be inside"):
        open_bytes(model.SerializeToString(), "m.cohear")


@pytest.mark.parametrize("size", [0, 2**31])
def test_a_batch_of_no_or_endless_windows_is_refused(tmp_path, size):
    with pytest.raises(UserError, match=r"at once|no ONNX model"):
        read_facts(write_encoder(tmp_path / "e.onnx", shape=(size, 1600)), {})


@pytest.mark.parametrize("place", ["/etc/passwd", "../e.data", "a/b", "*/_ORT_MEM_ADDR_/*", ""])
def test_weights_lie_nowhere_else(tmp_path, place):
    _with_weights_elsewhere(tmp_path / "e.onnx", "e.data")
    model = onnx.load(tmp_path / "e.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            entry.value = place if entry.key == "location" else entry.value
    (tmp_path / "e.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match="beside it"):
        open_file(tmp_path / "e.onnx")


def test_embeddings_are_given_on_the_device_that_is_wanted(tmp_path):
    encoder = opened(write_encoder(tmp_path / "e.onnx"))
    elsewhere = copy.deepcopy(encoder).to("meta")
    assert elsewhere(torch.zeros(1, 1600)).device.type == "meta"
    assert elsewhere.from_kept(np.zeros((1, 6, 1), np.int16)).device.type == "meta"
    assert encoder(torch.zeros(1, 1600)).device.type == "cpu"


def test_an_output_that_is_the_same_for_any_sound_is_refused(tmp_path):
    with pytest.raises(UserError, match="same for any sound"):
        read_facts(write_encoder(tmp_path / "e.onnx"), {"output": "constant"})


def test_an_operation_that_needs_a_library_is_refused(tmp_path):
    path = write_encoder(tmp_path / "e.onnx")
    model = onnx.load(path)
    model.graph.node[2].CopyFrom(helper.make_node("Relu", ["filtered"], ["maps"], domain="com.stranger"))
    model.opset_import.add(domain="com.stranger", version=1)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match="stranger"):
        read_facts(path, {})


def test_answers_that_are_no_numbers_are_refused(tmp_path):
    path = write_encoder(tmp_path / "e.onnx")
    encoder = opened(path)
    with pytest.raises(UserError, match="NaN"):
        encoder(torch.full((1, 1600), float("nan")))
    with pytest.raises(UserError, match="another file"):
        Encoder(open_bytes(write_encoder(tmp_path / "f.onnx", seed=1).read_bytes(), "f"), encoder.facts)


@pytest.mark.skipif(not YAMNET.is_file(), reason="COHEAR_YAMNET names no yamnet.onnx")
def test_yamnet_is_heard_as_onnxruntime_hears_it():
    encoder = opened(YAMNET)
    assert (encoder.sample_rate, encoder.facts.window, encoder.n_bands) == (16000, 15600, 1024)
    waveform = (0.1 * np.random.default_rng(0).standard_normal(40000)).astype(np.float32)
    session = onnxruntime.InferenceSession(YAMNET, providers=["CPUExecutionProvider"])
    windows = np.stack([waveform[start : start + 15600] for start in (0, 15600, 24400)])
    of_windows = np.asarray(session.run(None, {"waveform": windows})[0])
    np.testing.assert_allclose(encoder(torch.from_numpy(waveform))[:, 0], of_windows.mean(0), rtol=1e-4, atol=1e-5)
