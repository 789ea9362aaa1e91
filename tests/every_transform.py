"""Every transform once, and some of them together: what a contract is tried on."""

from typing import Any

import numpy as np

from cohear.dsp.recordings import Recordings
from cohear.transforms import (
    AddNoise,
    AddRecordedNoise,
    Chain,
    Choose,
    Clipping,
    Gain,
    HighPass,
    LowPass,
    PitchShift,
    Reverb,
    SpecAugment,
    TimeShift,
    Transform,
)

PITCH = PitchShift(sample_rate=8000)
REVERB = Reverb(n_rooms=8, rt60_s=(0.2, 0.3), sample_rate=8000)
RECORDINGS = Recordings([np.hanning(n).astype(np.float32) for n in (900, 7000)], 8000)
TRANSFORMS: dict[str, Transform[Any]] = {
    "pitch": PITCH,
    "reverb": REVERB,
    "masking": SpecAugment(),
    "masking with a constant": SpecAugment(fill=-80.0),
    "gain": Gain(),
    "noise": AddNoise(sample_rate=8000),
    "pink noise": AddNoise(color="pink", sample_rate=8000),
    "recorded noise": AddRecordedNoise(RECORDINGS, sample_rate=8000),
    "time shift": TimeShift(max_shift_s=0.2, sample_rate=8000),
    "time shift around": TimeShift(max_shift_s=0.2, sample_rate=8000, fill="wrap"),
    "low-pass": LowPass((500.0, 3000.0), sample_rate=8000),
    "high-pass": HighPass(sample_rate=8000),
    "clipping": Clipping(),
    "combination": Choose((PITCH, REVERB)),
    "nested": Choose((Chain((PITCH, REVERB)), Choose((REVERB, PITCH), (0.3, 0.7)))),
    "chain of masks": Chain((SpecAugment(), SpecAugment(band_masks=(0, 1)))),
}
