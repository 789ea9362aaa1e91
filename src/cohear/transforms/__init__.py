"""Changes of a signal that keep its label: each draws parameters from keys and applies them to whole batches."""

from cohear.transforms.clipping import Clipping
from cohear.transforms.compose import Chain, Choose
from cohear.transforms.contract import ClipFacts, Parameters, Transform
from cohear.transforms.filters import HighPass, LowPass
from cohear.transforms.gain import Gain
from cohear.transforms.noise import AddNoise
from cohear.transforms.pitch_shift import PitchShift, pitch_shift
from cohear.transforms.recorded_noise import AddRecordedNoise
from cohear.transforms.reverb import Reverb, reverberate
from cohear.transforms.spec_augment import SpecAugment
from cohear.transforms.time_shift import TimeShift

__all__ = [
    "AddNoise",
    "AddRecordedNoise",
    "Chain",
    "Choose",
    "ClipFacts",
    "Clipping",
    "Gain",
    "HighPass",
    "LowPass",
    "Parameters",
    "PitchShift",
    "Reverb",
    "SpecAugment",
    "TimeShift",
    "Transform",
    "pitch_shift",
    "reverberate",
]
