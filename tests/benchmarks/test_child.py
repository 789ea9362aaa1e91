import sys

import numpy as np
import pytest

from cohear.benchmarks.child import ChildError, call_in_child
from cohear.benchmarks.memory import extra_peak_mb


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


@pytest.mark.skipif(sys.platform != "linux", reason="the peak can be set back on Linux only")
def test_peak_memory_is_beyond_what_was_there_and_what_is_returned():
    there = np.ones(5_000_000)

    def call() -> list[np.ndarray]:
        passing = there + 1  # 40 MB
        kept = [passing[:2_500_000] * 2]  # 20 MB
        del passing
        return kept

    assert extra_peak_mb(call) == pytest.approx(40, abs=4)
    assert extra_peak_mb(lambda: there[:10]) < 4
