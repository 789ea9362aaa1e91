"""The standard streams of the command line: who stops listening to one of them must not stop a training."""

import contextlib
import errno
import io
import os
import sys
from typing import Any, TextIO

_refusals: list[OSError] = []
"""What the standard output failed with."""


class _Stdout(io.FileIO):
    """Notes its failures: who meets one later cannot tell it from that of another file or pipe."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            _refusals.append(error)
            raise


class _Stderr(io.FileIO):
    """Drops what its descriptor does not take."""

    def write(self, data: Any, /) -> int:
        written: int | None = None
        with contextlib.suppress(OSError):
            written = super().write(data)  # None where the descriptor is not to block, and full
        return memoryview(data).nbytes if written is None else written


def guard_streams() -> None:
    """From now on, what cannot be said on stderr is dropped, and what stdout refuses is known.

    The reader of stderr may be gone (`2>&1 | tee`), its disk full, its terminal closed, or it may never have been open.
    Nothing stops for that, and no exit status changes, not even where the interpreter flushes its streams in the end.
    """
    _take_closed_descriptors()
    if sys.stdout is sys.__stdout__:
        sys.stdout = _as_text(_Stdout(1, "w", closefd=False), sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _as_text(_Stderr(2, "w", closefd=False), sys.stderr)


def output_is_refused() -> bool:
    """Whether it was the standard output that failed, now or before."""
    try:
        print(end="", flush=True)
    except OSError:
        return True
    return bool(_refusals)


def discard_output() -> None:
    """Send what is waiting for stdout nowhere, or the interpreter would fail on it when it leaves."""
    with contextlib.suppress(OSError):  # no descriptor: nothing is waiting there
        _send_nowhere(sys.stdout.fileno())


def _take_closed_descriptors() -> None:
    """Open what whoever began this process has closed, or the next file would be taken for a standard stream."""
    for descriptor in (1, 2):
        try:
            os.fstat(descriptor)
        except OSError as error:
            if error.errno == errno.EBADF:
                _send_nowhere(descriptor)


def _send_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    if nowhere == descriptor:
        os.set_inheritable(descriptor, True)
    else:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def _as_text(raw: io.FileIO, before: TextIO | Any) -> TextIO:
    """Make a stream of text like the one that the interpreter had opened; it has none where it found it closed."""
    is_unbuffered = getattr(before, "write_through", False)
    return io.TextIOWrapper(
        raw if is_unbuffered else io.BufferedWriter(raw),  # pyright: ignore[reportArgumentType]
        encoding=getattr(before, "encoding", "utf-8"),
        errors=getattr(before, "errors", "backslashreplace"),
        newline="\n",
        line_buffering=getattr(before, "line_buffering", False),
        write_through=is_unbuffered,
    )
