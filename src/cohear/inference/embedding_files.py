"""Embeddings of a recording as a .npy file, written window by window: those of hours need not lie in memory."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cohear.inference.answers import Heard
from cohear.runtime.files import explain_disk_errors, replacing


def keep_embeddings(heard: Iterator[Heard], path: Path) -> Iterator[Heard]:
    """Pass windows on, and keep their embeddings: once all have passed, `np.load(path)` gives `[window, feature]`.

    Args:
        heard: the windows of a recording; where there are none there is no file.
        path: ends in .npy; its folder is made where it is missing.

    Raises:
        UserError: where the disk is full or the place cannot be written.
    """
    first = next(heard, None)
    if first is None:
        return
    n_windows, n_features = 0, len(first.embedding)
    with ExitStack() as stack:
        with explain_disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = open(stack.enter_context(replacing(path)), "wb")  # noqa: SIM115 -- closed by the next line
            stack.callback(_close, file)
            _write_header(file, (n_windows, n_features))
        for window in chain([first], heard):
            with explain_disk_errors(path):
                file.write(window.embedding.tobytes())
            n_windows += 1
            yield window
        with explain_disk_errors(path):
            file.seek(0)
            _write_header(file, (n_windows, n_features))
            file.flush()


def _close(file: BinaryIO) -> None:
    """Close a file; what a full disk did not take has been told already."""
    with suppress(OSError):
        file.close()


def _write_header(file: BinaryIO, shape: tuple[int, int]) -> None:
    """Write the header of an array; NumPy makes it as long for any number of rows, so that arrays can grow."""
    dtype = np.lib.format.dtype_to_descr(np.dtype(np.float32))
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
