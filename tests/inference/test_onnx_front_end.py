"""The front end as an ONNX graph against `LogMel`, which is tested against librosa."""

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from cohear.inference.onnx_front_end import add_front_end
from cohear.inference.onnx_graph import IR_VERSION, OPSET, Graph
from cohear.models import LogMel


def session_of(front_end: LogMel) -> onnxruntime.InferenceSession:
    graph = Graph()
    add_front_end(graph, front_end, "waveforms")
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("waveforms", ["batch", "time"]), ("log_mel", ["batch", front_end.n_mels, "frame"]))
    ]
    proto = helper.make_graph(graph.nodes, "front_end", ends[:1], ends[1:], graph.constants)
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def sounds(n_samples: int) -> np.ndarray:
    """A full-scale tone, whose quiet bands float32 gets wrong; noise loud and soft; silence; a click at the edge."""
    time, noise = np.arange(n_samples), np.random.default_rng(0).standard_normal(n_samples)
    click = np.zeros(n_samples)
    click[0] = 1
    tone = np.sin(2 * np.pi * 0.0567 * time)
    return np.stack([tone, noise / 4, noise / 1e5, np.zeros(n_samples), click]).astype(np.float32)


@pytest.mark.parametrize(
    "front_end",
    [
        LogMel(22050, 1024, 600, 64),
        LogMel(8000, 256, 200, 16, f_min=100, f_max=3000),
        LogMel(16000, 375, 160, 20),
    ],
    ids=["small", "edges", "odd"],
)
def test_every_cell_is_within_a_thousandth_of_a_decibel_at_any_batch_and_length(front_end):
    session = session_of(front_end)
    hop = front_end.hop_length
    for n_clips, n_samples in ((5, 20 * hop), (5, 31 * hop - 1), (1, 7 * hop + 1), (3, hop // 2)):
        waveforms = sounds(n_samples)[:n_clips]
        (log_mel,) = session.run(None, {"waveforms": waveforms})
        expected = front_end(torch.from_numpy(waveforms)).numpy()
        assert log_mel.shape == expected.shape
        assert np.abs(log_mel - expected).max() < 1e-3


def test_silence_is_at_the_floor():
    (log_mel,) = session_of(LogMel(8000, 256, 200, 16)).run(None, {"waveforms": np.zeros((1, 1000), np.float32)})
    assert log_mel == pytest.approx(-100)
