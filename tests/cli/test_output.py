"""Where the output goes: a full disk is said in words, a reader that has left is no error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COHEAR = (sys.executable, "-m", "cohear")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("option", ["--version", "--help"])
def test_an_output_that_takes_nothing_is_one_sentence_and_status_2(option):
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COHEAR, option], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == ("cohear: the output cannot be written (No space left on device); send it to another place\n")


def test_a_reader_that_has_left_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as nobody:
        done = subprocess.run([*COHEAR, "--help"], stdout=nobody, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_version_is_that_of_the_package(cohear):
    said = cohear("--version")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("cohear 0.")
