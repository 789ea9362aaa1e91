"""One way to do one of the tasks: ours, a library's, or a few lines by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal

Task = Literal["pitch", "reverb", "log_mel", "spec_augment"]
"""Pitch shift (clips and semitones), reverb (clips and responses), log-mel (clips), SpecAugment (log-mels)."""
Prepare = Callable[..., Callable[[], Any]]
"""Takes the task's inputs, numpy float32 with one row per clip, and returns the call to be measured.

What belongs to the inputs (conversion to tensors, files of impulse responses) is done by the preparation. The call
returns all outputs, as an array or as a list with one array per clip.
"""


@dataclass(frozen=True)
class Contender:
    """One row of a table."""

    name: str
    """As printed; unique in its task."""
    load: Callable[[], Prepare]
    """Imports the library; whatever it raises is shown in the table."""
    packages: tuple[str, ...] = ()
    """Distributions that have to be installed."""

    def missing(self) -> list[str]:
        """List the distributions that are not installed."""
        return [name for name in self.packages if version_of(name) is None]


def version_of(distribution: str) -> str | None:
    """Return the version of an installed distribution, None where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
