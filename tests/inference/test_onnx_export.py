"""An exported classifier under onnxruntime, against the same classifier under PyTorch."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from cohear.errors import UserError
from cohear.evaluation.calibration import Calibration, Threshold
from cohear.inference.classifier import Classifier
from cohear.inference.onnx_check import MAX_DIFFERENCE, compare
from cohear.inference.onnx_export import to_onnx
from cohear.models import VGG, LogMel

RATE, N_SAMPLES = 8000, 4000
FRONT_END = LogMel(RATE, n_fft=256, hop_length=200, n_mels=16)
CALIBRATION = Calibration(
    temperature=0.25, thresholds={"bell": Threshold(0.7, 0.95, 0.4, 20)}, precision=0.9, n_clips=60
)


def network_of(**options) -> VGG:
    """A network that has heard something, so that no layer of it does nothing."""
    generator = torch.Generator().manual_seed(0)
    network = VGG(3, width=0.0625, generator=generator, **options)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # the mean over what is heard
            for values in (layer.weight.data, layer.bias.data):
                values.copy_(torch.rand(values.shape, generator=generator) + 0.5)
    network.linear.weight.data *= 3
    with torch.no_grad():
        network(FRONT_END(torch.from_numpy(noise(4))))
    return network.eval()


def classifier_of(network: nn.Module | None = None, **options) -> Classifier:
    labels = ("bell", "Bär", "none")
    return Classifier(labels, RATE, N_SAMPLES / RATE, "pad", FRONT_END, network or network_of(), **options)


def session_of(model: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def noise(n_clips: int, n_samples: int = N_SAMPLES) -> np.ndarray:
    levels = np.logspace(-4, 0, n_clips)[:, None]
    return (levels * np.random.default_rng(n_samples).uniform(-1, 1, (n_clips, n_samples))).astype(np.float32)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pooling": "average"},
        {"global_pooling": "max", "normalize_input": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("multi_label", [False, True])
def test_all_outputs_are_pytorch_s_at_any_batch_and_length(options, multi_label):
    classifier = classifier_of(network_of(**options), multi_label=multi_label, calibration=CALIBRATION)
    network, session = classifier.network, session_of(to_onnx(classifier))
    assert isinstance(network, VGG)
    for waveforms in (noise(1), noise(3), noise(3, 2 * N_SAMPLES + 77), noise(1, 3001)):
        probabilities, logits, embeddings = session.run(None, {"waveforms": waveforms})
        with torch.inference_mode():
            expected = network.embed(classifier.front_end(torch.from_numpy(waveforms)))
            assert logits == pytest.approx(network.classify(expected).numpy(), abs=1e-4)
        assert embeddings == pytest.approx(expected.numpy(), abs=1e-4)
        assert probabilities == pytest.approx(classifier.probabilities(waveforms), abs=1e-5)


def test_what_is_shorter_than_the_network_takes_is_filled_with_zeros_up_to_that():
    session = session_of(to_onnx(classifier_of()))
    waveforms, filled = noise(2, 500), np.zeros((2, 15 * 200), np.float32)
    filled[:, :500] = waveforms
    assert np.array_equal(*(session.run(None, {"waveforms": batch})[0] for batch in (waveforms, filled)))


def test_the_file_stands_alone_and_is_hardly_larger_than_the_weights():
    classifier = classifier_of()
    model = onnx.load_from_string(to_onnx(classifier))
    assert not any(tensor.data_location or tensor.external_data for tensor in model.graph.initializer)
    assert {opset.domain for opset in model.opset_import} == {""}
    n_bytes = sum(values.numel() * 4 for values in classifier.network.parameters())
    assert len(model.SerializeToString()) < n_bytes + 60_000
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for name, values in classifier.network.named_parameters():
        assert np.array_equal(weights[name], values.detach().numpy())


def test_the_metadata_say_what_one_must_know():
    session = session_of(to_onnx(classifier_of(calibration=CALIBRATION, background="none")))
    values = {name: json.loads(text) for name, text in session.get_modelmeta().custom_metadata_map.items()}
    assert values.pop("cohear_version")
    assert values == {
        "labels": ["bell", "Bär", "none"],
        "sample_rate": RATE,
        "clip_samples": N_SAMPLES,
        "short": "pad",
        "multi_label": False,
        "background": "none",
        "temperature": 0.25,
        "thresholds": {"bell": 0.7},
        "threshold_precision": 0.9,
    }
    assert to_onnx(classifier_of()) == to_onnx(classifier_of())


def test_the_comparison_finds_the_largest_difference_wherever_it_is():
    classifier = classifier_of()
    model, waveforms = to_onnx(classifier), noise(11)
    assert compare(model, classifier, waveforms).is_close
    before = classifier.probabilities(waveforms)
    lead = np.log(before[:, 0] / before[:, 1])
    classifier.network.linear.bias.data[1] += float(np.median(lead)) + 1e-3
    after = classifier.probabilities(waveforms)
    found = compare(model, classifier, waveforms)
    assert found.largest_difference == pytest.approx(np.abs(after - before).max(), abs=1e-5)
    assert 0 < found.n_same == (after.argmax(1) == before.argmax(1)).sum() < 11
    assert found.largest_difference > MAX_DIFFERENCE
    assert not found.is_close
    classifier.network.linear.bias.data[1] = torch.nan
    with pytest.raises(UserError, match="answers with NaN"):
        compare(model, classifier, waveforms)


def test_another_network_is_no_classifier_that_can_be_exported():
    with pytest.raises(TypeError, match="not a Linear"):
        to_onnx(classifier_of(nn.Linear(3, 3)))
