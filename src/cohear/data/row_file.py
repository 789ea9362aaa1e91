"""Rows of 16-bit values in a file, read when they are asked for.

Not a memory map: where a file is cut short behind our back, or its disk fails or goes away, a map kills the process by
a signal, and reading is an error that can be told. From the page cache both take one copy.
"""

import os
import weakref
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Int16, Int64

from cohear.errors import UserError
from cohear.runtime import disk


class RowFile:
    """The rows of a file, which stays open and is read even where its name is gone.

    Args:
        path: of the file.
        n_rows: how many there are.
        n_samples: of each row.

    Raises:
        OSError: where the file cannot be opened.
    """

    def __init__(self, path: Path, n_rows: int, n_samples: int) -> None:
        self.path, self.n_rows, self.n_samples = path, n_rows, n_samples
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)

    @property
    def n_bytes(self) -> int:
        """Of all rows."""
        return self.n_rows * self.n_samples * np.dtype(np.int16).itemsize

    def read(self, rows: Iterable[int] | Int64[np.ndarray, " batch"]) -> Int16[np.ndarray, "batch time"]:
        """Return some rows.

        Raises:
            UserError: where the disk does not give them, or the file has become shorter.
        """
        rows = np.asarray(rows, np.int64)
        values = np.empty((len(rows), self.n_samples), np.int16)
        row_bytes = self.n_samples * values.itemsize
        for row, line in zip(rows.tolist(), values, strict=True):
            try:
                n_read = disk.read_at(self._descriptor, self.path, line.view(np.uint8).data, row * row_bytes)
            except OSError as error:
                raise self._unreadable(error.strerror or str(error)) from error
            if n_read < row_bytes:
                raise self._unreadable("it has become shorter")
        return values

    def _unreadable(self, reason: str) -> UserError:
        return UserError(
            f"the decoded sounds in '{self.path}' cannot be read ({reason}); see to the disk and give the command "
            "again, with --resume where a run was begun"
        )
