"""Files of strangers: nothing in them is run or leads elsewhere, names are but names, and the page."""

from collections.abc import Iterator
from pathlib import Path

from faults import strangers_names, strangers_page, strangers_paths, strangers_pickles
from faults.strangers_scene import import_first, make_scene
from faults.tally import Tally


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Put everything that is promised about strangers to the test."""
    import_first()
    scene = make_scene(scratch / "scene")
    for part in (strangers_pickles, strangers_paths, strangers_names, strangers_page):
        yield from part.trials(scene, scratch, quick)
