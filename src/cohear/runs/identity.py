"""Which run is which: the same identity means the same result, so a finished run need not be made again."""

import hashlib
import json
import re
from typing import Any

from cohear.runs.config import Config, change, differences, setting_values
from cohear.runs.presets import PRESETS
from cohear.transforms.recipes import parse_recipe

NUMERICS = 2
"""Raised whenever a change of the code alters losses."""

_IN_NAME = {"method", "views.transform", "fold", "seed"}
"""What the name of a folder says by itself."""


def identify(config: Config, data_fingerprint: str, contents: dict[str, str]) -> str:
    """Hash all that can change a run's result: 16 hexadecimal digits.

    Of the settings these are the ones that can change a result and that differ from the defaults, so that a setting
    which is added later leaves the identities of earlier runs as they are.

    Args:
        config: resolved.
        data_fingerprint: of clips, labels, folds and their order.
        contents: hashes of what settings name and do not tell: the weights of `training.initial_run`, recorded rooms.
            These count by their contents alone, wherever they lie.
    """
    settings = {**differences(config, Config()), "training.initial_run": None}
    settings["views.transform"] = parse_recipe(config.views.transform).text(names_sounds=False)
    hashed = {"settings": settings, "contents": contents, "data": data_fingerprint, "numerics": NUMERICS}
    return hashlib.blake2b(json.dumps(hashed, sort_keys=True).encode(), digest_size=8).hexdigest()


def identify_experiment(config: Config, data_fingerprint: str, contents: dict[str, str]) -> str:
    """Hash what runs on other folds and seeds have in common; arguments as for `identify`."""
    return identify(change(config, {"fold": 1, "seed": 0}), data_fingerprint, contents)


def readable_name(config: Config, model: str, identity: str) -> str:
    """Name a run folder: model, fold, what differs from the preset, and the identity's first digits.

    Args:
        config: resolved.
        model: the paper's name of the model.
        identity: from `identify`.
    """
    preset = PRESETS.get(config.preset, Config)()
    parts = [_short(model.lower()), f"fold{config.fold}"]
    parts += [f"seed{config.seed}"] * (config.seed != 0) + [config.preset] * (config.preset != "paper")
    for name, value in differences(config, preset).items():
        if name not in _IN_NAME:
            parts.append(f"{name.split('.')[-1]}={_short(value)}")
    return "_".join(parts)[:150] + "_" + identity[:8]


def first_difference(there: Config, now: Config) -> str | None:
    """Say in which setting that can change a result or its clips two configurations differ; None where in none."""
    theirs, ours = setting_values(there), setting_values(now)
    changed = [*differences(there, now), *(n for n in ours if n.startswith("data.") and theirs[n] != ours[n])]
    return f"{changed[0]} is {theirs[changed[0]]} there and {ours[changed[0]]} now" if changed else None


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return re.sub(r"[^A-Za-z0-9.+]+", "-", text).strip("-")
