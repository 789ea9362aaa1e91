"""Every transform once, and some of them together: what a contract is tried on."""

from typing import Any

import numpy as np

from cohear.dsp.recordings import Recordings
from cohear.transforms import Chain, Choose, Transform, parse_recipe

RATE = 8000
RECORDINGS = Recordings([np.hanning(n).astype(np.float32) for n in (900, 7000)], RATE)
ROOMS = "reverb(n_rooms=8, rt60_s=0.2..0.3)"
RECIPES = {
    "pitch": "pitch",
    "reverb": ROOMS,
    "masking": "masking",
    "masking with a constant": "masking(fill=-80)",
    "gain": "gain",
    "noise": "noise",
    "pink noise": "noise(color=pink)",
    "recorded noise": "recorded-noise(recordings=x)",
    "time shift": "time-shift(max_shift_s=0.2)",
    "time shift around": "time-shift(max_shift_s=0.2, fill=wrap)",
    "low-pass": "low-pass(cutoff_hz=500..3000)",
    "high-pass": "high-pass",
    "clipping": "clipping",
    "combination": f"pitch,{ROOMS}",
    "chain of masks": "masking+masking(band_masks=0..1)",
}


def build(recipe: str) -> Transform[Any]:
    """Make what a recipe says, for clips of 8 kHz."""
    made = parse_recipe(recipe).build(RATE, {Recordings: lambda *_: RECORDINGS})
    assert made is not None
    return made


PITCH, REVERB = build("pitch"), build(ROOMS)
TRANSFORMS = {name: build(recipe) for name, recipe in RECIPES.items()}
TRANSFORMS["nested"] = Choose((Chain((PITCH, REVERB)), Choose((REVERB, PITCH), (0.3, 0.7))))
