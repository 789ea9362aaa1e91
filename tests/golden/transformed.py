"""What every transform draws, and what becomes of three short clips: waveforms and log-mels."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from cohear import keys
from cohear.dsp.noise import gaussian_noise
from cohear.models import LogMel
from every_transform import TRANSFORMS

SHIFTS_PITCH = ("pitch", "combination", "nested")
"""Transforms with the phase vocoder in them, which chooses between peaks: in single precision rounding, so the
processor, decides now and then, and what follows is another waveform that sounds the same."""
N_CLIPS, N_SAMPLES = 3, 1600
FRONT_END = LogMel(8000, n_fft=256, hop_length=200, n_mels=32)


def made_up_clips() -> Tensor:
    """Make a chord that swells, noise with a click, and a falling tone over silence: `[3, 1600]`, full scale 1."""
    time_s = np.arange(N_SAMPLES) / 8000
    chord = sum(0.2 * np.sin(2 * np.pi * hz * time_s + hz) for hz in (220.0, 555.0, 1310.0)) * time_s / time_s[-1]
    noise = 0.3 * (2 * keys.uniform(keys.key(0, "clips"), N_SAMPLES) - 1)
    noise[700] = 0.9
    falling = np.where(time_s > 0.08, 0.5 * np.sin(2 * np.pi * (1500 * time_s - 2500 * time_s**2)), 0.0)
    return torch.from_numpy(np.stack((chord, noise, falling))).float()


def drawn() -> dict[str, Any]:
    """Draw every transform's parameters for the first view of 40 clips, as JSON keeps them."""
    some = keys.fold_in(keys.key(0, "views"), np.arange(40))
    return {name: transform.draw(some).to_json() for name, transform in TRANSFORMS.items()}


def transformed(clips: Tensor) -> dict[str, Tensor]:
    """Apply every transform of waveforms to the clips, in their precision; with the noise that keys alone make."""
    some = keys.fold_in(keys.key(0, "views"), np.arange(N_CLIPS))
    noise = {"gaussian noise": gaussian_noise(some, N_SAMPLES)}
    return noise | {
        name: transform.apply(clips, transform.draw(some)).contiguous()
        for name, transform in TRANSFORMS.items()
        if transform.domain == "waveform"
    }


def log_mels(clips: Tensor) -> dict[str, Tensor]:
    """Compute the clips' log-mels, and apply every transform of log-mels to them, dB."""
    some = keys.fold_in(keys.key(0, "views"), np.arange(N_CLIPS))
    clean = FRONT_END(clips)
    return {"clean": clean} | {
        name: transform.apply(clean, transform.draw(some)).contiguous()
        for name, transform in TRANSFORMS.items()
        if transform.domain == "log_mel"
    }
