"""cohear trains sound classifiers that give the same answer however a sound is heard.

    import cohear
    run = cohear.train("my_sounds/", epochs=40)
    classifier = cohear.load("runs/my-run")
    classifier.predict("street.wav")

The parts stand alone too: `cohear.objectives`, `cohear.transforms`, `cohear.models`. Importing this package imports
no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cohear import dsp, models, objectives, transforms
    from cohear.api import Run, train
    from cohear.inference.classifier import Classifier, load

__all__ = ["Classifier", "Run", "__version__", "dsp", "load", "models", "objectives", "train", "transforms"]

_PLACES = {
    "Classifier": "cohear.inference.classifier",
    "Run": "cohear.api",
    "load": "cohear.inference.classifier",
    "train": "cohear.api",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("cohear")
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    if name in __all__:
        return import_module(f"cohear.{name}")
    raise AttributeError(f"module 'cohear' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
