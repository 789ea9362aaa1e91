"""Grids on a real SLURM of this machine, which `slurm.sh` begins: `make cluster`."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tiny import OPTIONS, write_tones

if "COHEAR_SLURM" not in os.environ:
    pytest.skip("needs tests/cluster/slurm.sh", allow_module_level=True)

EPOCHS = ("--set", "training.epochs=25")
N_FOLDS = 3
"""One more than SLURM has cores."""
HANGS_S = 150
"""For who waits in vain; no test depends on it."""


def words(tones: Path, out: Path, *more: object) -> list[str]:
    return [sys.executable, "-m", "cohear", "crossval", *map(str, (tones, *OPTIONS, *EPOCHS, "--out", out, *more))]


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    return write_tones(tmp_path_factory.mktemp("tones"), n_folds=N_FOLDS)


@pytest.fixture(scope="module")
def local(tones, tmp_path_factory):
    """Runs by `--executor local`."""
    out, cache = tmp_path_factory.mktemp("local"), str(tmp_path_factory.getbasetemp() / "cache")
    env = {**os.environ, "OMP_NUM_THREADS": "1", "COHEAR_CACHE": cache}
    subprocess.run(words(tones, out), check=True, timeout=HANGS_S, capture_output=True, env=env)
    return out


@pytest.fixture(scope="module")
def unbroken(local):
    return made(local)


@pytest.fixture
def begun(tones, tmp_path):
    """A cross-validation by SLURM that is going on."""
    started: list[subprocess.Popen[str]] = []

    def begin(*options: str) -> subprocess.Popen[str]:
        given = [word for option in options for word in ("--slurm", option)]
        command = words(tones, tmp_path, "--executor", "slurm", *given)
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()
    slurm("scancel", "--name=cohear", "--signal=KILL", "--full")


def slurm(*command: str) -> str:
    return subprocess.run(command, check=False, timeout=30, capture_output=True, text=True).stdout


def made(out: Path) -> dict[str, list[bytes]]:
    """The bytes of each run's weights and answers."""
    names = ("model.safetensors", "predictions.safetensors")
    return {
        path.parent.name: [(path.parent / name).read_bytes() for name in names] for path in out.glob("*/metrics.json")
    }


def until(happens: Callable[[], object], process: subprocess.Popen[str]) -> None:
    until_s = time.monotonic() + HANGS_S
    while not happens():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until_s
        time.sleep(0.02)


def first_job(out: Path, process: subprocess.Popen[str]) -> str:
    """Wait until the first run has an epoch behind it, and return the number of its job."""
    until(lambda: any(path.stat().st_size for path in out.glob("*_fold1_*/history.jsonl")), process)
    jobs = dict(line.split() for line in slurm("squeue", "--noheader", "--array", "--format=%K %A").splitlines())
    return jobs["0"]


def test_a_job_whose_time_is_over_is_requeued_and_ends_in_the_same_bytes(begun, unbroken, tmp_path):
    process = begun("timeout_min=1", "signal_delay_s=1")
    job = first_job(tmp_path, process)
    pids = [line.split() for line in slurm("scontrol", "listpids", job).splitlines()]
    (pid,) = (int(pid) for pid, _, step, local, _ in pids if (step, local) == ("0", "0"))
    os.kill(pid, signal.SIGSTOP)  # until its time is over, however fast the machine: SLURM wakes whom it signals
    said, _ = process.communicate(timeout=HANGS_S)
    assert process.returncode == 0, said
    assert "Restarts=1" in slurm("scontrol", "show", "job", job)
    (log,) = tmp_path.glob(".slurm/*/*_0_0_log.out")
    assert re.search(r"\(\d\d+ remaining timeouts\)", log.read_text()), log.read_text()  # often enough for long runs
    assert made(tmp_path) == unbroken


def test_jobs_make_the_same_bytes_as_this_machine_and_so_does_one_that_is_requeued(begun, unbroken, tmp_path):
    process = begun()
    job = first_job(tmp_path, process)
    slurm("scontrol", "requeue", job)
    said, _ = process.communicate(timeout=HANGS_S)
    assert process.returncode == 0, said
    assert "Restarts=1" in slurm("scontrol", "show", "job", job)
    assert made(tmp_path) == unbroken
    assert len(unbroken) == N_FOLDS


def test_ctrl_c_cancels_the_jobs_and_the_same_command_goes_on(begun, unbroken, tmp_path):
    process = begun()
    first_job(tmp_path, process)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=HANGS_S)
    assert process.returncode == 128 + signal.SIGINT, said
    assert "what was begun is saved; go on with the same command" in said
    assert not made(tmp_path)
    said, _ = begun().communicate(timeout=HANGS_S)
    assert made(tmp_path) == unbroken, said


def test_jobs_hear_recordings_and_write_the_same_tables(local, tones, tmp_path):
    run = next(iter(sorted(local.glob("*_fold1_*"))))
    predict = [sys.executable, "-m", "cohear", "predict", str(run), str(tones.parent), "--parquet"]
    for out, by in (("here", ["local"]), ("there", ["slurm"])):
        words = [*predict, str(tmp_path / out), "--jobs", "1", "--executor", *by]
        subprocess.run(words, check=True, timeout=HANGS_S, capture_output=True)
    here, there = (
        {path.relative_to(tmp_path / out): path.read_bytes() for path in (tmp_path / out).rglob("*.parquet")}
        for out in ("here", "there")
    )
    assert len(here) == 1 + len(list(tones.parent.glob("*.wav")))
    assert there == here
