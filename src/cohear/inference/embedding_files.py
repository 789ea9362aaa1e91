"""Embeddings of a recording as a .npy file, written window by window: those of hours need not lie in memory."""

import io
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import numpy as np

from cohear.inference.answers import Heard
from cohear.runtime import disk
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
            file = stack.enter_context(replacing(path))
            disk.write(file, _header((n_windows, n_features)))
        for window in chain([first], heard):
            with explain_disk_errors(path):
                disk.write(file, window.embedding.tobytes())
            n_windows += 1
            yield window
        with explain_disk_errors(path):
            file.seek(0)
            disk.write(file, _header((n_windows, n_features)))


def _header(shape: tuple[int, int]) -> bytes:
    """Return the header of an array; NumPy makes it as long for any number of rows, so that arrays can grow."""
    dtype = np.lib.format.dtype_to_descr(np.dtype(np.float32))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": shape})
    return header.getvalue()
