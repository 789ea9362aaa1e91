"""A data set and settings for runs of seconds."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import soundfile

from cohear.data.store import Store
from cohear.runs.config import Config, change
from cohear.runs.plan import list_clips
from cohear.runs.presets import quarter

SAMPLE_RATE = 8000


def write_tones(folder: Path, *, n_folds: int = 2, n_clips: int = 3, n_classes: int = 3, clip_s: float = 0.6) -> Path:
    """Write a table of noisy tones, a pitch per class, `n_clips` of each class in each fold."""
    random = np.random.default_rng(0)
    time_s = np.arange(int(clip_s * SAMPLE_RATE)) / SAMPLE_RATE
    rows = ["path,label,fold,group"]
    for label in range(n_classes):
        for fold in range(1, n_folds + 1):
            for take in range(n_clips):
                tone = 0.3 * np.sin(2 * np.pi * (300 * 2**label + 10 * take) * time_s + take)
                wave = tone + 0.05 * random.standard_normal(len(time_s))
                name = f"tone{label}-{fold}-{take}.wav"
                folder.mkdir(parents=True, exist_ok=True)
                soundfile.write(folder / name, wave, SAMPLE_RATE, subtype="PCM_16")
                rows.append(f"{name},tone{label},{fold},{label}-{fold}-{take}")
    table = folder / "tones.csv"
    table.write_text("\n".join(rows) + "\n")
    return table


def write_classes(folder: Path, *, n_clips: int = 20, several: bool = False) -> Path:
    """Write tones in a folder per class and no folds; or a table, in which a clip may have several labels or none."""
    random = np.random.default_rng(1)
    time_s = np.arange(int(0.6 * SAMPLE_RATE)) / SAMPLE_RATE
    rows = ["path,label"]
    for index in range(3 * n_clips):
        present = [k for k in range(3) if (index % 8) >> k & 1] if several else [index % 3]
        wave = 0.05 * random.standard_normal(len(time_s))
        for k in present:
            wave = wave + 0.25 * np.sin(2 * np.pi * (300 * 2**k + 3 * index) * time_s)
        path = folder / ("sounds" if several else f"tone{index % 3}") / f"{index}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, wave, SAMPLE_RATE, subtype="PCM_16")
        rows.append(f"sounds/{index}.wav,{';'.join(f'tone{k}' for k in present)}")
    if not several:
        return folder
    table = folder / "clips.csv"
    table.write_text("\n".join(rows) + "\n")
    return table


TINY_SETTINGS: dict[str, Any] = {
    "data.sample_rate": 8000,
    "front_end.n_fft": 256,
    "front_end.hop_length": 200,
    "front_end.n_mels": 16,
    "network.width": 0.0625,
    "objective.ramp_epochs": 10 / 3,
    "optimizer.decay_epochs": 2 / 3,
    "training.batch_size": 6,
    "training.epochs": 2,
    "training.precision": "float32",
}
"""Settings for a run of seconds."""

TINY = tuple(f"{name}={value}" for name, value in TINY_SETTINGS.items())
"""The same as `--set` takes them."""

OPTIONS = ("--preset", "quarter", *(word for setting in TINY for word in ("--set", setting)))
"""The same for the command line."""


def tiny_config(changes: Mapping[str, Any] = MappingProxyType({})) -> Config:
    """Return the same as a configuration, with some changes."""
    return change(quarter(), {**TINY_SETTINGS, **changes})


def open_store(table: Path, config: Config) -> Store:
    """Decode the clips of a table, at the sample rate that a configuration has."""
    return list_clips(table, config, {"data.sample_rate"}).decode().store
