"""Where the output goes: a full disk is said in words, a reader that has left is no error."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiny import OPTIONS

COHEAR = (sys.executable, "-m", "cohear")
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")


@needs_full
@pytest.mark.parametrize("option", ["--version", "--help"])
def test_an_output_that_takes_nothing_is_one_sentence_and_status_2(option):
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COHEAR, option], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == ("cohear: the output cannot be written (No space left on device); send it to another place\n")


@pytest.fixture
def dead_pipe() -> Iterator[int]:
    """A pipe whose reader has left."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def test_a_reader_that_has_left_is_no_error(dead_pipe):
    done = subprocess.run([*COHEAR, "--help"], stdout=dead_pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


BIG = """
import sys
from cohear import cli
cli.app.command("big")(lambda: print("x" * 100_000))
cli.main(["big"])
"""
"""A command that prints more at once than a buffer holds."""


@needs_full
def test_a_large_output_that_nothing_takes_is_one_sentence_and_status_2():
    command = [sys.executable, "-c", BIG]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=buffered, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_a_large_output_whose_reader_has_left_is_no_error(dead_pipe):
    command = [sys.executable, "-c", BIG]
    done = subprocess.run(command, stdout=dead_pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


BROKEN_ELSEWHERE = """
import os
from cohear import cli
def write() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.write(writing, b"x")
cli.app.command("write")(write)
cli.main(["write"])
"""


def test_another_pipe_that_breaks_is_no_success():
    done = subprocess.run([sys.executable, "-c", BROKEN_ELSEWHERE], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("BrokenPipeError")


MISUSES = [("train", "/nowhere"), ("train", "--nonsense"), ("nonsense",), ()]


@needs_full
@pytest.mark.parametrize("words", MISUSES)
def test_a_refusal_that_stderr_does_not_take_is_status_2(words):
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COHEAR, *words], stdout=subprocess.PIPE, stderr=full, check=False)
    assert (done.returncode, done.stdout) == (2, b"")


@pytest.mark.parametrize("words", MISUSES)
def test_a_refusal_that_nobody_reads_is_status_2(words, dead_pipe):
    done = subprocess.run([*COHEAR, *words], stdout=dead_pipe, stderr=dead_pipe, check=False)
    assert done.returncode == 2


def test_a_refusal_with_stderr_closed_is_status_2_and_says_nothing_elsewhere():
    closing = ["sh", "-c", 'exec "$@" 2>&-', "sh"]
    done = subprocess.run([*closing, *COHEAR, "train", "/nowhere"], stdout=subprocess.PIPE, check=False)
    assert (done.returncode, done.stdout) == (2, b"")


@needs_full
def test_a_defect_that_stderr_does_not_take_is_status_1():
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", BROKEN_ELSEWHERE], stderr=full, check=False)
    assert done.returncode == 1


@pytest.mark.slow
def test_a_training_goes_on_though_nobody_reads_what_it_says(tones, tmp_path, dead_pipe):
    words = [*COHEAR, "train", str(tones), *OPTIONS, "--track", "end", "--out"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for name, stdout in (("stderr", subprocess.PIPE), ("both", dead_pipe)):  # as `2>&1 | tee log` without its tee
        folder = tmp_path / name
        done = subprocess.run(
            [*words, str(folder)], stdout=stdout, stderr=dead_pipe, env=environment, cwd=tmp_path, check=False
        )
        assert done.returncode == 0
        assert (folder / "metrics.json").is_file()
        assert (folder / "report.html").is_file()
        assert stdout == dead_pipe or done.stdout.startswith(b"accuracy ")


STALE = """
import errno, os
from cohear.cli import streams
status_of = os.fstat
def fstat(descriptor):
    if descriptor == 1:
        raise OSError(errno.ESTALE, "Stale file handle")
    return status_of(descriptor)
os.fstat = fstat
streams.guard_streams()
print("a result", flush=True)
"""


def test_an_output_whose_disk_does_not_answer_is_not_taken_for_a_closed_one():
    done = subprocess.run([sys.executable, "-c", STALE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "a result\n")


def test_a_library_that_ends_the_process_has_its_say():
    ends = "import sys; from cohear import cli; cli.app.command('end')(lambda: sys.exit('install foo'))"
    done = subprocess.run(
        [sys.executable, "-c", f"{ends}; cli.main(['end'])"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "install foo\n")


def test_the_version_is_that_of_the_package(cohear):
    said = cohear("--version")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("cohear 0.")
