"""Configurations that lie: values of another kind, of another size, too deep, and settings nobody knows."""

import copy
import json
from typing import Any

from hypothesis import strategies as st

from faults.fuzz.inputs import Input, corpus
from faults.fuzz.mutations import mutated

_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        (None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**400, 1e308, float("nan"), float("inf"), -0.0)
    ),
    st.sampled_from(("", "none", "all", "1", "1e3", "\n", "\x00", "\ud800", "\u202e", "x" * 5000, "../..", "\x1b[2J")),
    st.integers(),
    st.floats(),
    st.text(max_size=10),
    st.lists(st.one_of(st.integers(), st.floats(), st.text(max_size=5)), max_size=4),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)


def configuration_inputs() -> st.SearchStrategy[Input]:
    """Draw run configurations and settings."""
    seeds = corpus("configuration")
    runs = [seed for seed in seeds if seed.name.endswith(".json")]
    return st.one_of(
        mutated(seeds, in_front=2, most=2), changed_json(runs), changed_json(runs), _settings(), _settings()
    )


@st.composite
def changed_json(draw: st.DrawFn, seeds: list[Input]) -> Input:
    """Draw a JSON file in which some values are others, somewhere."""
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
    known = seed_settings("paper.json")
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.one_of(st.sampled_from(known), st.sampled_from(known), st.text(max_size=10)))
        value = draw(_VALUES)
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value) if value != 10**400 else "9" * 400
        lines.append(f"{name}={text}" if draw(st.integers(0, 9)) else name)
    return Input("x.set", "\n".join(lines).encode("utf-8", "surrogatepass"))


def seed_settings(seed: str) -> list[str]:
    """Return the names of the settings in a seed, as `--set` takes them."""
    data = next(its.data for its in corpus("configuration") if its.name == seed)
    return _flat(json.loads(data)["config"])


def _flat(values: dict[str, Any], before: str = "") -> list[str]:
    names = []
    for name, value in values.items():
        names += _flat(value, f"{before}{name}.") if isinstance(value, dict) else [f"{before}{name}"]
    return names
