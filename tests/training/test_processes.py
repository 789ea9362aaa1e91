"""End-to-end: two processes train one network together."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cohear.training.checkpoint_files import read_newest
from tiny import TINY
from training.ranks import METHODS, compare, environment

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
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("accuracy") == 1
    assert (tmp_path / "run" / "report.html").exists()
    history = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert [record["n_steps"] for record in history] == [5, 5]


@pytest.mark.slow
def test_two_processes_stop_together_after_the_first_ones_best_epoch(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(EARLY_STOPPING)
    command = [*TORCHRUN, str(script), str(tmp_path)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "run" / "history.jsonl").read_text().splitlines()) == 5
    checkpoint, _ = read_newest(tmp_path / "run")
    for rank in (0, 1):
        left = load_file(tmp_path / f"{rank}.safetensors")
        assert torch.equal(left["linear.weight"], torch.from_numpy(checkpoint.tensors["best.linear.weight"]))


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes said and left that were stopped, found different checkpoints, and went on."""
    folder, script = tmp_path_factory.mktemp("resumed"), Path(__file__).with_name("resumed_ranks.py")
    command = [*TORCHRUN, str(script), str(folder)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_two_processes_that_were_stopped_end_in_the_bytes_of_two_that_were_not(resumed, rank):
    unbroken, weights = ((resumed / f"{name}-{rank}.safetensors").read_bytes() for name in ("unbroken", "resumed"))
    assert weights == unbroken


FOUND = {
    "stale": "process 0 epoch 1, step 2, process 1 epoch 1, step 0",
    "apart": "process 0 epoch 1, step 2, process 1 none",
    "changed": "process 0 epoch 1, step 2, process 1 another one of epoch 1, step 2",
}


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_processes_that_find_different_checkpoints_are_refused_and_change_nothing(resumed, rank):
    said = json.loads((resumed / f"{rank}.json").read_text())
    for case, found in FOUND.items():
        assert "the processes of this training find different checkpoints in '" in said[case], case
        assert f"': {found}" in said[case]
        assert said[case].endswith("so share it between their machines and see to its disk, then go on with --resume")
    assert ("(for process 1 the checkpoint '" in said["stale"]) == (rank == 1)
    assert ("step-2.safetensors' cannot be used (Stale file handle)); all" in said["stale"]) == (rank == 1)
    assert said["is untouched"]


@pytest.mark.slow
def test_what_ends_one_process_ends_the_other_in_words(resumed):
    first, second = (json.loads((resumed / f"{rank}.json").read_text()) for rank in (0, 1))
    assert second["unreadable"].endswith("(Stale file handle); see to the disk, then go on with --resume")
    assert first["unreadable"].startswith("process 1 of this training cannot use the checkpoints in '")
    assert first["statistics"] == second["statistics"]
    assert first["statistics"].startswith("the batch-norm statistics are no longer finite in epoch 0, after step 2, ")


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one_where_batch_norm_is_frozen(tmp_path):
    found = compare(tmp_path)
    assert {step.split(",")[0] for step in found["frozen"]} == set(METHODS)
    assert max(found["frozen"].values()) <= 1e-5
    # Where it trains, each process has the statistics of its half of a batch, except of a batch of one item.
    assert 1e-3 < max(found["training, all weights"].values()) < 1
