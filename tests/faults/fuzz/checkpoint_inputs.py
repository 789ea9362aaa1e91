"""Checkpoints that lie; most are sealed again, or their checksum would be all that is tried."""

import json
from typing import Any

import numpy as np
from hypothesis import strategies as st

from cohear.runtime.sealed_tensors import seal, unseal
from faults.fuzz.configuration_inputs import spoiled_json
from faults.fuzz.inputs import Input, corpus
from faults.fuzz.mutations import mutated
from faults.fuzz.packed_inputs import spoiled_tensors

_ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)


def checkpoint_inputs() -> st.SearchStrategy[Input]:
    """Draw checkpoints: damaged ones, and ones whose checksum is right."""
    seeds = corpus("checkpoints")
    whole = [seed for seed in seeds if not seed.name.startswith("unsealed")]
    return st.one_of(
        mutated(seeds, in_front=8, most=2),
        mutated(seeds, in_front=2000, most=2),
        _spoiled(whole),
        _spoiled_seal(whole),
        _sealed_again(whole),
    )


@st.composite
def _spoiled(draw: st.DrawFn, seeds: list[Input]) -> Input:
    seed = draw(st.sampled_from(seeds))
    return Input(seed.name, spoiled_tensors(draw, seed.data))


@st.composite
def _spoiled_seal(draw: st.DrawFn, seeds: list[Input]) -> Input:
    """Change the metadata, in which the checksum and the progress stand."""
    seed = draw(st.sampled_from(seeds))
    n_header = int.from_bytes(seed.data[:8], "little")
    header = json.loads(seed.data[8 : 8 + n_header])
    name, text = next(iter(header["__metadata__"].items()))
    header["__metadata__"][name] = draw(st.one_of(st.just(text[:-1]), st.just(spoiled_json(draw, json.loads(text)))))
    # JSON in JSON: what is no UTF-8 stays an escape.
    written = json.dumps(header).encode()
    return Input(seed.name, len(written).to_bytes(8, "little") + written + seed.data[8 + n_header :])


@st.composite
def _sealed_again(draw: st.DrawFn, seeds: list[Input]) -> Input:
    """Change tensors or progress and seal them rightly: a whole file that says something else."""
    seed = draw(st.sampled_from(seeds))
    tensors, progress = unseal(seed.data)
    tensors = dict(tensors)
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.one_of(st.sampled_from(sorted(tensors)), st.text(max_size=8)))
        kind = draw(st.sampled_from((np.float32, np.float64, np.int64, np.uint8, np.bool_)))
        shape = draw(st.lists(st.integers(0, 3), max_size=3))
        tensors[name] = np.full(shape, draw(st.sampled_from((0, 1, 255))), kind)
    name = draw(st.one_of(st.sampled_from(("epoch", "step")), st.text(max_size=5)))
    about = draw(_ANYTHING) if draw(st.booleans()) else {**progress, name: draw(_ANYTHING)}
    try:
        return Input(seed.name, seal(tensors, about))
    except (UnicodeEncodeError, ValueError):  # a name that is no text cannot be written at all
        return seed
