"""Sounds of few steps, and stores of them."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from cohear.data.datasets import read_dataset
from cohear.data.decoding import StoreSettings
from cohear.data.store import Store, open_store

RATE = 8000
SETTINGS = StoreSettings(RATE, 1.0)


def steps(seed: int, duration_s: float = 1.0, sample_rate: int = RATE) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(-20000, 20000, round(duration_s * sample_rate)).astype(np.int16)


def write(path: Path, waveform: np.ndarray, sample_rate: int = RATE, **kwargs) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, waveform, sample_rate, **kwargs)
    return path


def open_folder(sounds: Path, settings: StoreSettings = SETTINGS, **kwargs) -> Store:
    return open_store(read_dataset(sounds), settings, sounds.parent / "cache", **kwargs)


def write_m4a(path: Path, waveforms: np.ndarray, sample_rate: int = 44100) -> Path:
    """Write AAC of two channels; skips the test where there is no PyAV."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=sample_rate, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(waveforms, np.float32), format="fltp", layout="stereo")
        frame.sample_rate = sample_rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return path
