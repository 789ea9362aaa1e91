"""End-to-end: two processes train one network together."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cohear.training.checkpoints import read_newest
from tiny import TINY
from training.ranks import METHODS, compare, environment

pytestmark = pytest.mark.slow
WORDS = ("unreadable", "statistics")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def run_two(*words: str) -> str:
    """Run two processes that both end with status 0, and return what they wrote."""
    done = subprocess.run(
        [*TORCHRUN, *words], env=environment(), capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_processes_train_one_network_and_write_one_folder(tones, tmp_path):
    settings = [word for text in TINY for word in ("--set", text)]
    command = ["-m", "cohear", "train", str(tones), "--preset", "quarter", *settings, "--out", str(tmp_path / "run")]
    assert run_two(*command).count("accuracy") == 1
    assert (tmp_path / "run" / "report.html").exists()
    history = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert [record["n_steps"] for record in history] == [5, 5]


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes said and left that were stopped, could not read a checkpoint, and went on."""
    folder = tmp_path_factory.mktemp("resumed")
    run_two(str(Path(__file__).with_name("resumed_ranks.py")), str(folder))
    return folder


@pytest.mark.parametrize("rank", [0, 1])
def test_two_processes_stop_together_and_those_that_were_stopped_end_in_the_same_bytes(resumed, rank):
    weights, others = ((resumed / f"{name}-{rank}.safetensors").read_bytes() for name in ("unbroken", "resumed"))
    assert weights == others
    assert len((resumed / "unbroken" / "history.jsonl").read_text().splitlines()) == 5
    best = torch.from_numpy(read_newest(resumed / "unbroken")[0].tensors["best.head.weight"])
    assert torch.equal(load_file(resumed / f"unbroken-{rank}.safetensors")["head.weight"], best)


def test_two_processes_write_no_checkpoint_twice_in_a_row(resumed):
    first, second = (json.loads((resumed / f"{rank}.json").read_text()) for rank in (0, 1))
    assert second["saved"] == []
    within = [step for epoch, step in first["saved"] if epoch == 0 and step]
    assert within
    assert all(later - earlier >= 2 for earlier, later in itertools.pairwise(within))


def test_what_ends_one_process_ends_the_other_in_the_same_words(resumed):
    first, second = (json.loads((resumed / f"{rank}.json").read_text()) for rank in (0, 1))
    assert [first[what] for what in WORDS] == [second[what] for what in WORDS]
    assert "Stale file handle" in first["unreadable"]
    assert "no longer finite in epoch 1" in first["statistics"]


def test_two_processes_have_the_gradients_of_one_where_batch_norm_is_frozen(tmp_path):
    found = compare(tmp_path)
    assert {step.split(",")[0] for step in found} == set(METHODS)
    assert max(found.values()) <= 1e-5
