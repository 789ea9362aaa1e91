"""The seeds of the fuzzer are those that its script makes today, and know every setting there is."""

from typing import Any

import pytest
from pydantic import BaseModel

from cohear.experiments.config import Config
from faults.fuzz.configuration_inputs import seed_settings
from faults.fuzz.inputs import corpus
from faults.fuzz.make_corpus import MAKERS

_BY_BUILD = (".ogg", ".opus", ".webm", ".mp3", ".flac", ".m4a", ".aac", ".wma", ".mp4", "float.wav")
"""Ends of names whose bytes are those of a version of an encoder, or hold a random number or the time (float.wav)."""


@pytest.mark.parametrize("reader", MAKERS)
def test_seeds_are_those_that_are_made_today(reader: str):
    if reader == "audio":
        pytest.importorskip("av")
    made = dict(MAKERS[reader]())
    kept = {seed.name: seed.data for seed in corpus(reader)}
    assert sorted(made) == sorted(kept)
    differing = [name for name in made if made[name] != kept[name] and not name.endswith(_BY_BUILD)]
    assert differing == [], "cd tests && python -m faults.fuzz.make_corpus makes them anew"


@pytest.mark.parametrize("seed", ["paper.json", "small.json"])
def test_seeds_of_configurations_have_all_settings(seed: str):
    assert sorted(seed_settings(seed)) == sorted(settings_of(Config))


def settings_of(model: type[BaseModel], before: str = "") -> list[str]:
    names: list[str] = []
    for name, field in model.model_fields.items():
        kind: Any = field.annotation
        inner = isinstance(kind, type) and issubclass(kind, BaseModel)
        names += settings_of(kind, f"{before}{name}.") if inner else [f"{before}{name}"]
    return names
