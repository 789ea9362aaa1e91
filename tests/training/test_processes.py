"""End-to-end: two processes train one network together."""

import json
import os
import subprocess
import sys

import pytest

from tiny import TINY


@pytest.mark.slow
def test_two_processes_train_one_network_and_write_one_folder(tones, tmp_path):
    settings = [word for text in TINY for word in ("--set", text)]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "cohear"]
    command += ["train", str(tones), "--preset", "small", *settings, "--out", str(tmp_path / "run")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("accuracy") == 1
    assert (tmp_path / "run" / "report.html").exists()
    history = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert [record["n_steps"] for record in history] == [5, 5]
