"""What is recorded of the machine: enough to make a run again, and nothing private."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cohear.runtime.devices import describe_environment, native_precision

ROOT = Path(__file__).parents[2]


def test_variables_are_told_that_change_results_and_neither_paths_nor_secrets(monkeypatch: pytest.MonkeyPatch):
    told_ones = {"OMP_NUM_THREADS": "3", "CUDA_VISIBLE_DEVICES": "1,0", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
    private = {"COHEAR_CACHE": "/home/ada/.cache", "AWS_SECRET_ACCESS_KEY": "xyzzy", "HOME": "/home/ada"}
    for name, value in {**told_ones, **private}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["/home/ada/lib/python3.11/site-packages/cohear/__main__.py", "train", "sounds"])
    told = describe_environment()
    assert told["variables"].items() >= {**told_ones, "COHEAR_CACHE": "(a path)"}.items()
    assert told["command"] == ["cohear", "train", "sounds"]
    assert "xyzzy" not in json.dumps(told)
    assert "ada" not in json.dumps(told)


def test_the_record_is_json_and_tells_versions_and_threads():
    told = describe_environment()
    assert json.loads(json.dumps(told)) == told
    assert told["python"] == platform.python_version()
    assert told["packages"]["torch"] == torch.__version__
    assert told["libraries"]["libsndfile"]
    assert (told["n_threads"], told["n_processes"]) == (torch.get_num_threads(), 1)


@pytest.mark.parametrize("has_it", [True, False])
def test_bfloat16_is_chosen_only_where_the_processor_has_it(monkeypatch, has_it):
    if torch.cuda.is_available():
        pytest.skip("a GPU decides here")
    expected = "bf16" if has_it else "float32"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has_it, "avx2": True}, raising=False)
    assert native_precision()[0] == expected
    monkeypatch.delattr(torch.cpu, "get_capabilities")  # as before torch 2.13
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_it)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert native_precision()[0] == expected


def test_a_checkout_tells_its_commit():
    git = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if git.returncode:
        pytest.skip("not a git checkout")
    assert describe_environment()["commit"].removesuffix("-dirty") == git.stdout.strip()
