"""Where the output goes: a full disk is said in words, a reader that has left is no error."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from cli.conftest import noise
from cohear.cli.progress import progress_bar
from tiny import OPTIONS, SAMPLE_RATE

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")


@pytest.fixture
def dead_pipe() -> Iterator[int]:
    """A pipe whose reader has left."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def python(code: str, *arguments: object, **streams: object) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    return subprocess.run(command, text=True, env=environment | {"OMP_NUM_THREADS": "1"}, check=False, **streams)


def test_an_estimate_does_not_count_what_was_done_before(monkeypatch, capsys):
    clock = iter((0.0, 10.0, 50.0))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    with progress_bar("runs") as update:
        update(0.5, "")
        update(0.6, "3 of 5 done")
    assert capsys.readouterr().err == "runs: 60%, about 2.7 min left, 3 of 5 done\n"


def command(body: str) -> str:
    """A program that is cohear with a command of its own."""
    return (
        f"import os, sys, types\nfrom cohear import cli\ndef work() -> None:\n  {body}\n"
        "sys.modules['cohear.cli.work'] = types.SimpleNamespace(work=work)\n"
        "cli.COMMANDS['work'] = ('work', 'Work.')\ncli.main(['work'])"
    )


BIG = command("print('x' * 100_000)")
"""Prints more at once than a buffer holds."""
COHEAR = "from cohear.cli import main; main()"


@needs_full
def test_a_large_output_that_nothing_takes_is_one_sentence_and_status_2():
    with open("/dev/full", "w") as full:
        done = python(BIG, stdout=full)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_a_large_output_whose_reader_has_left_is_no_error(dead_pipe):
    done = python(BIG, stdout=dead_pipe)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_long_recording_whose_answers_nobody_reads_any_more_is_no_error(dead_pipe, trained, tmp_path):
    soundfile.write(tmp_path / "long.wav", noise(0, 60.0), SAMPLE_RATE)
    done = python(
        COHEAR, "predict", trained, tmp_path / "long.wav", "--hop-s", "0.05", "--threshold", "0", stdout=dead_pipe
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_another_pipe_that_breaks_is_no_success():
    done = python(command("reading, writing = os.pipe(); os.close(reading); os.write(writing, b'x')"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("BrokenPipeError")


@needs_full
def test_a_refusal_that_stderr_does_not_take_is_status_2():
    with open("/dev/full", "w") as full:
        done = python(COHEAR, "nonsense", stderr=full)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_refusal_with_stderr_closed_is_status_2_and_says_nothing_elsewhere():
    closing = ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-m", "cohear", "nonsense"]
    done = subprocess.run(closing, stdout=subprocess.PIPE, check=False)
    assert (done.returncode, done.stdout) == (2, b"")


def test_a_training_goes_on_though_nobody_reads_what_it_says(tones, tmp_path, dead_pipe):
    streams = {"stderr": dead_pipe, "stdout": dead_pipe}  # as `2>&1 | tee log` without its tee
    done = python(COHEAR, "train", tones, *OPTIONS, "--track", "end", "--out", tmp_path / "run", **streams)
    assert done.returncode == 0
    assert {"metrics.json", "report.html"} <= {path.name for path in (tmp_path / "run").iterdir()}
