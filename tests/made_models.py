"""A packed model that was never trained: what it says of itself, and its weights."""

from dataclasses import replace
from typing import Any

import torch

from cohear.evaluation.calibration import Calibration
from cohear.inference.classifier import Classifier
from cohear.metrics.thresholds import Threshold
from cohear.models import VGG
from cohear.runs.config import FrontEndConfig, NetworkConfig
from cohear.runs.description import Description, Provenance
from cohear.runs.trained_model import TrainedModel

PROVENANCE = Provenance(
    dataset="pond",
    data_fingerprint="0" * 32,
    model="Combination-CL",
    method="consistency",
    transform="combination",
    preset="small",
    fold=1,
    seed=0,
    epochs=24,
    kept_epoch=20,
    precision="float32",
    initial_weights=None,
    identity="1" * 16,
    n_train_clips=40,
    n_test_clips=10,
    accuracy=0.8,
    accuracy_interval=(0.49, 0.943),
    nll=0.5,
    jsd=0.01,
    false_alarms_per_hour=None,
    expected=None,
    warnings=("class 'Kröte' has no test clips",),
    versions={"cohear": "0.1.0"},
)
DESCRIPTION = Description(
    classes=("frog", "Kröte", "noise"),
    sample_rate=16000,
    clip_s=1.5,
    short="pad",
    front_end=FrontEndConfig(n_fft=512, hop_length=400, n_mels=32),
    network=NetworkConfig(width=1 / 32),
    background="noise",
    calibration=Calibration(1.3, {"frog": Threshold(0.7, 0.95, 0.5, 20)}, 0.9, 30),
    provenance=PROVENANCE,
)


def changed(classifier: Classifier, **changes: Any) -> Classifier:
    """Return a classifier that says otherwise of itself."""
    return replace(classifier, about=classifier.about.model_copy(update=changes))


def make_model(**changes: Any) -> TrainedModel:
    """Return a model with drawn weights; `changes` are of its description."""
    description = DESCRIPTION.model_copy(update=changes)
    network = VGG(len(description.classes), description.network.width, generator=torch.Generator().manual_seed(0))
    weights = {name: tensor.contiguous().numpy() for name, tensor in network.state_dict().items()}
    return TrainedModel(description, weights, "# Frösche\n")
