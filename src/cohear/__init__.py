"""cohear trains sound classifiers that give the same answer however a sound is heard.

    import cohear
    classifier = cohear.load("runs/my-run")
    classifier.predict("street.wav")

The parts stand alone too: `cohear.objectives`, `cohear.transforms`, `cohear.models`. Importing this package imports
no torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cohear.inference.classifier import Classifier
    from cohear.inference.loading import load

__all__ = ["Classifier", "load"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from cohear.inference import classifier, loading

        return getattr(loading if name == "load" else classifier, name)
    raise AttributeError(f"module 'cohear' has no attribute '{name}'")
