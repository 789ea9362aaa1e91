"""A classifier as one self-contained ONNX file: waveforms in, probabilities out, the labels in its metadata.

The graph is written by hand, one node per layer and under the layer's name, rather than traced: it stays the same from
one version of torch to the next, and its batch and length are free.
"""

import json
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import nn

from cohear.inference.classifier import Classifier
from cohear.inference.onnx_front_end import add_front_end
from cohear.inference.onnx_graph import IR_VERSION, OPSET, Graph, require_onnx
from cohear.models import VGG
from cohear.models.vgg import MIN_FRAMES

INPUT = "waveforms"
"""Float32 `[batch, time]` at the classifier's sample rate, full scale is [-1, 1]."""
OUTPUTS = ("probabilities", "logits", "embeddings")
"""Float32 `[batch, label]`, the same before temperature and softmax or sigmoid, and `[batch, feature]`."""


def to_onnx(classifier: Classifier) -> bytes:
    """Write a classifier as an ONNX model.

    Batch and length are free; waveforms shorter than the network takes, 15 hops of the front end, are filled with
    zeros up to that. The metadata are `facts`.

    Raises:
        UserError: where the packages of the extra `onnx` are not installed.
        TypeError: for another network than ours.
    """
    require_onnx()
    from onnx import TensorProto, checker, helper

    classifier = classifier.to("cpu")
    network = classifier.network
    if not isinstance(network, VGG):
        raise TypeError(f"only a VGG can be exported, not a {type(network).__name__}")
    graph = Graph()
    filled = _add_filling(graph, (MIN_FRAMES - 1) * classifier.front_end.hop_length)
    _add_network(graph, network, add_front_end(graph, classifier.front_end, filled))
    temperature = graph.constant("temperature", np.float32(classifier.calibration.temperature))
    scaled = graph.node("Div", "logits", temperature, name="scaled_logits")
    if classifier.multi_label:
        graph.node("Sigmoid", scaled, name="probabilities")
    else:
        graph.node("Softmax", scaled, name="probabilities", axis=-1)
    sizes = dict(zip(OUTPUTS, (network.n_classes, network.n_classes, network.linear.in_features), strict=True))
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "classifier",
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", "time"])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size]) for name, size in sizes.items()],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="cohear",
        producer_version=version("cohear"),
    )
    helper.set_model_props(
        model, {key: json.dumps(value, ensure_ascii=False) for key, value in facts(classifier).items()}
    )
    checker.check_model(model, full_check=True)
    return model.SerializeToString()


def facts(classifier: Classifier) -> dict[str, Any]:
    """Say what one must know to use the file rightly; its metadata holds each value as JSON."""
    calibration = classifier.calibration
    return {
        "labels": classifier.classes,
        "sample_rate": classifier.sample_rate,
        "clip_samples": classifier.n_samples,
        "short": classifier.short,
        "multi_label": classifier.multi_label,
        "background": classifier.background,
        "temperature": calibration.temperature,
        "thresholds": {label: threshold.probability for label, threshold in calibration.thresholds.items()},
        "threshold_precision": calibration.precision,
        "cohear_version": version("cohear"),
    }


def _add_filling(graph: Graph, min_samples: int) -> str:
    """Add zeros where a waveform is too short: runtimes do not refuse what pooling leaves nothing of."""
    length = graph.node("Shape", INPUT, name="given_length", start=1)
    missing = graph.node("Sub", graph.constant("min_samples", np.array([min_samples])), length, name="missing")
    missing = graph.node("Max", missing, graph.constant("none_missing", np.array([0])), name="n_zeros")
    other_margins = graph.constant("other_margins", np.array([0, 0, 0]))
    margins = graph.node("Concat", other_margins, missing, name="filling", axis=0)
    return graph.node("Pad", INPUT, margins, name="filled_waveforms")


def _add_network(graph: Graph, network: VGG, log_mel: str) -> None:
    """Add `embeddings` and `logits`."""
    axis = graph.constant("channel_axis", np.array([1]))
    maps = graph.node("Unsqueeze", log_mel, axis, name="spectrograms")
    for name, layer in network.named_modules():
        if name.startswith(("input_norm", "blocks")) and not isinstance(layer, nn.Sequential | nn.Identity):
            maps = _add_layer(graph, name, layer, maps)
    pooling = {"average": "GlobalAveragePool", "max": "GlobalMaxPool"}[network.global_pooling]
    pooled = graph.node(pooling, maps, name="global_pooling")
    embeddings = graph.node("Flatten", pooled, name="embeddings", axis=1)
    weights = [_weights(graph, f"linear.{name}", getattr(network.linear, name)) for name in ("weight", "bias")]
    graph.node("Gemm", embeddings, *weights, name="logits", transB=1)


def _add_layer(graph: Graph, name: str, layer: nn.Module, maps: str) -> str:
    match layer:
        case nn.Conv2d():
            weight = _weights(graph, f"{name}.weight", layer.weight)
            return graph.node("Conv", maps, weight, name=name, pads=[*layer.padding, *layer.padding])
        case nn.BatchNorm2d():
            names = ("weight", "bias", "running_mean", "running_var")
            weights = [_weights(graph, f"{name}.{part}", getattr(layer, part)) for part in names]
            return graph.node("BatchNormalization", maps, *weights, name=name, epsilon=layer.eps)
        case nn.ReLU():
            return graph.node("Relu", maps, name=name)
        case nn.MaxPool2d():
            return graph.node("MaxPool", maps, name=name, kernel_shape=[2, 2], strides=[2, 2])
        case nn.AvgPool2d():
            return graph.node("AveragePool", maps, name=name, kernel_shape=[2, 2], strides=[2, 2])
    raise TypeError(f"'{name}' is a {type(layer).__name__}, which export does not know")


def _weights(graph: Graph, name: str, values: torch.Tensor) -> str:
    return graph.constant(name, values.detach().numpy())
