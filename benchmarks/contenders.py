"""The four tasks, what is given to every contender of one, and ours as contenders beside what is written by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.pitch_quality import PAPER_SHIFTS, click_train, harmonics
from cohear import keys
from cohear.models import LogMel
from cohear.models.log_mel import mel_filters
from cohear.transforms import SpecAugment, pitch_shift, reverberate

Task = Literal["pitch", "reverb", "log_mel", "spec_augment"]
"""Pitch shift (clips and semitones), reverb (clips and responses), log-mel (clips), SpecAugment (log-mels)."""
TASKS: tuple[Task, ...] = get_args(Task)

SAMPLE_RATE = 44100
CLIP_S = 5.0
RESPONSE_S = 1.0
N_FFT, HOP_LENGTH, N_MELS = 1024, 600, 128

Prepare = Callable[..., Callable[[], Any]]
"""Takes the task's inputs, numpy float32 with one row per clip, and returns the call to be measured.

What belongs to the inputs (conversion to tensors, files of impulse responses) is done by the preparation. The call
returns all outputs, as an array or as a list with one array per clip.
"""


@dataclass(frozen=True)
class Contender:
    """One row of a table."""

    name: str
    """As printed; unique in its task."""
    load: Callable[[], Prepare]
    """Imports the library; whatever it raises is shown in the table."""
    packages: tuple[str, ...] = ()
    """Distributions that have to be installed."""


def version_of(distribution: str) -> str | None:
    """Return the version of an installed distribution, None where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def make_inputs(task: Task, n_clips: int, turn: int = 0) -> tuple[Float[np.ndarray, "batch ..."], ...]:
    """Return the inputs of a task, float32, made from nothing but numbers.

    Args:
        task: what is done.
        n_clips: how many clips, >= 1.
        turn: which of the ten shifts the first clip gets; the next clips get the next shifts.
    """
    if task == "pitch":
        return made_up_clips(n_clips), np.resize(np.roll(PAPER_SHIFTS, -turn), n_clips)
    if task == "reverb":
        return made_up_clips(n_clips), _made_up_responses(n_clips)
    if task == "log_mel":
        return (made_up_clips(n_clips),)
    n_frames = 1 + round(CLIP_S * SAMPLE_RATE) // HOP_LENGTH
    levels_db = np.random.default_rng(2).normal(-40, 15, (n_clips, N_MELS, n_frames))
    return (levels_db.astype(np.float32),)


def made_up_clips(n_clips: int) -> Float[np.ndarray, "{n_clips} time"]:
    """Make clips of 5 s: in turn noise, a note in noise, clicks in noise."""
    noise = np.random.default_rng(0).standard_normal((n_clips, round(CLIP_S * SAMPLE_RATE)), np.float32)
    noise *= np.float32(0.1)
    for first, sound in ((1, harmonics(SAMPLE_RATE, CLIP_S)), (2, click_train(SAMPLE_RATE, CLIP_S))):
        noise[first::3] *= 0.1
        noise[first::3] += sound.astype(np.float32)
    return noise


def _made_up_responses(n_clips: int) -> Float[np.ndarray, "{n_clips} tap"]:
    """Make impulse responses of 1 s: the direct sound, then noise that falls by 60 dB."""
    time_s = np.arange(round(RESPONSE_S * SAMPLE_RATE)) / SAMPLE_RATE
    tails = 0.02 * np.random.default_rng(1).standard_normal((n_clips, len(time_s))) * 10 ** (-3 * time_s / RESPONSE_S)
    tails[:, 0] = 1.0
    return tails.astype(np.float32)


def _with_torch(function: Callable[..., Tensor]) -> Callable[[], Prepare]:
    """Make a contender's `load` of a function that takes the whole batch as tensors."""

    def prepare(*arrays: np.ndarray) -> Callable[[], np.ndarray]:
        tensors = [torch.from_numpy(array) for array in arrays]
        return lambda: function(*tensors).numpy()

    return lambda: prepare


def _spec_augment(log_mels: Tensor) -> Tensor:
    transform = SpecAugment()
    return transform.apply(log_mels, transform.draw(keys.fold_in(keys.key(0, "bench"), np.arange(len(log_mels)))))


def _bare_log_mel() -> Callable[[Tensor], Tensor]:
    """Write the front end as anybody would, with filters that are ready."""
    window, filters = torch.hann_window(N_FFT), torch.from_numpy(mel_filters(SAMPLE_RATE, N_FFT, N_MELS)).float()

    def log_mel(waveforms: Tensor) -> Tensor:
        spectra = torch.stft(waveforms, N_FFT, HOP_LENGTH, window=window, pad_mode="constant", return_complex=True)
        power = spectra.real.square() + spectra.imag.square()  # faster than abs(), which takes a root
        return 10 * torch.log10((filters @ power).clamp(min=1e-10))

    return log_mel


def _bare_log_mel_one_by_one() -> Prepare:
    log_mel = _bare_log_mel()

    def prepare(clips: np.ndarray) -> Callable[[], list[np.ndarray]]:
        waveforms = torch.from_numpy(clips)
        return lambda: [log_mel(waveform).numpy() for waveform in waveforms]

    return prepare


OURS: dict[Task, tuple[Contender, ...]] = {
    "pitch": (
        Contender("cohear pitch_shift", _with_torch(lambda clips, shifts: pitch_shift(clips, shifts, SAMPLE_RATE))),
    ),
    "reverb": (Contender("cohear reverberate", _with_torch(reverberate)),),
    "log_mel": (
        Contender("cohear LogMel", lambda: _with_torch(LogMel(SAMPLE_RATE, N_FFT, HOP_LENGTH, N_MELS))()),
        Contender("bare torch.stft, one clip at a time", _bare_log_mel_one_by_one),
        Contender("bare torch.stft, whole batch", lambda: _with_torch(_bare_log_mel())()),
    ),
    "spec_augment": (
        Contender("cohear SpecAugment, draw and apply", _with_torch(_spec_augment)),
        Contender("copying the batch", _with_torch(torch.clone)),
    ),
}
"""By task, with what is written by hand."""
