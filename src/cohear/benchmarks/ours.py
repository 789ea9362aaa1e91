"""Our transforms as contenders, and what they are held against by hand: a bare transform, a copy."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cohear.benchmarks.contender import Contender, Prepare, Task
from cohear.benchmarks.inputs import HOP_LENGTH, N_FFT, N_MELS, RESPONSE_S, SAMPLE_RATE


def _pitch_shift() -> Prepare:
    import torch

    from cohear.transforms import pitch_shift

    def prepare(clips: np.ndarray, semitones: np.ndarray) -> Callable[[], Any]:
        waveforms = torch.from_numpy(clips)
        return lambda: pitch_shift(waveforms, semitones, SAMPLE_RATE).numpy()

    return prepare


def _reverberate() -> Prepare:
    import torch

    from cohear.transforms import reverberate

    def prepare(clips: np.ndarray, responses: np.ndarray) -> Callable[[], Any]:
        waveforms, rooms = torch.from_numpy(clips), torch.from_numpy(responses)
        return lambda: reverberate(waveforms, rooms).numpy()

    return prepare


def _reverb_from_a_bank() -> Prepare:
    """A bank is made up once and used for the whole training, so making it is not part of the call."""
    import torch

    from cohear import keys
    from cohear.transforms import Reverb

    transform = Reverb(n_responses=32, rt60_range=(RESPONSE_S, RESPONSE_S), sample_rate=SAMPLE_RATE)

    def prepare(clips: np.ndarray, _responses: np.ndarray) -> Callable[[], Any]:
        waveforms = torch.from_numpy(clips)
        parameters = transform.draw(keys.fold_in(keys.key(0, "bench"), np.arange(len(waveforms))))
        return lambda: transform.apply(waveforms, parameters).numpy()

    return prepare


def _log_mel() -> Prepare:
    import torch

    from cohear.models import LogMel

    front_end = LogMel(SAMPLE_RATE, N_FFT, HOP_LENGTH, N_MELS)

    def prepare(clips: np.ndarray) -> Callable[[], Any]:
        waveforms = torch.from_numpy(clips)
        return lambda: front_end(waveforms).numpy()

    return prepare


def _bare_log_mel(whole_batch: bool) -> Callable[[], Prepare]:
    """Write the front end as anybody would, with filters that are ready."""

    def load() -> Prepare:
        import torch

        from cohear.models.log_mel import mel_filters

        window = torch.hann_window(N_FFT)
        filters = torch.from_numpy(mel_filters(SAMPLE_RATE, N_FFT, N_MELS)).float()

        def log_mel(waveforms: torch.Tensor) -> torch.Tensor:
            spectra = torch.stft(
                waveforms, N_FFT, HOP_LENGTH, window=window, center=True, pad_mode="constant", return_complex=True
            )
            power = spectra.real.square() + spectra.imag.square()  # faster than abs(), which takes a root
            return 10 * torch.log10((filters @ power).clamp(min=1e-10))

        def prepare(clips: np.ndarray) -> Callable[[], Any]:
            waveforms = torch.from_numpy(clips)
            if whole_batch:
                return lambda: log_mel(waveforms).numpy()
            return lambda: [log_mel(waveform).numpy() for waveform in waveforms]

        return prepare

    return load


def _spec_augment(draws: bool) -> Callable[[], Prepare]:
    def load() -> Prepare:
        import torch

        from cohear import keys
        from cohear.transforms import SpecAugment

        transform = SpecAugment()

        def prepare(log_mels: np.ndarray) -> Callable[[], Any]:
            batch = torch.from_numpy(log_mels)
            clip_keys = keys.fold_in(keys.key(0, "bench"), np.arange(len(batch)))
            parameters = transform.draw(clip_keys)
            if draws:
                return lambda: transform.apply(batch, transform.draw(clip_keys)).numpy()
            return lambda: transform.apply(batch, parameters).numpy()

        return prepare

    return load


def _copy() -> Prepare:
    import torch

    def prepare(log_mels: np.ndarray) -> Callable[[], Any]:
        batch = torch.from_numpy(log_mels)
        return lambda: batch.clone().numpy()

    return prepare


OURS: dict[Task, tuple[Contender, ...]] = {
    "pitch": (Contender("cohear pitch_shift", _pitch_shift),),
    "reverb": (
        Contender("cohear reverberate", _reverberate),
        Contender("cohear Reverb, apply, from its bank", _reverb_from_a_bank),
    ),
    "log_mel": (Contender("cohear LogMel", _log_mel),),
    "spec_augment": (
        Contender("cohear SpecAugment, draw and apply", _spec_augment(draws=True)),
        Contender("cohear SpecAugment, apply", _spec_augment(draws=False)),
    ),
}
"""By task."""

BY_HAND: dict[Task, tuple[Contender, ...]] = {
    "pitch": (),
    "reverb": (),
    "log_mel": (
        Contender("bare torch.stft, one clip at a time", _bare_log_mel(whole_batch=False)),
        Contender("bare torch.stft, whole batch", _bare_log_mel(whole_batch=True)),
    ),
    "spec_augment": (Contender("copying the batch", _copy),),
}
"""What needs no peer."""
