"""Other people's libraries as contenders. None is needed to use cohear; `benchmarks/requirements.txt` has them all.

Each is called as its own documentation says, at its default quality. Modules are imported by name when a contender is
loaded, so that a library that is absent, or whose import fails, costs its own row and nothing else.
"""

import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contenders import HOP_LENGTH, N_FFT, N_MELS, OURS, SAMPLE_RATE, Contender, Prepare, Task


def _clip_by_clip(shift: Callable[[np.ndarray, float], np.ndarray]) -> Prepare:
    def prepare(clips: np.ndarray, semitones: np.ndarray) -> Callable[[], Any]:
        return lambda: [shift(clip, float(number)) for clip, number in zip(clips, semitones, strict=True)]

    return prepare


def _audiomentations_pitch() -> Prepare:
    transform = import_module("audiomentations").PitchShift

    def shift(clip: np.ndarray, semitones: float) -> np.ndarray:
        fixed = transform(semitones, semitones, method="signalsmith_stretch", p=1.0)
        return fixed(clip, SAMPLE_RATE)

    return _clip_by_clip(shift)


def _librosa_pitch() -> Prepare:
    effects = import_module("librosa").effects
    return _clip_by_clip(lambda clip, semitones: effects.pitch_shift(clip, sr=SAMPLE_RATE, n_steps=semitones))


def _pedalboard_pitch() -> Prepare:
    plugin = import_module("pedalboard").PitchShift
    return _clip_by_clip(lambda clip, semitones: plugin(semitones=semitones)(clip, SAMPLE_RATE))


def _rubberband_pitch() -> Prepare:
    """RubberBand's third engine, offline: it studies the whole clip, then shifts it."""
    pylibrb = import_module("pylibrb")

    def shift(clip: np.ndarray, semitones: float) -> np.ndarray:
        options = pylibrb.Option.PROCESS_OFFLINE | pylibrb.Option.ENGINE_FINER
        stretcher = pylibrb.RubberBandStretcher(SAMPLE_RATE, 1, options)
        stretcher.pitch_scale = 2 ** (semitones / 12)
        stretcher.set_max_process_size(len(clip))
        stretcher.study(clip[None], True)
        stretcher.process(clip[None], True)
        parts = []
        while stretcher.available() > 0:
            parts.append(stretcher.retrieve(stretcher.available())[0])
        shifted = np.concatenate(parts)[: len(clip)]
        return np.pad(shifted, (0, len(clip) - len(shifted)))

    return _clip_by_clip(shift)


def _scipy_reverb(function: str) -> Callable[[], Prepare]:
    def load() -> Prepare:
        convolve = getattr(import_module("scipy.signal"), function)

        def prepare(clips: np.ndarray, responses: np.ndarray) -> Callable[[], Any]:
            pairs = list(zip(clips, responses, strict=True))
            return lambda: [convolve(clip, response)[: len(clip)] for clip, response in pairs]

        return prepare

    return load


def _scipy_reverb_whole_batch() -> Prepare:
    convolve = import_module("scipy.signal").fftconvolve
    return lambda clips, responses: lambda: convolve(clips, responses, axes=1)[:, : clips.shape[1]]


def _pedalboard_reverb() -> Prepare:
    plugin = import_module("pedalboard").Convolution

    def prepare(clips: np.ndarray, responses: np.ndarray) -> Callable[[], Any]:
        return lambda: [
            plugin(response, mix=1.0, sample_rate=SAMPLE_RATE)(clip, SAMPLE_RATE)
            for clip, response in zip(clips, responses, strict=True)
        ]

    return prepare


def _audiomentations_reverb() -> Prepare:
    """It reads responses from files and keeps the last of them, so each clip has a transform of its own."""
    transform = import_module("audiomentations").ApplyImpulseResponse
    soundfile = import_module("soundfile")

    def prepare(clips: np.ndarray, responses: np.ndarray) -> Callable[[], Any]:
        folder, rooms = Path(tempfile.mkdtemp(prefix="cohear-bench-")), []
        for row, response in enumerate(responses):
            path = folder / f"{row}.wav"
            soundfile.write(path, response, SAMPLE_RATE, subtype="FLOAT")
            rooms.append(transform(str(path), p=1.0))
        return lambda: [room(clip, SAMPLE_RATE) for clip, room in zip(clips, rooms, strict=True)]

    return prepare


def _librosa_log_mel() -> Prepare:
    librosa = import_module("librosa")

    def prepare(clips: np.ndarray) -> Callable[[], Any]:
        def call() -> np.ndarray:
            power = librosa.feature.melspectrogram(
                y=clips, sr=SAMPLE_RATE, n_fft=N_FFT, hop_length=HOP_LENGTH, n_mels=N_MELS, pad_mode="constant"
            )
            return librosa.power_to_db(power, top_db=None)

        return call

    return prepare


PEERS: dict[Task, tuple[Contender, ...]] = {
    "pitch": (
        Contender("audiomentations (signalsmith)", _audiomentations_pitch, ("audiomentations", "python-stretch")),
        Contender("librosa", _librosa_pitch, ("librosa",)),
        Contender("pedalboard", _pedalboard_pitch, ("pedalboard",)),
        Contender("RubberBand R3 (pylibrb)", _rubberband_pitch, ("pylibrb",)),
    ),
    "reverb": (
        Contender("scipy fftconvolve, one clip at a time", _scipy_reverb("fftconvolve"), ("scipy",)),
        Contender("scipy fftconvolve, whole batch", _scipy_reverb_whole_batch, ("scipy",)),
        Contender("scipy oaconvolve", _scipy_reverb("oaconvolve"), ("scipy",)),
        Contender("audiomentations", _audiomentations_reverb, ("audiomentations",)),
        Contender("pedalboard", _pedalboard_reverb, ("pedalboard",)),
    ),
    "log_mel": (Contender("librosa", _librosa_log_mel, ("librosa",)),),
    "spec_augment": (),
}
"""By task, in the order of the tables."""


def contenders(task: Task) -> tuple[Contender, ...]:
    """Return all contenders of a task, ours first."""
    return *OURS[task], *PEERS[task]
