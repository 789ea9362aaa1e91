"""What was heard as Parquet: the table of a recording, written as it is heard, and that of those that failed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Float32

from cohear.errors import UserError
from cohear.inference.answers import Prediction
from cohear.runtime import disk
from cohear.runtime.files import explain_disk_errors, replacing

_ROWS_AT_ONCE = 1 << 14
"""Of a row group; so many lie in memory."""


def require_parquet() -> None:
    """Make sure that Parquet can be written here.

    Raises:
        UserError: where pyarrow is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError(f"Parquet needs pyarrow ({error}): pip install 'cohear[bulk]'") from error


class RecordingTable:
    """The table of a recording: `run, path, start_s, end_s, label, probability`, and perhaps `embedding`.

    Args:
        file: to write to.
        recording: path or address.
        made_by: the identity of the classifier's run, and how it heard; kept in the file's metadata, as JSON.
        n_features: of the embeddings; None: there are none.
    """

    def __init__(self, file: BinaryIO, recording: str, made_by: Mapping[str, Any], n_features: int | None) -> None:
        import pyarrow as pa  # pyright: ignore[reportMissingImports]
        import pyarrow.parquet as pq  # pyright: ignore[reportMissingImports]

        text, seconds = pa.string(), pa.float64()
        fields = [("run", text), ("path", text), ("start_s", seconds), ("end_s", seconds)]
        fields += [("label", text), ("probability", pa.float32())]
        if n_features is not None:
            fields.append(("embedding", pa.list_(pa.float32(), n_features)))
        self._schema = pa.schema(fields, metadata={"cohear": json.dumps(dict(made_by))})
        self._sink = _Sink(file)
        self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._same, self._has_embeddings = (made_by["run"], recording), n_features is not None
        self._rows = list[tuple[Any, ...]]()

    def add(self, row: Prediction, embedding: Float32[np.ndarray, " feature"] | None = None) -> None:
        """Take a window or an event."""
        self._rows.append((*self._same, *row, *([embedding] * self._has_embeddings)))
        if len(self._rows) == _ROWS_AT_ONCE:
            self._flush()

    def close(self) -> None:
        """Write the rest and the end of the file."""
        self._flush()
        self._writer.close()

    def abandon(self) -> None:
        """Write no more: pyarrow would, when it is collected."""
        self._sink.is_shut = True
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa  # pyright: ignore[reportMissingImports]

        columns = list(zip(*self._rows, strict=True)) or [()] * len(self._schema)
        self._writer.write_table(pa.table([list(column) for column in columns], schema=self._schema))
        self._rows.clear()


@contextmanager
def recording_table(path: Path, *what: Any) -> Iterator[RecordingTable]:
    """Give a `RecordingTable` that takes its place once all is written."""
    with explain_disk_errors(path):
        disk.make_folder(path.parent)
        with replacing(path) as file:
            table = RecordingTable(file, *what)
            try:
                yield table
                table.close()
            except BaseException:
                table.abandon()
                raise


def write_failed(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the table of recordings that failed: `path, heard_s, damaged, said`."""
    import pyarrow as pa  # pyright: ignore[reportMissingImports]
    import pyarrow.parquet as pq  # pyright: ignore[reportMissingImports]

    kinds = {"path": pa.string(), "heard_s": pa.float64(), "damaged": pa.bool_(), "said": pa.string()}
    table = pa.Table.from_pylist([dict(row) for row in rows], pa.schema(list(kinds.items())))
    with explain_disk_errors(path), replacing(path) as file:
        pq.write_table(table, _Sink(file), compression="zstd")


class _Sink:
    """A file as pyarrow wants it, written to through the one door."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._n_written, self.is_shut = file, 0, False

    def write(self, data: Any) -> int:
        if not self.is_shut:
            disk.write(self._file, bytes(data))
        self._n_written += len(data)
        return len(data)

    def tell(self) -> int:
        return self._n_written

    def flush(self) -> None: ...

    def close(self) -> None: ...
