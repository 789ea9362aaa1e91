"""What is recorded of the machine: enough to make a run again, and nothing private."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cohear.runtime.devices import describe_environment, faster_precision

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
    assert told["libsndfile"]
    assert (told["n_threads"], told["n_processes"]) == (torch.get_num_threads(), 1)


@pytest.mark.parametrize(("ratio", "expected"), [(0.25, "bf16"), (0.9, "float32"), (2.0, "float32"), (50.0, "float32")])
def test_bfloat16_is_chosen_only_where_the_processor_is_faster_in_it(monkeypatch, ratio, expected):
    if torch.cuda.is_available():
        pytest.skip("a GPU decides here")
    seconds = {torch.float32: 1.0, torch.bfloat16: ratio}
    monkeypatch.setattr("cohear.runtime.devices._product_s", seconds.__getitem__)
    assert faster_precision()[0] == expected


def test_a_checkout_tells_its_commit():
    git = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if git.returncode:
        pytest.skip("not a git checkout")
    assert describe_environment()["commit"].removesuffix("-dirty") == git.stdout.strip()
