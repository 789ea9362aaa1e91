"""Small ONNX encoders whose embeddings numpy can compute too: how loud a window is after each of some filters."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from onnx import TensorProto, helper, numpy_helper

N_FEATURES, WIDTH = 6, 9
FACTS = {"sample_rate": "8000", "window": "1600", "license": "MIT", "output": "embedding"}


def filters(seed: int = 0) -> np.ndarray:
    """Return the filters of an encoder, `[feature, tap]`."""
    return np.random.default_rng(seed).standard_normal((N_FEATURES, WIDTH)).astype(np.float32)


def embedding(windows: np.ndarray, seed: int = 0) -> np.ndarray:
    """Compute what the encoder gives as `embedding`: `[window, time]` to `[window, feature]`."""
    filtered = np.einsum("wtk,fk->wft", sliding_window_view(windows.astype(np.float64), WIDTH, axis=-1), filters(seed))
    return np.maximum(filtered, 0).mean(-1)


def write_encoder(
    path: Path,
    seed: int = 0,
    shape: Sequence[int | str] = ("batch", "time"),
    facts: dict[str, str] | None = None,
    kind: int = TensorProto.FLOAT,
    frames: bool = False,
) -> Path:
    """Write an encoder.

    Args:
        path: of the file.
        seed: of its filters.
        shape: of the input.
        facts: its metadata; None: `FACTS`.
        kind: of the input.
        frames: whether `embedding` has an axis of time, `[batch, time, feature]`, of which the mean is meant.
    """
    nodes = [
        helper.make_node("Reshape", ["waveform", "channel"], ["x"]),
        helper.make_node("Conv", ["x", "filters"], ["filtered"]),
        helper.make_node("Relu", ["filtered"], ["maps"]),
        helper.make_node("ReduceMax", ["maps", "time"], ["other"], keepdims=0),
    ]
    if frames:
        nodes.append(helper.make_node("Transpose", ["maps"], ["embedding"], perm=[0, 2, 1]))
    else:
        nodes.append(helper.make_node("ReduceMean", ["maps", "time"], ["embedding"], keepdims=0))
    nodes.append(helper.make_node("ReduceMean", ["filtered", "batch_axis"], ["over_batch"], keepdims=0))
    nodes.append(helper.make_node("Mul", ["embedding", "zero"], ["constant"]))
    given: Any = list(shape)
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info("waveform", kind, given)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("embedding", "other")],
        [
            numpy_helper.from_array(filters(seed)[:, None], "filters"),
            numpy_helper.from_array(np.array([shape[0] if isinstance(shape[0], int) else 0, 1, -1]), "channel")
            if len(shape) != 1
            else numpy_helper.from_array(np.array([1, 1, -1]), "channel"),
            numpy_helper.from_array(np.array([2]), "time"),
            numpy_helper.from_array(np.array([0]), "batch_axis"),
            numpy_helper.from_array(np.zeros(1, np.float32), "zero"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    model.ir_version = 10
    for name, value in (FACTS if facts is None else facts).items():
        model.metadata_props.add(key=name, value=value)
    onnx.save(model, path)
    return path
