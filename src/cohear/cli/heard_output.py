"""Where what `cohear predict` hears goes: a table on stdout, or a label track for each recording; and embeddings."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from cohear.errors import UserError

if TYPE_CHECKING:
    from cohear.data.audio_stream import AudioStream
    from cohear.inference.answers import Heard, Prediction
    from cohear.inference.heard_files import HeardFile

Format = Literal["csv", "jsonl", "audacity", "raven"]


@dataclass(frozen=True)
class HeardOutput:
    """Files are those of the recordings, in their order."""

    format: Format
    tracks: list[Path] | None
    """Label tracks; None where rows are printed."""
    embeddings: list[Path] | None
    """None where embeddings are not wanted."""
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    """As it is before a progress bar takes it over."""

    @property
    def scrolls(self) -> bool:
        """Whether rows run over the terminal, where a bar between them would be in the way."""
        return self.tracks is None and self.stdout.isatty()

    def print_header(self) -> None:
        """Print what comes before the rows of the first recording."""
        from cohear.inference.tables import CSV_COLUMNS, csv_line

        if self.format == "csv":
            self.stdout.write(csv_line(CSV_COLUMNS))

    def keep_embeddings(self, index: int, heard: "Iterator[Heard]") -> "Iterator[Heard]":
        """Pass the windows of a recording on, and write their embeddings where they are wanted."""
        from cohear.inference.embedding_files import keep_embeddings

        return keep_embeddings(heard, self.embeddings[index]) if self.embeddings else heard

    def write(self, index: int, stream: "AudioStream", rows: "Iterable[Prediction]") -> None:
        """Print the rows of a recording as they come, or write its label track when all are there."""
        from cohear.inference.tables import audacity_track, csv_row, json_row, raven_table
        from cohear.runtime.files import explain_disk_errors, write_text

        if self.tracks is None:
            as_text = csv_row if self.format == "csv" else json_row
            for row in rows:
                self.stdout.write(as_text(stream.path, row))
            self.stdout.flush()
            return
        top_hz = min(stream.source_rate, stream.sample_rate) / 2
        text = audacity_track(rows) if self.format == "audacity" else raven_table(rows, stream.path, top_hz)
        path = self.tracks[index]
        with explain_disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)


def check_format(format: Format, out: Path | None) -> None:
    """Refuse a label track that has no place, and a place for what is printed."""
    is_track = format in ("audacity", "raven")
    if is_track and out is None:
        raise UserError(f"--format {format} writes a label track for each recording; say where, by --out DIR")
    if out is not None and not is_track:
        raise UserError(
            f"--out is the folder of label tracks, and --format {format} is printed; write > {out} instead, or choose "
            "--format audacity or raven"
        )


def choose_output(
    format: Format, out: Path | None, embeddings: Path | None, recordings: "Sequence[HeardFile]"
) -> HeardOutput:
    """Choose the files of each recording, before any of them is heard.

    Raises:
        UserError: where a file cannot be written or is there already.
    """
    from cohear.inference.heard_files import output_paths
    from cohear.inference.tables import TRACK_ENDINGS

    return HeardOutput(
        format,
        output_paths(out, recordings, TRACK_ENDINGS[format]) if out else None,
        output_paths(embeddings, recordings, ".npy") if embeddings else None,
    )
