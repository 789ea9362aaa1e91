"""What is fed to a reader: bytes under a name, of the committed corpus or drawn from it."""

from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).parents[1] / "corpus"
REGRESSIONS = Path(__file__).parents[1] / "regressions"


@dataclass(frozen=True)
class Input:
    """A file that a reader is given."""

    name: str
    """Its end decides on the reader's way, as `.wav` or `.jsonl`; a slash makes a folder."""
    data: bytes


def files(folder: Path) -> list[Input]:
    """Return the files below a folder, sorted by name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [Input(path.relative_to(folder).as_posix(), path.read_bytes()) for path in paths]


def corpus(reader: str) -> list[Input]:
    """Return the seeds of a reader."""
    return files(CORPUS / reader)
