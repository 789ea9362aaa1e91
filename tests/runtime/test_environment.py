import json
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cohear.runtime.environment import describe_environment

ROOT = Path(__file__).parents[2]


def test_variables_are_told_that_change_results_and_neither_paths_nor_secrets(monkeypatch: pytest.MonkeyPatch):
    for name, value in {
        "OMP_NUM_THREADS": "3",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "COHEAR_CACHE": "/home/ada/.cache",
        "CUDA_VISIBLE_DEVICES": "1,0",
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
        "AWS_SECRET_ACCESS_KEY": "xyzzy",
        "HOME": "/home/ada",
    }.items():
        monkeypatch.setenv(name, value)
    told = describe_environment()
    variables = told["variables"]
    assert variables["OMP_NUM_THREADS"] == "3"
    assert variables["MKL_ENABLE_INSTRUCTIONS"] == "AVX2"
    assert variables["CUDA_VISIBLE_DEVICES"] == "1,0"
    assert variables["PYTORCH_CUDA_ALLOC_CONF"] == "expandable_segments:True"
    assert variables["COHEAR_CACHE"] == "(a path)"
    told.pop("command")
    assert "xyzzy" not in json.dumps(told)
    assert "ada" not in json.dumps(told)


@pytest.mark.parametrize(
    "started_as", ["/home/ada/bin/cohear", "/home/ada/lib/python3.11/site-packages/cohear/__main__.py"]
)
def test_the_command_is_named_and_not_its_file(monkeypatch: pytest.MonkeyPatch, started_as: str):
    monkeypatch.setattr(sys, "argv", [started_as, "train", "sounds"])
    assert describe_environment()["command"] == ["cohear", "train", "sounds"]


def test_versions_are_those_of_the_packages_at_work():
    told = describe_environment()
    assert told["python"] == platform.python_version()
    assert told["packages"]["torch"] == torch.__version__
    assert told["packages"]["numpy"] == np.__version__
    assert all(isinstance(version, str) for version in told["packages"].values())
    assert any("Math Kernel Library" in line or "BLAS" in line for line in told["torch_build"])
    assert told["libraries"]["libsndfile"]
    assert told["n_processes"] == 1


def test_a_checkout_tells_its_commit_and_whether_files_were_changed():
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    git = subprocess.run(command, capture_output=True, text=True, check=False)
    if git.returncode:
        pytest.skip("not a git checkout")
    commit = describe_environment()["commit"]
    assert commit.removesuffix("-dirty") == git.stdout.strip()


@pytest.mark.slow
def test_an_installed_package_tells_no_commit_of_the_repository_around_it(tmp_path):
    installed = tmp_path / "lib" / "python" / "site-packages"
    (installed / "cohear").parent.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    subprocess.run(["cp", "-r", str(ROOT / "src" / "cohear"), str(installed)], check=True)
    script = "from cohear.runtime.environment import describe_environment; print(describe_environment()['commit'])"
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": str(installed)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "None"


def test_numbers_are_computed_as_the_precision_flags_say(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    precision = describe_environment()["precision"]
    assert (precision["cudnn_benchmark"], precision["cudnn_allows_tf32"]) == (True, False)
    assert precision["deterministic"] is False
