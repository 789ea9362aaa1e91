"""Changes of a signal that keep its label: each draws parameters from keys and applies them to whole batches.

`TRANSFORMS` has them by the names of recipes. Each is imported when it is first asked for, since recipes are read
where nobody waits for torch, and a run needs one or two of them.
"""

# isort: skip_file
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cohear.registry import Registry

if TYPE_CHECKING:
    from cohear.transforms.compose import Chain as Chain, Choose as Choose
    from cohear.transforms.contract import (
        ClipFacts as ClipFacts,
        Domain as Domain,
        Parameters as Parameters,
        Transform as Transform,
    )
    from cohear.transforms.filters import HighPass as HighPass, LowPass as LowPass
    from cohear.transforms.level import Clipping as Clipping, Gain as Gain
    from cohear.transforms.noise import AddNoise as AddNoise, AddRecordedNoise as AddRecordedNoise
    from cohear.transforms.pitch import PitchShift as PitchShift, pitch_shift as pitch_shift
    from cohear.transforms.recipes import Recipe as Recipe, parse_recipe as parse_recipe
    from cohear.transforms.reverb import Reverb as Reverb, reverberate as reverberate
    from cohear.transforms.spec_augment import SpecAugment as SpecAugment
    from cohear.transforms.time_shift import TimeShift as TimeShift

_MODULES = {
    "compose": ("Chain", "Choose"),
    "contract": ("ClipFacts", "Domain", "Parameters", "Transform"),
    "filters": ("HighPass", "LowPass"),
    "level": ("Clipping", "Gain"),
    "noise": ("AddNoise", "AddRecordedNoise"),
    "pitch": ("PitchShift", "pitch_shift"),
    "recipes": ("Recipe", "parse_recipe"),
    "reverb": ("Reverb", "reverberate"),
    "spec_augment": ("SpecAugment",),
    "time_shift": ("TimeShift",),
}
_HOMES = {name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names}
__all__ = ["TRANSFORMS", *_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]

TRANSFORMS: "Registry[type[Transform[Any]]]" = Registry(
    "transform",
    "cohear.transforms",
    {
        "pitch": "cohear.transforms.pitch:PitchShift",
        "reverb": "cohear.transforms.reverb:Reverb",
        "masking": "cohear.transforms.spec_augment:SpecAugment",
        "noise": "cohear.transforms.noise:AddNoise",
        "recorded-noise": "cohear.transforms.noise:AddRecordedNoise",
        "gain": "cohear.transforms.level:Gain",
        "clipping": "cohear.transforms.level:Clipping",
        "high-pass": "cohear.transforms.filters:HighPass",
        "low-pass": "cohear.transforms.filters:LowPass",
        "time-shift": "cohear.transforms.time_shift:TimeShift",
    },
)
"""By the name in a recipe; packages add theirs by entry points of the group `cohear.transforms`."""


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
