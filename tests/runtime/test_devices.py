"""Where decoded sounds are kept, and what is recorded of the machine."""

import json
from pathlib import Path

import torch

from cohear.runtime.devices import cache_folder
from cohear.runtime.environment import describe_environment


def test_the_cache_is_where_the_environment_says_else_in_the_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("COHEAR_CACHE", "~/sounds")
    assert cache_folder() == Path("/home/somebody/sounds")
    monkeypatch.delenv("COHEAR_CACHE")
    assert cache_folder() == Path("/home/somebody/.cache/cohear")


def test_the_environment_is_json_and_records_what_can_change_the_last_bits():
    described = describe_environment()
    assert json.loads(json.dumps(described)) == described
    assert described["packages"]["torch"] == torch.__version__.split("+")[0] or torch.__version__
    assert described["n_threads"] == torch.get_num_threads()
