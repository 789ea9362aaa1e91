"""Which run is which: the same identity means the same result, so a finished run need not be made again."""

import hashlib
import json
import re
from typing import Any

from cohear.experiments.config import MADE_UP, Config
from cohear.experiments.presets import PRESETS, setting_values

NUMERICS = 2
"""Raised whenever a change of the code alters losses."""

_SAID_OTHERWISE = {
    *("method", "views.transform", "fold", "seed", "preset", "training.compile", "training.on_nonfinite"),
    *(
        "data.sounds",
        "data.esc10",
        "data.n_folds",
        "data.drop_small",
        "data.skip_bad",
    ),  # what came of them is in the identity
    "data.validation_share",
}
_OWN_DATA = {"balance": "none", "patience": None}
"""Of `training`: what came later than the first runs, and is no part of a run that does without."""
_ONLY_CONSISTENCY = ("consistency_weight", "ramp_epochs", "ramp_offset", "divergence", "representation")


def identify(
    config: Config, data_fingerprint: str, rooms: str | None = None, initial_weights: str | None = None
) -> str:
    """Hash all that can change a run's result: 16 hexadecimal digits.

    Of the `data` section only what the fingerprint does not cover is hashed, the pitch cache and the validation part;
    options that a method does not look at are left out. Made-up rooms follow from the settings; of other ones the
    contents count, wherever they lie and however they came about, and for every method, since all are measured on
    views of `combination`.

    Args:
        config: resolved.
        data_fingerprint: of clips, labels, folds and their order.
        rooms: hash of the bank that `views.room_bank` names; None for made-up rooms.
        initial_weights: hash of the weights that `training.initial_run` names; None for drawn ones.
    """
    assert (rooms is None) == (config.views.room_bank == MADE_UP)
    assert (initial_weights is None) == (config.training.initial_run is None)
    settings = config.model_dump(exclude={"preset", "data"})
    del settings["training"]["compile"]  # like the device and the version of torch: the environment's, not the run's
    del settings["training"]["on_nonfinite"]  # a run that was stopped goes on with another one
    del settings["training"]["initial_run"], settings["training"]["threshold_precision"]
    for name, unset in _OWN_DATA.items():
        if settings["training"][name] == unset:
            del settings["training"][name]
    if config.method != "consistency":
        for name in _ONLY_CONSISTENCY:
            del settings["objective"][name]
    if config.method == "none":
        del settings["views"]["n_transformed"]
    del settings["views"]["room_bank"]
    if rooms is not None:
        del settings["views"]["n_rooms"], settings["views"]["room_rt60_s"]
        settings["views"]["rooms"] = rooms
    if config.data.pitch_cache:  # shifted views are rounded to 16 bits
        settings["views"]["pitch_cache"] = True
    if config.data.background is not None:
        settings["background"] = config.data.background
    if config.data.validation_share:
        settings["validation"] = config.data.validation_share, config.training.threshold_precision
    if initial_weights is not None:
        settings["network"]["initial_weights"] = initial_weights
    return _hash({"settings": settings, "data": data_fingerprint, "numerics": NUMERICS})


def identify_experiment(
    config: Config, data_fingerprint: str, rooms: str | None = None, initial_weights: str | None = None
) -> str:
    """Hash what runs on other folds and seeds have in common; arguments as for `identify`."""
    return identify(config.model_copy(update={"fold": 1, "seed": 0}), data_fingerprint, rooms, initial_weights)


def readable_name(config: Config, model: str, identity: str) -> str:
    """Name a run folder: model, fold, what differs from the defaults, and the identity's first digits.

    Args:
        config: resolved.
        model: the paper's name of the model.
        identity: from `identify`.
    """
    preset = PRESETS[config.preset]() if config.preset in PRESETS else Config()
    parts = [re.sub(r"[^a-z0-9.]+", "-", model.lower()), f"fold{config.fold}"]
    parts += [f"seed{config.seed}"] * (config.seed != 0) + [config.preset] * (config.preset != "paper")
    for name, value in differences(config, preset).items():
        if name not in _SAID_OTHERWISE:
            parts.append(f"{name.split('.')[-1]}={_short(value)}")
    return "_".join(parts)[:150] + "_" + identity[:8]


def differences(config: Config, other: Config) -> dict[str, Any]:
    """Return the settings of `config` that `other` has otherwise, by dotted name."""
    theirs = setting_values(other)
    return {name: value for name, value in setting_values(config).items() if value != theirs[name]}


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", text).strip("-")


def _hash(value: Any) -> str:
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=8).hexdigest()
