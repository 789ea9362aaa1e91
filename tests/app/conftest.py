"""A classifier that nobody trained, and clips to hear."""

import numpy as np
import pytest
import torch

from cohear.app.sounds import Excerpt, take_excerpt
from cohear.inference.classifier import Classifier
from cohear.models import VGG, LogMel
from cohear.runs.config import FrontEndConfig, NetworkConfig
from cohear.runs.description import Description

RATE = 16000


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    front_end = LogMel(RATE, n_fft=512, hop_length=200, n_mels=20)
    network = VGG(n_classes=5, width=0.0625)
    random = np.random.default_rng(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.from_numpy(0.5 * random.standard_normal(parameter.shape)))
        for _ in range(20):  # the batch norms get to know sounds, so that answers differ
            network(front_end(torch.from_numpy(0.1 * random.standard_normal((4, RATE)).astype(np.float32))))
    about = Description(
        classes=("ape", "bee", "cat", "dog", "emu"),
        sample_rate=RATE,
        clip_s=1.0,
        short="pad",
        front_end=FrontEndConfig(n_fft=512, hop_length=200, n_mels=20),
        network=NetworkConfig(width=0.0625),
    )
    return Classifier(about, front_end, network.eval())


@pytest.fixture(scope="session")
def noise(classifier: Classifier) -> Excerpt:
    waveform = 0.1 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    return take_excerpt(classifier, waveform, "noise", "made here")
