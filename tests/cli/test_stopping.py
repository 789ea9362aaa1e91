"""Real processes, stopped and killed: nothing is lost, the way on is said, and it ends in the same bytes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tiny import OPTIONS

pytestmark = pytest.mark.slow

LONG = (*OPTIONS, "--set", "training.epochs=25", "--track", "end")
PATIENCE_S = 120.0


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Begin a command in a process of its own, on one thread."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "cohear", *map(str, arguments)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        for stream in filter(None, (process.stdout, process.stderr)):
            stream.close()
        process.wait()


def wait_until(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "nothing happened for too long"
        time.sleep(0.01)


def n_epochs(folder: Path) -> int:
    history = folder / "history.jsonl"
    return len(history.read_text().splitlines()) if history.exists() else 0


def children(process: subprocess.Popen[str]) -> list[int]:
    text = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(word) for word in text.split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_end(pids: list[int]) -> None:
    deadline = time.monotonic() + 10
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline, "processes live on"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def unbroken(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The weights of the long run when nothing stops it."""
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COHEAR_CACHE": str(folder.parent / "cache")}
    command = [sys.executable, "-m", "cohear", "train", str(tones), *LONG, "--out", str(folder)]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return (folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_saves_says_how_to_go_on_and_resume_ends_in_the_same_bytes(
    cohear, begin, tones, tmp_path, unbroken, number, status
):
    run = tmp_path / "a run"
    words = ("train", tones, *LONG, "--out", run)
    process = begin(*words)
    wait_until(lambda: n_epochs(run) >= 3, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (status, "")
    assert err.splitlines()[-1].endswith("everything is saved; go on with the same command and --resume")
    assert "Traceback" not in err
    assert not (run / "metrics.json").exists()
    assert 3 <= n_epochs(run) < 25
    assert cohear(*words, "--resume").status == 0
    assert (run / "model.safetensors").read_bytes() == unbroken


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_saves_and_keeps_its_status_though_nobody_reads_any_more(begin, tones, tmp_path, number, status):
    run = tmp_path / "run"
    process = begin("train", tones, *LONG, "--set", "training.epochs=1000", "--out", run)
    wait_until(lambda: n_epochs(run) >= 2, process)
    process.stdout.close()
    process.stderr.close()
    process.send_signal(number)
    assert process.wait(timeout=PATIENCE_S) == status
    done = n_epochs(run)
    assert 2 <= done < 1000
    newest = max(int(path.stem.split("-")[1]) for path in (run / "checkpoint").glob("epoch-*"))
    assert newest == done


def test_a_run_killed_at_any_moment_resumes_to_the_same_bytes(begin, cohear, tones, tmp_path, unbroken):
    run = tmp_path / "run"
    words = ("train", tones, *LONG, "--out", run, "--resume")
    for n_before_death in (1, 12):
        process = begin(*words)
        wait_until(lambda n=n_before_death: n_epochs(run) >= n, process)
        process.kill()
        process.communicate()
        assert n_before_death <= n_epochs(run) < 25
    assert cohear(*words).status == 0
    assert n_epochs(run) == 25
    assert (run / "model.safetensors").read_bytes() == unbroken
    assert not list(run.rglob("*.partial"))


def test_a_signal_while_sounds_are_decoded_leaves_no_part_of_a_store(begin, tones, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setenv("COHEAR_CACHE", str(cache))
    table = tmp_path / "many.csv"
    rows = [f"{tones.parent}/tone{i % 3}-1-0.wav,tone{i % 3},{i % 2},{i / 1e5},{0.5 + i / 1e5}" for i in range(9000)]
    table.write_text("\n".join(["path,label,fold,start,end", *rows]) + "\n")
    process = begin("train", table, *LONG, "--sounds", tones.parent)
    wait_until(lambda: any(cache.glob("*.partial")), process)
    process.terminate()
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 143
    assert err.splitlines()[-1] == "cohear: stopped; give the same command to begin again"
    assert not list(cache.glob("*.partial"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_a_grid_stops_all_its_processes_and_the_same_command_goes_on(
    cohear, begin, tones, tmp_path, unbroken, number
):
    words = ("crossval", tones, *LONG, "--out", tmp_path / "runs", "--jobs", 2)
    process = begin(*words)
    wait_until(lambda: sum(n_epochs(run) > 1 for run in (tmp_path / "runs").glob("*")) == 2, process)
    workers = children(process)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (128 + number, "")
    assert err.splitlines()[-1].endswith("everything is saved; go on with the same command")
    assert "Traceback" not in err
    assert len(workers) >= 2
    wait_for_end(workers)
    assert not list((tmp_path / "runs").glob("*/metrics.json"))
    assert cohear(*words[:-1], 1).status == 0
    (first,) = (tmp_path / "runs").glob("*fold1*")
    assert (first / "model.safetensors").read_bytes() == unbroken


def test_the_processes_of_a_killed_grid_do_not_live_on(begin, tones, tmp_path):
    process = begin("crossval", tones, *LONG, "--out", tmp_path / "runs", "--jobs", 2)
    wait_until(lambda: any(n_epochs(run) for run in (tmp_path / "runs").glob("*")), process)
    workers = children(process)
    process.kill()
    process.wait()
    wait_for_end(workers)


def test_two_jobs_give_the_bytes_of_one(cohear, begin, tones, tmp_path):
    words = ("crossval", tones, *OPTIONS, "--method", "bda", "--track", "end")
    process = begin(*words, "--jobs", 2, "--out", tmp_path / "two")
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    said = cohear(*words, "--jobs", 1, "--out", tmp_path / "one")
    assert said.out == out
    names = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").glob("*/model.safetensors"))
    assert len(names) == 2
    for name in names:
        for file in ("model.safetensors", "predictions.safetensors", "metrics.json"):
            paths = [tmp_path / folder / name.parent / file for folder in ("one", "two")]
            assert paths[0].read_bytes() == paths[1].read_bytes()
    assert all((tmp_path / "two" / name.parent / "report.html").exists() for name in names)


def test_two_jobs_within_budgets_leave_cleanly_and_end_in_the_same_bytes(begin, tones, tmp_path, unbroken):
    runs = tmp_path / "runs"
    words = ("reproduce", "table1", "--data", tones, *LONG, "--models", "Combination-CL", "--jobs", 2, "--out", runs)
    n_stopped = 0
    for budget_s in (6, 9, 60, 600):  # a slow machine has not begun when the first is over
        process = begin(*words, "--budget", f"{budget_s}s")
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, err
        assert "Traceback" not in err
        if "the time is used up" not in err:
            break
        n_stopped += 1
    assert n_stopped >= 1
    assert out.count("\nCombination-CL") == 1
    (first,) = runs.glob("*fold1*")
    assert (first / "model.safetensors").read_bytes() == unbroken
