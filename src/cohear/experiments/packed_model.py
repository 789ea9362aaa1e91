"""A model in one file, `model.cohear`: everything needed to use a trained network, and nothing that could run.

The file is a zip of three plain entries:

    model.json            labels, sounds, front end, network, calibration, provenance: `Description`
    weights.safetensors   the network's state
    README.md             the model card, for people

It is read strictly, without torch, and only in memory: what is missing, unknown or out of range is
refused in one sentence. Limits: a file of 1 GiB, a `model.json` of 4 MiB and 100 000 values, a card of 4 MiB,
and spectrograms of 1 GiB.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from cohear.errors import UserError
from cohear.experiments.packed_archive import read_archive, write_archive
from cohear.experiments.packed_description import FORMAT, Description, first_error
from cohear.experiments.weight_shapes import weight_shapes
from cohear.runtime.reading import read_plain

PACKED_SUFFIX = ".cohear"
MAX_FILE_BYTES, MAX_TEXT_BYTES, MAX_VALUES = 2**30, 2**22, 100_000

_MODEL, _WEIGHTS, _CARD = "model.json", "weights.safetensors", "README.md"


@dataclass(frozen=True, eq=False)
class PackedModel:
    """What a packed file holds; a `ValueError` where its weights do not fit its description."""

    description: Description
    weights: Mapping[str, np.ndarray]
    """The network's state by name, as `cohear.models.VGG` has it."""
    card: str
    """Markdown."""

    def __post_init__(self) -> None:
        check_weights(self.weights, self.description)

    def to_bytes(self) -> bytes:
        """Return the file; equal models give equal bytes."""
        text = json.dumps(self.description.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False)
        weights = save(dict(self.weights))
        return write_archive({_MODEL: (text + "\n").encode(), _WEIGHTS: weights, _CARD: self.card.encode()})


def read_packed(path: Path) -> PackedModel:
    """Read a packed model.

    Raises:
        UserError: where there is none, or it cannot be used.
    """
    try:
        data = read_plain(path, MAX_FILE_BYTES)
    except FileNotFoundError as error:
        raise UserError(f"'{path}' does not exist; give a file that `cohear pack` made") from error
    except OSError as error:
        raise UserError(
            f"'{path}' cannot be read ({error.strerror or error}); give a file that `cohear pack` made"
        ) from error
    return parse_packed(data, path)


def parse_packed(data: bytes, path: str | Path) -> PackedModel:
    """Read the bytes of a packed model.

    Args:
        data: the whole file.
        path: what messages call it.

    Raises:
        UserError: where they are damaged, incomplete, of a newer format, or of something else.
    """
    with _refusing(path):
        entries = read_archive(data)
        if _MODEL not in entries:
            raise ValueError(f"it has no {_MODEL!r}")
        values = _read_json(entries[_MODEL])
    if values["format"] > FORMAT:
        raise UserError(
            f"'{path}' has a newer format than {FORMAT}, which this version of cohear reads; install a newer cohear"
        )
    with _refusing(path):
        if unknown := sorted(entries.keys() - {_MODEL, _WEIGHTS, _CARD}):
            raise ValueError(f"it has an unknown entry {unknown[0]!r}")
        if missing := [name for name in (_WEIGHTS, _CARD) if name not in entries]:
            raise ValueError(f"it has no {missing[0]!r}")
        description = _read_description(entries[_MODEL], values)
        return PackedModel(description, _read_weights(entries[_WEIGHTS]), _read_card(entries[_CARD]))


def _read_json(text: bytes) -> dict[str, Any]:
    """Parse `model.json`, but for what it says; pydantic keeps an error for each value, so they are counted first."""
    if len(text) > MAX_TEXT_BYTES:
        raise ValueError(f"its {_MODEL!r} is larger than {MAX_TEXT_BYTES} bytes")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its {_MODEL!r} is no JSON") from error
    n_values, waiting = 0, [values]
    while waiting:
        value = waiting.pop()
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        n_values += len(inner)
        waiting.extend(inner)
    if n_values > MAX_VALUES:
        raise ValueError(f"its {_MODEL!r} has more than {MAX_VALUES} values")
    if not isinstance(values, dict) or type(values.get("format")) is not int:
        raise ValueError(f"its {_MODEL!r} names no format")
    return values


def _read_description(text: bytes, values: dict[str, Any]) -> Description:
    description = Description.model_validate_json(text, strict=True)
    missing = _first_missing(description.model_dump(mode="json"), values)
    if missing:  # where a default would be taken for it
        raise ValueError(f"its {_MODEL!r} has no {missing!r}")
    return description


def _first_missing(whole: Mapping[str, Any], given: Mapping[str, Any], place: str = "") -> str:
    for name, value in whole.items():
        if name not in given:
            return place + name
        if isinstance(value, Mapping) and (found := _first_missing(value, given[name], f"{place}{name}.")):
            return found
    return ""


def check_weights(weights: Mapping[str, np.ndarray], description: Description) -> None:
    """Make sure that weights are those of the network that is described.

    Raises:
        ValueError: where one is missing, unknown, of another shape or type, or no number.
    """
    shapes = weight_shapes(description.network, len(description.classes))
    if missing := [name for name in shapes if name not in weights]:
        raise ValueError(f"its weights lack {missing[0]!r}")
    if unknown := sorted(weights.keys() - shapes.keys()):
        raise ValueError(f"its weights have an unknown {unknown[0][:80]!r}")
    for name, (shape, dtype) in shapes.items():
        array = weights[name]
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(
                f"its weight {name!r} is {array.dtype} {list(array.shape)}, and the network that is described has "
                f"{np.dtype(dtype)} {list(shape)}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"its weight {name!r} is not finite")
        if name.endswith("running_var") and (array < 0).any():
            raise ValueError(f"its variance {name!r} is negative")


def _read_weights(data: bytes) -> dict[str, np.ndarray]:
    try:
        return load(data)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:  # a KeyError: of a type that numpy has not
        raise ValueError(f"its {_WEIGHTS!r} is damaged") from error


def _read_card(data: bytes) -> str:
    if len(data) > MAX_TEXT_BYTES:
        raise ValueError(f"its {_CARD!r} is larger than {MAX_TEXT_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"its {_CARD!r} is no text") from error


@contextmanager
def _refusing(path: str | Path) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        reason = f"its {_MODEL!r} is wrong: {first_error(error)}" if isinstance(error, ValidationError) else str(error)
        raise UserError(
            f"'{path}' is no packed model that can be used ({reason}); copy it again, or make it anew by `cohear pack`"
        ) from error
