"""Presets: complete configurations as functions, a variant changes a few fields of another.

A preset with fewer epochs scales the paper's schedules to them: the ramp ends, and the learning rate has fallen as
far, at the same share of the training.
"""

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from cohear.errors import UserError, nearest
from cohear.experiments.config import Config

_PAPER = Config()


def paper() -> Config:
    """Everything as in the paper."""
    return _PAPER


def small() -> Config:
    """For two CPU cores: half the rate and bands, an eighth of the width, a third of the epochs."""
    return scale_schedules(
        change(
            paper(),
            {
                "preset": "small",
                "data.sample_rate": 22050,
                "front_end.n_mels": 64,
                "network.width": 1 / 8,
                "training.batch_size": 48,
            },
        ),
        epochs=24,
    )


def demo() -> Config:
    """For made-up sounds and little patience: `small` at 16 kHz, with few epochs of more and larger steps."""
    changes = {"preset": "demo", "data.sample_rate": 16000, "data.clip_s": 2.0, "training.batch_size": 24}
    return scale_schedules(change(small(), {**changes, "optimizer.learning_rate": 2e-3}), epochs=8)


OFFERED: dict[str, Callable[[], Config]] = {"paper": paper, "small": small}
"""What people may choose."""
PRESETS: dict[str, Callable[[], Config]] = {**OFFERED, "demo": demo}
"""Every preset by its name, that of `cohear demo` too."""


def preset(name: str) -> Config:
    """Return a preset by its name.

    Raises:
        UserError: for an unknown name.
    """
    if name not in PRESETS:
        raise UserError(f"there is no preset '{name}'{nearest(name, OFFERED)}; use {' or '.join(OFFERED)}")
    return PRESETS[name]()


def scale_schedules(config: Config, epochs: int) -> Config:
    """Train for another number of epochs with ramp and decay stretched or squeezed to it."""
    factor = epochs / config.training.epochs
    return change(
        config,
        {
            "training.epochs": epochs,
            "objective.ramp_epochs": config.objective.ramp_epochs * factor,
            "optimizer.decay_epochs": config.optimizer.decay_epochs * factor,
        },
    )


def change(config: Config, changes: dict[str, Any]) -> Config:
    """Return a configuration with some fields changed, checked as a whole.

    Args:
        config: where to start.
        changes: values by dotted name, as `{"training.epochs": 4}`; text is read as the field's type.

    Raises:
        UserError: for an unknown name, with the nearest valid one, or a value of the wrong type or range.
    """
    values = config.model_dump()
    for name, value in changes.items():
        *sections, last = name.split(".")
        target, owner = values, type(config)
        for section in sections:
            field = owner.model_fields.get(section)
            if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
                raise _unknown(name)
            target, owner = target[section], field.annotation
        if last not in owner.model_fields or isinstance(target[last], dict):
            raise _unknown(name)
        target[last] = value
    try:
        return type(config).model_validate(values)
    except ValidationError as error:
        raise UserError(_sentence(error)) from error


_CAN_BE_NONE = ("method", "views.transform", "training.balance", "data.background")
"""Settings for which `none` is a word of their own; `None` unsets any."""


def parse_override(text: str) -> tuple[str, Any]:
    """Split `training.epochs=4` into name and value; several numbers are separated by commas.

    Raises:
        UserError: where there is no `=`.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UserError(f"'--set {text}' has no value; write it as --set training.epochs=4")
    name, value = name.strip(), value.strip()
    if value == "None" or (value.lower() in ("none", "null") and name not in _CAN_BE_NONE):
        return name, None
    is_sequence = isinstance(setting_values(_PAPER).get(name), tuple)
    return name, tuple(part.strip() for part in value.split(",")) if is_sequence else value


def setting_values(config: Config) -> dict[str, Any]:
    """Return every setting by its dotted name, as `--set` knows it."""
    return dict(_flatten(config.model_dump()))


def _flatten(values: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


_REASONS = {
    "missing": "it has too few values",
    "too_long": "it has too many values",
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "it must be a whole number"),
    **dict.fromkeys(("float_parsing", "float_type"), "it must be a number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "it must be true or false"),
}
"""By pydantic's type of error, where its own words are those of a programmer."""


def _unknown(name: str) -> UserError:
    known = setting_values(_PAPER)
    return UserError(f"there is no setting '{name}'{nearest(name, known)}; `cohear train --settings` lists them all")


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(part for part in first["loc"] if isinstance(part, str))  # not the place within a list
    reason = first["msg"].removeprefix("Value error, ").replace("Input should be", "It must be")
    reason = _REASONS.get(first["type"], reason[:1].lower() + reason[1:])
    given = first["input"]
    if not place or isinstance(given, dict):
        return reason
    return f"'{place}' cannot be '{','.join(map(str, given)) if isinstance(given, tuple) else given}': {reason}"
