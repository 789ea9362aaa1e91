"""Facts about the machine that need no torch: cores, processes, how much memory is free."""

import ctypes
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

try:
    import resource
except ImportError:  # not on Windows
    resource = None

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
"""Of malloc.h."""

_PROC, _CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
_NO_LIMIT = 2**62
"""Above it a limit of the older control groups means none."""


def n_processes() -> int:
    """Return how many processes train one network together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def n_processes_here() -> int:
    """Return how many of them share this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def process_rank() -> int:
    """Return which of the processes of one training this is, counted from 0, before any of them have met."""
    return int(os.environ.get("RANK", "0"))


def n_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_bytes() -> int | None:
    """Return the bytes of main memory that this process can still take; None where the system does not tell.

    It is the least of what the machine has left, swap included, what the limits of its control groups leave, and
    what the limit of its own address space leaves. What the kernel would give back, such as files that it keeps in
    memory, is free.
    """
    rooms = [*_machine(), *_control_groups(), *_address_space()]
    return min(rooms, default=None)


def keep_freed_memory() -> None:
    """Let the C library keep what is freed, for the next step takes as much again; of glibc, elsewhere nothing.

    Else it gives blocks of some size back at once, and the kernel clears their pages anew when they are touched, which
    takes a third of a training's time.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    for option, value in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1), (_M_TOP_PAD, 64 << 20)):
        mallopt(option, value)  # what it does not know it leaves


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be had: torch's for a device, those of its CPU libraries, Python's.

    Example:
        >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("shapes differ"))
        (True, False)
    """
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError)):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (text in _PRIMITIVES or any(words in text for words in _TOO_LITTLE))


_TOO_LITTLE = (
    "can't allocate memory",  # torch on a CPU
    "not enough memory",  # the same on Windows
    "std::bad_alloc",
    "could not create a memory object",  # oneDNN
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
_PRIMITIVES = ("could not create a primitive", "could not execute a primitive")
"""The whole of what oneDNN says where it gets no memory for its code; what it cannot do at all it words otherwise."""


def _machine() -> Iterator[int]:
    kilobytes = _meminfo()
    if "MemAvailable" in kilobytes:
        yield 1024 * kilobytes["MemAvailable"] + _free_swap()


def _control_groups() -> Iterator[int]:
    """Yield what each group that this process is in leaves it: a limit holds for the groups below it too."""
    for line in _read(_PROC / "self" / "cgroup").splitlines():
        _, controllers, inside = line.split(":", 2)
        groups = (PurePosixPath(inside), *PurePosixPath(inside).parents)
        folders = [str(group).lstrip("/") for group in groups]
        if controllers == "":
            for folder in folders:
                yield from _group(_CGROUPS / folder, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            for folder in folders:
                yield from _group(_CGROUPS / "memory" / folder, *names)


def _group(folder: Path, limit_name: str, usage_name: str, idle_name: str) -> Iterator[int]:
    limit, usage = _read(folder / limit_name).strip(), _read(folder / usage_name).strip()
    if limit.isdigit() and usage.isdigit() and int(limit) < _NO_LIMIT:
        counts = dict(line.split() for line in _read(folder / "memory.stat").splitlines())
        yield max(0, int(limit) - int(usage)) + int(counts.get(idle_name, 0)) + _free_swap()


def _free_swap() -> int:
    return 1024 * _meminfo().get("SwapFree", 0)


def _meminfo() -> dict[str, int]:
    lines = (line.partition(":") for line in _read(_PROC / "meminfo").splitlines())
    return {name: int(rest.split()[0]) for name, _, rest in lines}


def _address_space() -> Iterator[int]:
    if resource is None:
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    pages = _read(_PROC / "self" / "statm").split()
    if limit != resource.RLIM_INFINITY and pages:
        yield max(0, limit - int(pages[0]) * resource.getpagesize())


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
