"""Changes of a signal that keep its label: each draws parameters from keys and applies them to whole batches."""

from cohear.transforms.compose import Chain, Choose
from cohear.transforms.contract import Parameters, Transform
from cohear.transforms.pitch_shift import PitchShift, pitch_shift
from cohear.transforms.reverb import Reverb, reverberate
from cohear.transforms.spec_augment import SpecAugment

__all__ = [
    "Chain",
    "Choose",
    "Parameters",
    "PitchShift",
    "Reverb",
    "SpecAugment",
    "Transform",
    "pitch_shift",
    "reverberate",
]
