"""Broken and hostile input to the five readers, in a process of its own that may die of it.

cd tests && python -m faults fuzz
"""

from collections.abc import Iterator
from pathlib import Path

from faults.tally import Tally


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Put every reader to the test."""
    from faults.fuzz.promises import tallies  # late: the reading child needs no hypothesis

    return tallies(scratch, quick)
