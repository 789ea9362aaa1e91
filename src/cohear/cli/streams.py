"""The standard streams of the command line: who stops listening to one of them must not stop a training."""

import contextlib
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
        with contextlib.suppress(OSError):
            super().write(data)
        return memoryview(data).nbytes


def guard_streams() -> None:
    """From now on, what cannot be said on stderr is dropped, and what stdout refuses is known.

    The reader of stderr may be gone (`2>&1 | tee`), its disk full, its terminal closed, or it may never have been open.
    Nothing stops for that, and no exit status changes, not even where the interpreter flushes its streams in the end.
    """
    for name in ("stdout", "stderr"):  # one that is closed has its place taken, or the next file would get it
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    if sys.stdout is sys.__stdout__:
        sys.stdout = _as_text(_Stdout(1, "w", closefd=False), sys.stdout)
    if sys.stderr is sys.__stderr__:
        # A descriptor of its own: what decoders write to 2 can be caught without catching this.
        sys.stderr = _as_text(_Stderr(os.dup(2), "w"), sys.stderr)


def output_is_refused() -> bool:
    """Whether it was the standard output that failed, now or before."""
    try:
        print(end="", flush=True)
    except OSError:
        return True
    return bool(_refusals)


def discard_output() -> None:
    """Send what is waiting for stdout nowhere, or the interpreter would fail on it when it leaves."""
    with contextlib.suppress(OSError), open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _as_text(raw: io.FileIO, before: TextIO) -> TextIO:
    """Make a stream of text like the one that the interpreter had opened."""
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding,
        errors=before.errors,
        newline="\n",
        line_buffering=getattr(before, "line_buffering", False) or getattr(before, "write_through", False),
    )
