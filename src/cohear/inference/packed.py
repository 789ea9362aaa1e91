"""From a packed model to a classifier."""

from pathlib import Path

import torch

from cohear.errors import UserError
from cohear.experiments.build import build_front_end, build_network
from cohear.experiments.config import Config, DataConfig
from cohear.experiments.packed_model import read_packed
from cohear.inference.classifier import Classifier
from cohear.models.vgg import check_size


def load_packed(path: str | Path) -> Classifier:
    """Load a file that `cohear pack` made.

    Raises:
        UserError: where there is none, or anything in it is not as it must be.
    """
    model = read_packed(Path(path))
    about = model.description
    config = Config(
        data=DataConfig(sample_rate=about.sample_rate, clip_s=about.clip_s, short=about.short),
        front_end=about.front_end,
        network=about.network,
    )
    try:
        front_end = build_front_end(config)
        check_size(front_end.n_mels, front_end.n_frames(round(about.clip_s * about.sample_rate)))
    except UserError as error:
        raise UserError(f"'{path}' is no packed model that can be used: {error}") from error
    network = build_network(config, len(about.classes))
    network.load_state_dict({name: torch.from_numpy(array) for name, array in model.weights.items()})
    return Classifier(
        about.classes,
        about.sample_rate,
        about.clip_s,
        about.short,
        front_end,
        network.eval(),
        multi_label=about.multi_label,
        background=about.background,
        calibration=about.calibration,
    )
