"""An exported classifier under onnxruntime, against the same classifier under PyTorch."""

import json
from dataclasses import replace
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
from cohear.inference.onnx_export import MAX_DIFFERENCE, check_sounds, compare, to_onnx
from cohear.metrics.thresholds import Threshold
from cohear.models import LogMel, build_network
from cohear.runs.config import FrontEndConfig, NetworkConfig
from cohear.runs.description import Description
from cohear.runs.run import Run
from run_folders_made import write_run
from tiny import write_tones

RATE, N_SAMPLES = 8000, 8000
FRONT_END = LogMel(RATE, n_fft=256, hop_length=200, n_mels=16)
CALIBRATION = Calibration(
    temperature=0.25, thresholds={"bell": Threshold(0.7, 0.95, 0.4, 20)}, precision=0.9, n_clips=60
)


def classifier_of(**changes) -> Classifier:
    """A classifier that has heard something, so that no layer of it does nothing."""
    settings, generator = NetworkConfig(width=1 / 16), torch.Generator().manual_seed(0)
    network = build_network("vgg", settings.model_dump(), 3, generator)
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


def export(classifier: Classifier) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # checks of annotations cannot be exported
        return to_onnx(classifier)


@pytest.fixture(scope="module")
def exported() -> tuple[Classifier, bytes]:
    """An export takes ten seconds. One label per clip is exported in the tests of the command."""
    classifier = classifier_of(task="multi_label", calibration=CALIBRATION, background="none")
    return classifier, export(classifier)


def test_all_outputs_are_pytorch_s_at_any_batch_and_length(exported):
    classifier, model = exported
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


def test_the_comparison_finds_the_largest_difference_wherever_it_is(exported):
    classifier, model = exported
    waveforms = noise(11)
    assert compare(model, classifier, waveforms)[0] <= MAX_DIFFERENCE
    before = classifier.probabilities(waveforms)
    other = classifier.to("cpu")
    lead = np.log(before / (1 - before))
    other.network.head.bias.data[1] += CALIBRATION.temperature * float(np.median(lead[:, 0] - lead[:, 1])) + 1e-3
    after = other.probabilities(waveforms)
    largest, n_same = compare(model, other, waveforms)
    assert largest == pytest.approx(np.abs(after - before).max(), abs=1e-5)
    assert largest > MAX_DIFFERENCE
    assert 0 < n_same == (after.argmax(1) == before.argmax(1)).sum() < 11
    other.network.head.bias.data[1] = torch.nan
    with pytest.raises(UserError, match="answers with NaN"):
        compare(model, other, waveforms)


def test_a_network_that_onnx_cannot_express_is_refused_by_name(monkeypatch):
    classifier = classifier_of()
    body = type(classifier.network.body)
    monkeypatch.setattr(body, "embed", lambda self, inputs: torch.linalg.svdvals(inputs)[:, : self.n_features])
    with pytest.raises(UserError, match="vgg"):
        export(classifier)


@pytest.mark.parametrize("gone", ["data", "clips", "run"])
def test_clips_of_the_run_are_compared_on_where_they_are_there_else_made_up_sounds(tmp_path, gone):
    table = write_tones(tmp_path / "data")
    run = Run(write_run(tmp_path / "run"))
    run.write_record(replace(run.record, data_path=str(table)))
    waveforms, description = check_sounds(run.folder, classifier_of())
    assert (waveforms.shape, description) == ((18, N_SAMPLES), "18 clips of tones")
    if gone == "data":
        table.unlink()
    for path in table.parent.glob("*.wav") if gone == "clips" else ():
        path.unlink()
    waveforms, description = check_sounds(tmp_path / "model.cohear" if gone == "run" else run.folder, classifier_of())
    assert waveforms.shape == (6, N_SAMPLES)
    assert description.startswith("6 made-up sounds")


def test_clips_that_cannot_be_read_are_passed_over_as_in_training(tmp_path):
    table = write_tones(tmp_path / "data")
    run = Run(write_run(tmp_path / "run", settings={"data.skip_bad": True}))
    run.write_record(replace(run.record, data_path=str(table)))
    (table.parent / "tone0-1-0.wav").write_text("these are not samples")
    (table.parent / "tone0-1-1.wav").unlink()
    waveforms, description = check_sounds(run.folder, classifier_of())
    assert (waveforms.shape, description) == ((16, N_SAMPLES), "16 clips of tones")
