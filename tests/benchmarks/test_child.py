import subprocess
import sys

import pytest

from cohear.benchmarks.child import ChildError, call_in_child


def test_a_child_returns_what_its_function_returns_and_has_as_many_threads_as_asked():
    assert call_in_child("operator:add", [1], [2]) == [1, 2]
    assert call_in_child("os:getenv", "OMP_NUM_THREADS", n_threads=3) == "3"


@pytest.mark.parametrize(
    ("function", "arguments", "said"),
    [
        ("operator:truediv", [1, 0], "ZeroDivisionError: division by zero"),
        ("no_such_module:call", [], "ModuleNotFoundError: No module named 'no_such_module'"),
        ("os:abort", [], "its process was ended by SIGABRT"),
        ("sys:exit", ["out of luck"], "its process ended with status 1: out of luck"),
    ],
)
def test_what_goes_wrong_in_a_child_is_told_in_one_line(function: str, arguments: list, said: str):
    with pytest.raises(ChildError) as raised:
        call_in_child(function, *arguments)
    assert str(raised.value) == said


def test_a_child_that_hangs_is_stopped():
    with pytest.raises(ChildError, match=r"it was stopped after 0\.3 s"):
        call_in_child("time:sleep", 60, timeout_s=0.3)


FRESH_PROCESS = """
import numpy as np
from cohear.benchmarks.memory import extra_peak_mb
there = np.ones(5_000_000)
def call():
    passing = there + 1  # 40 MB
    kept = [passing[:2_500_000] * 2]  # 20 MB
    del passing
    return kept
print(extra_peak_mb(call), extra_peak_mb(lambda: there[:10]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak can be set back on Linux only")
def test_peak_memory_is_beyond_what_was_there_and_what_is_returned():
    # In a process of its own: one that has freed much before takes that first, and it does not count.
    printed = subprocess.run([sys.executable, "-c", FRESH_PROCESS], capture_output=True, text=True, check=True).stdout
    passing_mb, nothing_mb = map(float, printed.split())
    assert passing_mb == pytest.approx(40, abs=4)
    assert nothing_mb < 4
