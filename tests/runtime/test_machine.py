"""Free memory as machines, control groups and limits tell it, each made up in a folder; and errors for want of it."""

import platform
import subprocess
import sys

import numpy as np
import pytest
import torch

from cohear.runtime import machine as facts
from cohear.runtime.machine import free_bytes, is_out_of_memory

MEMINFO = "MemTotal: 8000 kB\nMemFree: 100 kB\nMemAvailable: 5000 kB\nSwapFree: 1000 kB\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Stand for a machine: call it with the contents of files."""
    monkeypatch.setattr(facts, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(facts, "_CGROUPS", tmp_path / "cgroups")

    def write(**files: str) -> None:
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_OF_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


def test_what_a_machine_has_left_is_free_with_its_swap(machine):
    machine(proc__meminfo=MEMINFO)
    assert free_bytes() == 1024 * 6000


def test_where_the_system_does_not_tell_nothing_is_known(machine):
    assert free_bytes() is None


def test_a_control_group_leaves_its_limit_less_what_is_used_and_cannot_be_given_back(machine):
    machine(proc__meminfo=MEMINFO, proc__self__cgroup="0::/box/job\n", cgroups__box__job__memory_OF_max="max\n")
    machine(cgroups__box__job__memory_OF_current="5\n")
    assert free_bytes() == 1024 * 6000
    machine(cgroups__box__memory_OF_max="3000000\n", cgroups__box__memory_OF_current="2500000\n")
    machine(cgroups__box__memory_OF_stat="anon 7\ninactive_file 100000\n")
    assert free_bytes() == 600000 + 1024 * 1000


def test_so_does_one_of_the_older_kind_whose_path_is_seen_from_inside(machine):
    machine(proc__meminfo=MEMINFO.replace("SwapFree: 1000", "SwapFree: 0"))
    machine(proc__self__cgroup="7:cpu:/x\n4:memory:/docker/1234\n")
    machine(cgroups__memory__memory_OF_limit_in_bytes="900000\n", cgroups__memory__memory_OF_usage_in_bytes="1000\n")
    assert free_bytes() == 899000
    machine(cgroups__memory__memory_OF_limit_in_bytes="9223372036854771712\n")
    assert free_bytes() == 1024 * 5000


def test_a_limit_of_the_address_space_is_kept_to():
    code = (
        "import resource; from cohear.runtime.machine import free_bytes\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 10_000_000,) * 2); print(free_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 8_000_000 < int(done.stdout) <= 10_000_000


def too_much_for_torch() -> None:
    torch.empty(2**50)


def too_much_for_numpy() -> None:
    np.empty(2**50)


def on_a_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.mark.parametrize("allocate", [too_much_for_torch, too_much_for_numpy, on_a_gpu])
def test_real_allocation_errors_are_known(allocate):
    with pytest.raises((RuntimeError, MemoryError)) as failed:
        allocate()
    assert is_out_of_memory(failed.value)


def test_other_errors_are_not_taken_for_them():
    with pytest.raises(RuntimeError) as failed:
        torch.zeros(2) @ torch.zeros(3)
    assert not is_out_of_memory(failed.value)
    assert not is_out_of_memory(RuntimeError("could not create a primitive descriptor for a convolution"))
    assert not is_out_of_memory(FileNotFoundError("can't allocate memory.wav"))


FAULTS = """
import resource, sys, torch
from cohear.runtime.machine import keep_freed_memory
if sys.argv[1:]:
    keep_freed_memory()
for turn in range(12):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_memory_that_was_freed_is_used_again_without_the_kernel():
    freed, kept = (
        int(subprocess.run([sys.executable, "-c", FAULTS, *words], capture_output=True, text=True, check=True).stdout)
        for words in ([], ["kept"])
    )
    assert freed > 20
    assert kept < freed / 5
