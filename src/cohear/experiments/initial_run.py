"""From `training.initial_run` to the weights that training begins with: those of a finished run or a packed model."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cohear.errors import UserError
from cohear.experiments.config import EVERY_CLIP, Config, Fold, FrontEndConfig, NetworkConfig
from cohear.experiments.packed_model import PACKED_SUFFIX, read_packed
from cohear.experiments.presets import setting_values
from cohear.experiments.run_folder import is_finished
from cohear.experiments.trained_network import load_network
from cohear.models import VGG
from cohear.training.initial_weights import start_from


@dataclass(frozen=True, eq=False)
class InitialRun:
    """What another training left: weights, and what they were made for."""

    tensors: dict[str, Tensor]
    """The state of its network, by name."""
    classes: tuple[str, ...]
    sample_rate: int
    """Hz."""
    front_end: FrontEndConfig
    network: NetworkConfig
    dataset: str
    """The name of what it was trained on."""
    data_fingerprint: str
    fold: Fold
    """What it left out, of that data."""

    def settings(self) -> dict[str, Any]:
        """Return the settings by which it hears, and those of its network, by dotted name."""
        parts = {"front_end": self.front_end.model_dump(), "network": self.network.model_dump()}
        named = {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}
        return {"data.sample_rate": self.sample_rate, **named}

    def hash(self) -> str:
        """Identify weights and classes, wherever they lie; hexadecimal."""
        digest = hashlib.blake2b("\n".join(self.classes).encode(), digest_size=16)
        for name, tensor in sorted(self.tensors.items()):
            digest.update(name.encode() + tensor.numpy().tobytes())
        return digest.hexdigest()


def read_initial_run(config: Config) -> InitialRun | None:
    """Read what `training.initial_run` names; None where weights are drawn.

    Raises:
        UserError: where it is neither a finished run nor a packed model.
    """
    if config.training.initial_run is None:
        return None
    path = Path(config.training.initial_run).expanduser()
    if path.is_file() or path.suffix == PACKED_SUFFIX:
        packed = read_packed(path)
        tensors = {name: torch.from_numpy(array) for name, array in packed.weights.items()}
        about = packed.description
        of = about.provenance
        return InitialRun(
            tensors, about.classes, about.sample_rate, about.front_end, about.network,
            of.dataset, of.data_fingerprint, of.fold,
        )  # fmt: skip
    if not is_finished(path):
        raise UserError(f"'{path}' is no finished run and no packed model; give one to begin with its weights")
    record, network = load_network(path)
    theirs = record.config
    return InitialRun(
        network.state_dict(), record.classes, theirs.data.sample_rate, theirs.front_end, theirs.network,
        record.dataset, record.data_fingerprint, theirs.fold,
    )  # fmt: skip


def initial_weights_hash(config: Config) -> str | None:
    """Identify the weights that `training.initial_run` names; None where they are drawn.

    Raises:
        UserError: as `read_initial_run`.
    """
    initial = read_initial_run(config)
    return None if initial is None else initial.hash()


def initial_run_warning(config: Config, data_fingerprint: str) -> str | None:
    """Say where the weights to begin with may have heard the test clips.

    Args:
        config: of the run that begins with them.
        data_fingerprint: of its data.
    """
    initial = read_initial_run(config)
    if initial is None or config.fold == EVERY_CLIP:
        return None
    if initial.data_fingerprint != data_fingerprint:
        return (
            f"the weights that training began with come from '{initial.dataset}': what it shares with these data was "
            "heard before the test, and would make the accuracy too good to be true."
        )
    if initial.fold != config.fold:
        return (
            f"the weights that training began with were trained on the test clips of fold {config.fold}: the accuracy "
            "will be too good to be true."
        )
    return None


def use_initial_run(network: VGG, config: Config, classes: tuple[str, ...]) -> None:
    """Give a network the weights that `training.initial_run` names; classes new to them keep the drawn ones.

    Raises:
        UserError: where they are of another network, or heard another front end.
    """
    initial = read_initial_run(config)
    if initial is None:
        return
    now = setting_values(config)
    for name, value in initial.settings().items():
        if now[name] != value:
            raise UserError(
                f"'{config.training.initial_run}' has {name}={value}, and {now[name]} was chosen now; its weights are "
                "of no use so, leave that setting to it"
            )
    start_from(network, initial.tensors, initial.classes, classes)
