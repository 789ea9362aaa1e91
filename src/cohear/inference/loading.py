"""From a finished run, or a model packed into one file, to a classifier."""

from pathlib import Path

import torch

from cohear.errors import UserError
from cohear.evaluation.calibration import Calibration, read_calibration
from cohear.experiments.build import build_front_end, build_network
from cohear.experiments.config import Config, DataConfig
from cohear.experiments.packed_model import PACKED_SUFFIX, read_packed
from cohear.experiments.run_folder import is_finished, read_record
from cohear.experiments.trained_network import load_network
from cohear.inference.classifier import Classifier
from cohear.models import VGG
from cohear.models.vgg import check_size


def load(path: str | Path) -> Classifier:
    """Load a finished run, or a model packed into one file.

    Args:
        path: the run folder, or a file that `cohear pack` made, whatever its name.

    Raises:
        UserError: where there is no finished run, or the file cannot be used.
    """
    path = Path(path)
    is_packed = path.is_file() or (path.suffix == PACKED_SUFFIX and not path.is_dir())
    return _load_packed(path) if is_packed else _load_run(path)


def _load_run(folder: Path) -> Classifier:
    record = read_record(folder)
    if not is_finished(folder):
        raise UserError(
            f"'{folder}' is an unfinished run; go on with it by `cohear train ... --resume --out {folder}`, or give "
            "another"
        )
    _, network = load_network(folder)
    return _classifier(
        record.config, record.classes, record.clip_s, network, record.multi_label, read_calibration(folder)
    )


def _load_packed(path: Path) -> Classifier:
    model = read_packed(path)
    about = model.description
    config = Config(
        data=DataConfig(
            sample_rate=about.sample_rate, clip_s=about.clip_s, short=about.short, background=about.background
        ),
        front_end=about.front_end,
        network=about.network,
    )
    network = build_network(config, len(about.classes))
    network.load_state_dict({name: torch.from_numpy(array) for name, array in model.weights.items()})
    try:
        classifier = _classifier(
            config, about.classes, about.clip_s, network.eval(), about.multi_label, about.calibration
        )
        check_size(about.front_end.n_mels, classifier.front_end.n_frames(classifier.n_samples))
    except UserError as error:
        raise UserError(f"'{path}' is no packed model that can be used: {error}") from error
    return classifier


def _classifier(
    config: Config,
    classes: tuple[str, ...],
    clip_s: float,
    network: VGG,
    multi_label: bool,
    calibration: Calibration,
) -> Classifier:
    return Classifier(
        classes,
        config.data.sample_rate,
        clip_s,
        config.data.short,
        build_front_end(config),
        network,
        multi_label=multi_label,
        background=config.data.background,
        calibration=calibration,
    )
