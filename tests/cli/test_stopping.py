"""Real processes, stopped and killed after counted steps: nothing is lost, and it ends in the same bytes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cohear.training.checkpoints import checkpoint_paths
from tiny import OPTIONS

pytestmark = pytest.mark.slow

N_STEPS = 40
"""Eight epochs of five steps."""
LONG = (*OPTIONS, "--set", "training.epochs=8", "--track", "end")
HANGS_S = 300
"""For who waits in vain; no test depends on it."""


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str
    processes: list[int]
    """That were at work."""


@pytest.fixture
def stopped(tmp_path: Path) -> Callable[..., Ended]:
    """Run a command that is stopped: `what` happens after `n_steps` steps in each of `n_processes`."""

    def run(what: str, n_steps: int, *arguments: object, n_processes: int = 1, **streams: int) -> Ended:
        folder = tmp_path / f"at-work-{len(list(tmp_path.glob('at-work-*')))}"
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, Path(__file__).with_name("stopping.py"), *map(str, arguments)],
            cwd=tmp_path,
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "COHEAR_TEST_STOP": f"{what} {n_steps} {n_processes} {folder}",
            },
            text=True,
            timeout=HANGS_S,
            check=False,
            **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams),
        )
        processes = [int(path.name) for path in folder.iterdir()]
        return Ended(done.returncode, done.stdout or "", done.stderr or "", processes)

    return run


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_end(pids: list[int]) -> None:
    """The system needs a moment to end processes; return when it has."""
    for _ in range(100 * HANGS_S):
        if not any(map(is_alive, pids)):
            return
        time.sleep(0.01)
    raise AssertionError("processes live on")


def n_epochs(run: Path) -> int:
    history = run / "history.jsonl"
    return len(history.read_text().splitlines()) if history.exists() else 0


@pytest.fixture(scope="module")
def unbroken(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The weights of the long run when nothing stops it."""
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COHEAR_CACHE": str(folder.parent / "cache")}
    command = [sys.executable, "-m", "cohear", "train", str(tones), *LONG, "--out", str(folder)]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return (folder / "model.safetensors").read_bytes()


def test_a_signal_saves_says_how_to_go_on_and_resume_ends_in_the_same_bytes(cohear, stopped, tones, tmp_path, unbroken):
    run = tmp_path / "a run"
    words = ("train", tones, *LONG, "--out", run)
    ended = stopped("SIGTERM", 18, *words)
    assert (ended.status, ended.out) == (143, "")
    assert ended.err.splitlines()[-1].endswith("everything is saved; go on with the same command and --resume")
    assert "Traceback" not in ended.err
    assert not (run / "metrics.json").exists()
    assert n_epochs(run) == 3
    assert checkpoint_paths(run)[0].stem == "epoch-3-step-3"
    assert cohear(*words).refuses("--resume")
    assert cohear(*words, "--resume").status == 0
    assert (run / "model.safetensors").read_bytes() == unbroken


def test_a_run_killed_at_any_moment_resumes_to_the_same_bytes(stopped, cohear, tones, tmp_path, unbroken):
    run = tmp_path / "run"
    words = ("train", tones, *LONG, "--out", run, "--resume")
    for n_steps in (3, 22):
        assert stopped("SIGKILL", n_steps, *words).status == -signal.SIGKILL
    assert 0 < n_epochs(run) < 8
    assert cohear(*words).status == 0
    assert n_epochs(run) == 8
    assert (run / "model.safetensors").read_bytes() == unbroken
    assert not list(run.rglob("*.partial"))


def test_a_signal_while_sounds_are_decoded_leaves_no_part_of_a_store(stopped, tones, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setenv("COHEAR_CACHE", str(cache))
    ended = stopped("SIGTERM-decoding", 5, "train", tones, *LONG)
    assert ended.status == 143
    assert ended.err.splitlines()[-1] == "cohear: stopped; give the same command to begin again"
    assert ended.processes
    assert not [path for path in cache.rglob("*") if path.suffix not in (".lock", ".json")]
    assert not (tmp_path / "runs").exists()


def test_a_signal_to_a_grid_stops_all_its_processes_and_the_same_command_goes_on(
    cohear, stopped, tones, tmp_path, unbroken
):
    words = ("crossval", tones, *LONG, "--out", tmp_path / "runs", "--jobs")
    ended = stopped("SIGINT", 12, *words, 2, n_processes=2)
    assert (ended.status, ended.out) == (130, "")
    assert ended.err.splitlines()[-1].endswith("everything is saved; go on with the same command")
    assert "Traceback" not in ended.err
    assert len(ended.processes) == 2
    wait_for_end(ended.processes)
    assert [n_epochs(run) for run in (tmp_path / "runs").glob("*fold*")] == [2, 2]
    assert not list((tmp_path / "runs").glob("*/metrics.json"))
    assert cohear(*words, 1).status == 0
    (first,) = (tmp_path / "runs").glob("*fold1*")
    assert (first / "model.safetensors").read_bytes() == unbroken


def test_the_processes_of_a_killed_grid_do_not_live_on(stopped, tones, tmp_path):
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}  # the killed one's children hold them
    words = ("crossval", tones, *LONG, "--out", tmp_path / "runs", "--jobs", 2)
    ended = stopped("SIGKILL", 1, *words, n_processes=2, **streams)
    assert ended.status == -signal.SIGKILL
    assert len(ended.processes) == 2
    wait_for_end(ended.processes)


def test_two_jobs_leave_cleanly_when_the_time_is_over_and_one_goes_on_to_the_same_bytes(
    cohear, stopped, tones, tmp_path, unbroken
):
    words = ("reproduce", "table1", "--data", tones, *LONG, "--models", "Combination-CL")
    ended = stopped("budget", 15, *words, "--jobs", 2, "--out", tmp_path / "two", "--budget", "1000h")
    assert (ended.status, ended.out) == (0, "")
    assert "0 of 2 runs" in ended.err
    assert "Traceback" not in ended.err
    assert all(2 <= n_epochs(run) <= 3 for run in (tmp_path / "two").glob("*fold*"))
    assert cohear(*words, "--out", tmp_path / "two").status == 0
    first, second = sorted((tmp_path / "two").glob("*fold*"))
    assert (first / "model.safetensors").read_bytes() == unbroken
    assert (second / "report.html").exists()
