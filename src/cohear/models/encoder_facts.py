"""What must be known to hear by an encoder, and where it is found out."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cohear import keys
from cohear.errors import UserError, in_one_line
from cohear.models.encoder import LONGEST_S, Encoder, EncoderFacts, other_file
from cohear.models.onnx_files import open_file
from cohear.runtime.files import parse_json, read_plain

SUFFIX = ".json"
"""Of the file beside an encoder that says what its own metadata does not: for `yamnet.onnx` `yamnet.json`, else
`encoder.json`."""
_MAX_BYTES = 2**16


def read_facts(path: Path, given: Mapping[str, Any]) -> EncoderFacts:
    """Find out what must be known of an encoder: from what is given, a JSON file beside it, its metadata, its shapes.

    Args:
        path: the ONNX file.
        given: what somebody says, by the names of `EncoderFacts`; None says nothing.

    Raises:
        UserError: where the file cannot be used, is another than was given, or something is missing, which it asks for.
    """
    opened = open_file(path)
    if given.get("digest") not in (None, opened.digest):
        raise other_file(opened.name)
    session = opened.session
    inside, beside = session.get_modelmeta().custom_metadata_map, _read_beside(path)
    said = {**inside, **beside, **{name: value for name, value in given.items() if value is not None}}
    said.setdefault("output", said.get("embedding_outputs_key"))  # as OpenSoundscape names it
    source = _choose(path, "input", _text(path, "input", said), session.get_inputs())
    likely = [its for its in session.get_outputs() if "embed" in its.name.lower() and len(its.shape or ()) <= 2]
    outputs = likely if len(likely) == 1 else session.get_outputs()
    output = _text(path, "output", said) or _choose(path, "output", None, outputs).name
    shape = list(source.shape)
    if not 1 <= len(shape) <= 3 or (len(shape) == 3 and shape[1] != 1) or source.type != "tensor(float)":
        raise UserError(
            f"the encoder '{path}' takes {source.type} of the shape {shape} and no waveforms, which are float32 "
            "[batch, window]; export it with its own spectrogram inside"
        )
    sample_rate = int(_number(path, "sample_rate", said))
    for rate in (of_file["sample_rate"] for of_file in (beside, inside) if "sample_rate" in of_file):
        if str(rate).replace(".", "", 1).isdecimal() and float(rate) != sample_rate:  # nonsense says nothing
            raise UserError(
                f"the encoder '{path}' hears at {rate} Hz, and not at {sample_rate} Hz; leave data.sample_rate to it"
            )
    if isinstance(shape[-1], int):
        said.setdefault("window", shape[-1])
    if "window" not in said and "sample_duration" in said:  # seconds; OpenSoundscape's too
        said["window"] = round(_number(path, "sample_duration", said, is_whole=False) * sample_rate)
    window = int(_number(path, "window", said, most=LONGEST_S * sample_rate))
    if isinstance(shape[-1], int) and shape[-1] != window:
        raise UserError(f"the encoder '{path}' takes windows of {shape[-1]} samples, and not {window}")
    peak = None if said.get("peak") is None else _number(path, "peak", said, is_whole=False)
    license = _text(path, "license", said)
    facts = EncoderFacts(sample_rate, window, None, source.name, output, peak, license, opened.digest)
    noises = keys.uniform(np.arange(2, dtype=np.uint64), window).astype(np.float32) - 0.5
    heard = Encoder(opened, facts).hear(noises)
    if np.array_equal(*heard):
        raise UserError(f"'{output}' of the encoder '{path}' is the same for any sound; choose another output")
    if given.get("n_features") not in (None, heard.shape[1]):
        raise UserError(f"the encoder '{path}' gives {heard.shape[1]} numbers, and not {given['n_features']}")
    return replace(facts, n_features=heard.shape[1])


def _choose(path: Path, what: str, name: str | None, there: Any) -> Any:
    names = [one.name for one in there]
    if name is None and len(names) > 1:
        raise UserError(
            f"the encoder '{path}' has the {what}s {', '.join(names)}; say which one by --set encoder.{what}=NAME"
        )
    if name is not None and name not in names:
        raise UserError(f"the encoder '{path}' has no {what} '{name}'; it has {', '.join(names)}")
    return there[names.index(name) if name else 0]


def _text(path: Path, name: str, said: Mapping[str, Any]) -> str | None:
    value = said.get(name)
    if value is not None and not isinstance(value, str):
        raise UserError(f"the encoder '{path}' cannot have {value!r} as its {name}, which is a text")
    return value or None


def _number(path: Path, name: str, said: Mapping[str, Any], *, is_whole: bool = True, most: float = 2**31) -> float:
    setting = "data.sample_rate" if name == "sample_rate" else f"encoder.{name}"
    if name not in said:
        raise UserError(
            f"the encoder '{path}' does not say its {name}; write it into '{path.with_suffix(SUFFIX)}' as "
            f'{{"{name}": N}}, or add --set {setting}=N where it is trained on'
        )
    try:
        value = math.nan if isinstance(said[name], bool) else float(said[name])
    except (TypeError, ValueError):
        value = math.nan
    if not 0 < value <= most or (is_whole and value != int(value)):
        raise UserError(f"the encoder '{path}' cannot have {said[name]!r} as its {name}; --set {setting}=N")
    return value


def _read_beside(path: Path) -> dict[str, Any]:
    for beside in (path.with_suffix(SUFFIX), path.with_name(f"encoder{SUFFIX}")):
        try:
            values = parse_json(read_plain(beside, _MAX_BYTES))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise UserError(f"'{beside}', beside the encoder, cannot be read: {in_one_line(str(error))}") from error
        if isinstance(values, dict):  # a list, as of labels, says nothing
            return values
    return {}
