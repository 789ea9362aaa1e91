"""Files of strangers: nothing in them is run or leads elsewhere, and names are but names."""

from collections.abc import Iterator
from pathlib import Path

from faults.commands import warm_up
from faults.strangers import names, paths, pickles
from faults.strangers.scene import make_scene
from faults.tally import Tally


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Put everything that is promised about strangers to the test."""
    warm_up()
    import gradio  # noqa: F401 - so that it is there in every process that is forked
    import onnxruntime  # noqa: F401

    scene = make_scene(scratch / "scene")
    for part in (pickles, paths, names):
        yield from part.trials(scene, scratch, quick)
