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

from cohear.benchmarks.contender import Contender, Prepare, Task
from cohear.benchmarks.inputs import HOP_LENGTH, N_FFT, N_MELS, SAMPLE_RATE


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


def _torch_audiomentations_pitch() -> Prepare:
    """Mode per_example; it has few shifts to choose from, and the nearest is taken."""
    torch = import_module("torch")
    transform = import_module("torch_audiomentations").PitchShift(
        min_transpose_semitones=-12.0, max_transpose_semitones=12.0, p=1.0, sample_rate=SAMPLE_RATE, output_type="dict"
    )
    offered = sorted(import_module("torch_pitch_shift").get_fast_shifts(SAMPLE_RATE))

    def prepare(clips: np.ndarray, semitones: np.ndarray) -> Callable[[], Any]:
        waveforms = torch.from_numpy(clips)[:, None]
        ratios = [min(offered, key=lambda ratio, r=2 ** (s / 12): abs(np.log(float(ratio) / r))) for s in semitones]

        def call() -> np.ndarray:
            transform.transform_parameters = {"transpositions": ratios}
            return transform.apply_transform(waveforms.clone(), SAMPLE_RATE).samples[:, 0].numpy()  # it writes in place

        return call

    return prepare


def _scipy_reverb(function: str, whole_batch: bool) -> Callable[[], Prepare]:
    def load() -> Prepare:
        convolve = getattr(import_module("scipy.signal"), function)

        def prepare(clips: np.ndarray, responses: np.ndarray) -> Callable[[], Any]:
            n_samples = clips.shape[1]
            if whole_batch:
                return lambda: convolve(clips, responses, axes=1)[:, :n_samples]
            return lambda: [convolve(c, r)[:n_samples] for c, r in zip(clips, responses, strict=True)]

        return prepare

    return load


def _pedalboard_reverb() -> Prepare:
    plugin = import_module("pedalboard").Convolution

    def prepare(clips: np.ndarray, responses: np.ndarray) -> Callable[[], Any]:
        return lambda: [
            plugin(response, mix=1.0, sample_rate=SAMPLE_RATE)(clip, SAMPLE_RATE)
            for clip, response in zip(clips, responses, strict=True)
        ]

    return prepare


def _audiomentations_reverb() -> Prepare:
    transform = import_module("audiomentations").ApplyImpulseResponse

    def prepare(clips: np.ndarray, responses: np.ndarray) -> Callable[[], Any]:
        rooms = [transform(path, p=1.0) for path in _response_files(responses)]
        return lambda: [room(clip, SAMPLE_RATE) for clip, room in zip(clips, rooms, strict=True)]

    return prepare


def _torch_audiomentations_reverb() -> Prepare:
    torch = import_module("torch")
    transform = import_module("torch_audiomentations").ApplyImpulseResponse

    def prepare(clips: np.ndarray, responses: np.ndarray) -> Callable[[], Any]:
        rooms = transform(_response_files(responses), p=1.0, sample_rate=SAMPLE_RATE, output_type="dict")
        waveforms = torch.from_numpy(clips)[:, None]
        return lambda: rooms(waveforms, SAMPLE_RATE).samples[:, 0].numpy()

    return prepare


def _response_files(responses: np.ndarray) -> list[str]:
    """Write each response to a file of its own, for libraries that take nothing else."""
    import soundfile

    folder = Path(tempfile.mkdtemp(prefix="cohear-bench-"))
    paths = [folder / f"{row}.wav" for row in range(len(responses))]
    for path, response in zip(paths, responses, strict=True):
        soundfile.write(path, response, SAMPLE_RATE, subtype="FLOAT")
    return [str(path) for path in paths]


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


def _torchaudio_spec_augment() -> Prepare:
    torch = import_module("torch")
    transform = import_module("torchaudio").transforms.SpecAugment(
        n_time_masks=2, time_mask_param=73, n_freq_masks=2, freq_mask_param=25, iid_masks=True
    )

    def prepare(log_mels: np.ndarray) -> Callable[[], Any]:
        batch = torch.from_numpy(log_mels)[:, None]
        return lambda: transform(batch)[:, 0].numpy()

    return prepare


_TORCH_AUDIOMENTATIONS = ("torch-audiomentations", "torchaudio")

PEERS: dict[Task, tuple[Contender, ...]] = {
    "pitch": (
        Contender("audiomentations (signalsmith)", _audiomentations_pitch, ("audiomentations", "python-stretch")),
        Contender("librosa", _librosa_pitch, ("librosa",)),
        Contender("pedalboard", _pedalboard_pitch, ("pedalboard",)),
        Contender("RubberBand R3 (pylibrb)", _rubberband_pitch, ("pylibrb",)),
        Contender(
            "torch-audiomentations", _torch_audiomentations_pitch, (*_TORCH_AUDIOMENTATIONS, "torch_pitch_shift")
        ),
    ),
    "reverb": (
        Contender("scipy fftconvolve, one clip at a time", _scipy_reverb("fftconvolve", False), ("scipy",)),
        Contender("scipy fftconvolve, whole batch", _scipy_reverb("fftconvolve", True), ("scipy",)),
        Contender("scipy oaconvolve", _scipy_reverb("oaconvolve", False), ("scipy",)),
        Contender("audiomentations", _audiomentations_reverb, ("audiomentations",)),
        Contender("pedalboard", _pedalboard_reverb, ("pedalboard",)),
        Contender("torch-audiomentations", _torch_audiomentations_reverb, _TORCH_AUDIOMENTATIONS),
    ),
    "log_mel": (Contender("librosa", _librosa_log_mel, ("librosa",)),),
    "spec_augment": (Contender("torchaudio", _torchaudio_spec_augment, ("torchaudio",)),),
}
"""By task, in the order of the tables."""
