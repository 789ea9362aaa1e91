"""Inputs that lie, for each reader: valid files of its kind with values that do not go with the rest."""

import copy
import json
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from cohear.runs.config import FIELDS
from cohear.runtime.sealed_tensors import seal, unseal
from faults.fuzz.inputs import Input, corpus, mutated

_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from((None, True, 0, -1, 1, 2**31, 2**63, 2**64, 10**400, 1e308, float("nan"), float("inf"), -0.0)),
    st.sampled_from(("", "none", "all", "1", "1e3", "\n", "\x00", "\ud800", "\u202e", "x" * 5000, "../..", "\x1b[2J")),
    st.integers(),
    st.floats(),
    st.text(max_size=10),
    st.lists(st.one_of(st.integers(), st.floats(), st.text(max_size=5)), max_size=4),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)
_CELLS = (
    *("../outside.wav", "/etc/passwd", "/dev/zero", "sub/../../outside.wav", "..", ".", "/", "link.wav", "away/d.wav"),
    *("round/round/../../outside.wav", "loop.wav", "~/a.wav", "sub", "C:\\a.wav", "file:///etc/passwd", "a\x00.wav"),
    *("\u202egnp.wav", "n" * 300 + ".wav", "d/" * 3000 + "a.wav", "a.wav", "none.wav", "é.wav", ";", "frog;toad", " "),
    *("\x1b[2J", "x" * 5000, "-1", "nan", "inf", "1e400", "1e-300", "9" * 400, "0x10", "1_0", "½", "1.5", "0"),
)
"""Of tables: names that lead elsewhere, numbers that are none."""
_LIES = (0, 1, 2, 3, 8, 100, 959, 961, 2**15, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)


def _audio() -> st.SearchStrategy[Input]:
    seeds = corpus("audio")
    return st.one_of(mutated(seeds, in_front=64), mutated(seeds, in_front=64, most=2), _lying_wave())


