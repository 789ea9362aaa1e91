"""End-to-end: two processes train one network together."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cohear.training.checkpoint_files import read_newest
from tiny import TINY
from training.ranks import METHODS, compare

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
EARLY_STOPPING = """
import os, sys
from pathlib import Path
import torch.distributed
from safetensors.torch import save_file
from training.test_early_stopping import LOSSES, run

folder, rank = Path(sys.argv[1]), int(os.environ["RANK"])
losses = LOSSES if rank == 0 else range(6)  # the second process by itself would stop earlier, for another epoch
_, weights = run(folder / "run", measure=lambda epoch: {"validation_nll": losses[epoch]}, n_processes=2)
save_file({"linear.weight": weights["linear.weight"]}, folder / f"{rank}.safetensors")
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_train_one_network_and_write_one_folder(tones, tmp_path):
    settings = [word for text in TINY for word in ("--set", text)]
    command = [
        *TORCHRUN,
        "-m",
        "cohear",
        "train",
        str(tones),
        "--preset",
        "small",
        *settings,
        "--out",
        str(tmp_path / "run"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("accuracy") == 1
    assert (tmp_path / "run" / "report.html").exists()
    history = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert [record["n_steps"] for record in history] == [5, 5]


@pytest.mark.slow
def test_two_processes_stop_together_after_the_first_ones_best_epoch(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(EARLY_STOPPING)
    tests = Path(__file__).parents[1]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(tests)}
    command = [*TORCHRUN, str(script), str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "run" / "history.jsonl").read_text().splitlines()) == 5
    checkpoint, _ = read_newest(tmp_path / "run")
    for rank in (0, 1):
        left = load_file(tmp_path / f"{rank}.safetensors")
        assert torch.equal(left["linear.weight"], torch.from_numpy(checkpoint.tensors["best.linear.weight"]))


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one_where_batch_norm_is_frozen(tmp_path):
    found = compare(tmp_path)
    assert {step.split(",")[0] for step in found["frozen"]} == set(METHODS)
    assert max(found["frozen"].values()) <= 1e-5
    # Where it trains, each process has the statistics of its half of a batch, except of a batch of one item.
    assert 1e-3 < max(found["training, all weights"].values()) < 1
