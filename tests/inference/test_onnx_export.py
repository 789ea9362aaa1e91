"""An exported classifier under onnxruntime, against the same classifier under PyTorch."""

import json
from pathlib import Path

import jaxtyping
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from cohear.errors import UserError
from cohear.evaluation.calibration import Calibration
from cohear.inference.classifier import Classifier
from cohear.inference.onnx_export import MAX_DIFFERENCE, compare, to_onnx
from cohear.metrics.thresholds import Threshold
from cohear.models import LogMel, build_network
from cohear.runs.config import FrontEndConfig, NetworkConfig
from cohear.runs.description import Description

RATE, N_SAMPLES = 8000, 8000
FRONT_END = LogMel(RATE, n_fft=256, hop_length=200, n_mels=16)
CALIBRATION = Calibration(
    temperature=0.25, thresholds={"bell": Threshold(0.7, 0.95, 0.4, 20)}, precision=0.9, n_clips=60
)


def classifier_of(name: str = "vgg", **changes) -> Classifier:
    """A classifier that has heard something, so that no layer of it does nothing."""
    settings, generator = NetworkConfig(name=name, width=1 / 16), torch.Generator().manual_seed(0)
    network = build_network(name, settings.model_dump(), 3, generator)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # the mean over what is heard
            for values in (layer.weight.data, layer.bias.data):
                values.copy_(torch.rand(values.shape, generator=generator) + 0.5)
    network.head.weight.data *= 3
    with torch.no_grad():
        network(FRONT_END(torch.from_numpy(noise(4))))
    about = Description(
        classes=("bell", "Bär", "none"),
        sample_rate=RATE,
        clip_s=N_SAMPLES / RATE,
        short="pad",
        front_end=FrontEndConfig(n_fft=256, hop_length=200, n_mels=16),
        network=settings,
        **changes,
    )
    return Classifier(about, FRONT_END, network.eval())


def noise(n_clips: int, n_samples: int = N_SAMPLES) -> np.ndarray:
    levels = np.logspace(-4, 0, n_clips)[:, None]
    return (levels * np.random.default_rng(n_samples).uniform(-1, 1, (n_clips, n_samples))).astype(np.float32)


def exported(classifier: Classifier) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # checks of annotations cannot be exported
        return to_onnx(classifier)


@pytest.mark.parametrize(
    ("name", "task"), [("vgg", "single_label"), pytest.param("timm:resnet10t", "multi_label", marks=pytest.mark.slow)]
)
def test_all_outputs_are_pytorch_s_at_any_batch_and_length(name, task):
    classifier = classifier_of(name, task=task, calibration=CALIBRATION, background="none")
    model = exported(classifier)
    session, network = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]), classifier.network
    for waveforms in (noise(1), noise(3), noise(3, 2 * N_SAMPLES + 77), noise(1, 3001)):
        probabilities, logits, embeddings = session.run(None, {"waveforms": waveforms})
        with torch.inference_mode():
            expected = network.embed(classifier.front_end(torch.from_numpy(waveforms)))
            assert logits == pytest.approx(network.classify(expected).numpy(), abs=1e-4)
        assert embeddings == pytest.approx(expected.numpy(), abs=1e-4)
        assert probabilities == pytest.approx(classifier.probabilities(waveforms), abs=1e-5)

    short, least = noise(2, 500), (network.body.input.min_frames - 1) * 200
    filled = np.pad(short, ((0, 0), (0, least - 500)))
    answers = [session.run(None, {"waveforms": waveforms})[1] for waveforms in (short, filled)]
    np.testing.assert_allclose(*answers, atol=1e-6)

    facts = {key: json.loads(text) for key, text in session.get_modelmeta().custom_metadata_map.items()}
    assert facts.pop("cohear_version")
    assert Description.model_validate_json(json.dumps(facts)) == classifier.about

    stands_alone = onnx.load_from_string(model)
    onnx.checker.check_model(stands_alone, full_check=True)
    assert not any(tensor.external_data for tensor in stands_alone.graph.initializer)
    assert {opset.domain for opset in stands_alone.opset_import} == {""}
    assert len(model) < sum(4 * values.numel() for values in network.state_dict().values()) + 400_000
    assert str(Path(__file__).parents[2]).encode() not in model


@pytest.mark.slow
def test_the_comparison_finds_the_largest_difference_wherever_it_is():
    classifier = classifier_of()
    model, waveforms = exported(classifier), noise(11)
    assert compare(model, classifier, waveforms).is_close
    before = classifier.probabilities(waveforms)
    lead = np.log(before[:, 0] / before[:, 1])
    classifier.network.head.bias.data[1] += float(np.median(lead)) + 1e-3
    after = classifier.probabilities(waveforms)
    found = compare(model, classifier, waveforms)
    assert found.largest_difference == pytest.approx(np.abs(after - before).max(), abs=1e-5)
    assert 0 < found.n_same == (after.argmax(1) == before.argmax(1)).sum() < 11
    assert found.largest_difference > MAX_DIFFERENCE
    assert not found.is_close
    classifier.network.head.bias.data[1] = torch.nan
    with pytest.raises(UserError, match="answers with NaN"):
        compare(model, classifier, waveforms)


@pytest.mark.slow
def test_a_network_that_onnx_cannot_express_is_refused_by_name(monkeypatch):
    classifier = classifier_of()
    body = type(classifier.network.body)
    monkeypatch.setattr(body, "embed", lambda self, inputs: torch.linalg.svdvals(inputs)[:, : self.n_features])
    with pytest.raises(UserError, match="vgg"):
        exported(classifier)