@st.composite
def _lying_wave(draw: st.DrawFn) -> Input:
    """Write a WAV file of which at most two fields are not what they should be."""
    data = draw(st.binary(min_size=2, max_size=64)) * draw(st.sampled_from((30, 1, 0)))
    lying = draw(st.lists(st.sampled_from(("tag", "channels", "rate", "block", "bits", "fmt", "data")), max_size=2))

    def of(name: str, truth: int, lies: tuple[int, ...]) -> int:
        return draw(st.sampled_from(lies)) if name in lying else truth

    tag = of("tag", 1, (3, 6, 7, 2, 0x11, 0x31, 0x14, 0x40, 0x50, 0x55, 0xFFFE))
    n_channels = of("channels", 1, (2, 6, 256, 1024, 0, 1025, 65535))
    rate = of("rate", 8000, (44100, 192000, 0, 1, 7, 100, 655350, *_LIES))
    bits = of("bits", 16, (8, 24, 32, 64, 4, 0, 1, 12, 255))
    block = of("block", n_channels * bits // 8 % 2**16, (0, 1, 3, 2**16 - 1))
    body = struct.pack("<HHIIHH", tag, n_channels, rate, rate * block % 2**32, block, bits)
    chunks = b"fmt " + struct.pack("<I", of("fmt", len(body), _LIES)) + body
    if draw(st.booleans()):
        part = draw(st.binary(max_size=60))
        chunks += (
            draw(st.sampled_from((b"fact", b"LIST", b"smpl", b"ds64", b"id3 "))) + struct.pack("<I", len(part)) + part
        )
    chunks += b"data" + struct.pack("<I", of("data", len(data), _LIES)) + data
    return Input("lying.wav", b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks)


def _tables() -> st.SearchStrategy[Input]:
    seeds = corpus("tables")
    return st.one_of(mutated(seeds, in_front=12), mutated(seeds, most=2), _other_cells(seeds), _other_cells(seeds))


@st.composite
def _other_cells(draw: st.DrawFn, seeds: list[Input]) -> Input:
    """Put other cells into a table, after its first line of names."""
    seed = draw(st.sampled_from(seeds))
    parts = re.split(r"([,;\t\n]|\": |, \")", seed.data.decode())
    first = 0 if seed.name.endswith(("jsonl", "a.txt")) else parts.index("\n") + 1
    for _ in range(draw(st.integers(1, 3))):
        place = 2 * draw(st.integers((first + 1) // 2, (len(parts) - 1) // 2))
        parts[place] = draw(st.sampled_from(_CELLS))
    if not draw(st.integers(0, 9)):
        parts += ["\n", *parts[first:]] * draw(st.sampled_from((1, 300)))
    encoding = draw(st.sampled_from(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16")))
    return Input(seed.name, "".join(parts).encode(encoding, "surrogatepass"))


def _configurations() -> st.SearchStrategy[Input]:
    seeds = corpus("configuration")
    runs = [seed for seed in seeds if seed.name.endswith(".json")]
    return st.one_of(mutated(seeds, in_front=2, most=2), _other_values(runs), _settings())


@st.composite
def _other_values(draw: st.DrawFn, seeds: list[Input]) -> Input:
    seed = draw(st.sampled_from(seeds))
    return Input(seed.name, spoiled_json(draw, json.loads(seed.data)).encode("utf-8", "surrogatepass"))


def spoiled_json(draw: st.DrawFn, values: dict[str, Any]) -> str:
    """Change, remove, add or nest some of the values, and write them as JSON."""
    values = copy.deepcopy(values)
    for _ in range(draw(st.integers(1, 3))):
        target: Any = values
        while inner := [value for value in target.values() if isinstance(value, dict) and value]:
            if not draw(st.integers(0, 3)):
                break
            target = draw(st.sampled_from(inner))
        names = sorted(target)
        name = draw(st.sampled_from(names)) if draw(st.integers(0, 4)) else draw(st.text(max_size=6))
        if not draw(st.integers(0, 5)):
            target.pop(name, None)
        else:
            target[name] = draw(_VALUES)
        if not target:
            break
    text = json.dumps(values, ensure_ascii=draw(st.booleans()))
    if not draw(st.integers(0, 19)):
        deep = draw(st.sampled_from(("[" * 50000, '{"a":' * 5000, "[" * 900 + "]" * 900, "9" * 5000, "1e99999")))
        text = f'{text[:-1]}, "deep": {deep}}}'
    return text


@st.composite
def _settings(draw: st.DrawFn) -> Input:
    """Draw settings, one a line, as `--set` takes them."""
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.one_of(st.sampled_from(sorted(FIELDS)), st.text(max_size=10)))
        value = draw(_VALUES)
        lines.append(f"{name}={'9' * 400 if value == 10**400 else value}" if draw(st.integers(0, 9)) else name)
    return Input("x.set", "\n".join(lines).encode("utf-8", "surrogatepass"))


def _checkpoints() -> st.SearchStrategy[Input]:
    seeds = corpus("checkpoints")
    return st.one_of(mutated(seeds, in_front=8, most=2), _sealed_again(seeds))


def _packed_models() -> st.SearchStrategy[Input]:
    seeds = corpus("packed")
    return st.one_of(mutated(seeds, in_front=8, most=2), _sealed_again(seeds), _sealed_again(seeds))


@st.composite
def _sealed_again(draw: st.DrawFn, seeds: list[Input]) -> Input:
    """Change what is said of tensors, or a tensor, and seal them rightly: a whole file that says something else."""
    seed = draw(st.sampled_from(seeds))
    tensors, about = unseal(seed.data)
    tensors = dict(tensors)
    if not draw(st.integers(0, 3)):
        tensors.pop(draw(st.sampled_from(sorted(tensors))))
    if not draw(st.integers(0, 3)):
        name = draw(st.one_of(st.sampled_from([*tensors, "x"]), st.text(max_size=8)))
        kind = draw(st.sampled_from((np.float32, np.float64, np.int64, np.uint8, np.bool_)))
        shape = draw(st.lists(st.integers(0, 3), max_size=3))
        tensors[name] = np.full(shape, draw(st.sampled_from((0, 1, 255))), kind)
    try:
        return Input(seed.name, seal(tensors, json.loads(spoiled_json(draw, about))))
    except (ValueError, RecursionError):  # what no JSON holds, as half a letter, cannot be written at all
        return seed


GENERATORS: Mapping[str, Callable[[], st.SearchStrategy[Input]]] = {
    "audio": _audio,
    "tables": _tables,
    "configuration": _configurations,
    "packed": _packed_models,
    "checkpoints": _checkpoints,
}
"""By reader."""
