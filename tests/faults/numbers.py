"""Numbers that are none, networks that learn nothing, and memory that is not there."""

from collections.abc import Iterator
from pathlib import Path

from faults import numbers_collapse, numbers_memory, numbers_steps
from faults.forked import import_everything
from faults.tally import Tally


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Spoil steps of a training, bring networks to collapse, and take memory away."""
    import_everything()
    for part in (numbers_steps, numbers_collapse, numbers_memory):
        folder = scratch / part.__name__.rpartition(".")[2]
        folder.mkdir()
        yield from part.trials(folder, quick)
