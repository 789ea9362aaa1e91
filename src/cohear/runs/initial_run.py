"""Beginning with the weights of a finished run or a packed model."""

from pathlib import Path

import torch

from cohear.errors import UserError
from cohear.models import NetworkWithHead
from cohear.runs.config import EVERY_CLIP, Config, setting_values
from cohear.runs.trained_model import TrainedModel, read_model


def read_initial_run(config: Config) -> TrainedModel | None:
    """Read what `training.initial_run` names; None where weights are drawn.

    Raises:
        UserError: where it is neither a finished run nor a packed model.
    """
    path = config.training.initial_run
    return None if path is None else read_model(Path(path).expanduser())


def initial_run_warning(initial: TrainedModel, config: Config, data_fingerprint: str) -> str | None:
    """Say where the weights to begin with may have heard the test clips.

    Args:
        initial: what training begins with.
        config: of the run.
        data_fingerprint: of its data.
    """
    of = initial.description.provenance
    if of is None or config.fold == EVERY_CLIP:
        return None
    if of.data_fingerprint != data_fingerprint:
        return (
            f"the weights that training began with come from '{of.dataset}': what it shares with these data was heard "
            "before the test, and would make the accuracy too good to be true."
        )
    if of.fold != config.fold:
        return (
            f"the weights that training began with were trained on the test clips of fold {config.fold}: the accuracy "
            "will be too good to be true."
        )
    return None


def use_initial_run(initial: TrainedModel, network: NetworkWithHead, config: Config, classes: tuple[str, ...]) -> None:
    """Give a network the weights to begin with, the head class by class; classes new to them keep the drawn ones.

    Raises:
        UserError: where they are of another network, or heard another front end.
    """
    now = setting_values(config)
    for name, value in initial.settings().items():
        if now[name] != value:
            raise UserError(
                f"'{config.training.initial_run}' has {name}={value}, and {now[name]} was chosen now; its weights are "
                "of no use so, leave that setting to it"
            )
    theirs = {label: row for row, label in enumerate(initial.description.classes)}
    taken = [row for row, label in enumerate(classes) if label in theirs]
    state = network.state_dict()
    for name, array in initial.weights.items():
        tensor = torch.from_numpy(array)
        if name.startswith("head."):
            state[name][taken] = tensor[[theirs[classes[row]] for row in taken]]
        else:
            state[name].copy_(tensor)
