"""From a sound of any length and rate to the one clip that a page shows and a classifier hears.

What is no longer than a clip is filled up as in training. Of what is longer the loudest clip length is taken: an event
is more often loud than first, and a person who drops a recording wants to see an event.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from cohear.data.audio_files import AudioInfo, decode, probe, resample
from cohear.data.audio_stream import AudioStream
from cohear.data.fitting import fit
from cohear.errors import UserError
from cohear.inference.classifier import Classifier

MAX_UPLOAD_MIB = 100
"""MiB of a file; ten minutes of a CD are 101."""
MAX_DURATION_S = 600.0
"""Seconds of a recording."""
_RATES_HZ = (100, 1_000_000)
"""Sample rates that a file may declare; no recorder writes others."""


@dataclass(frozen=True, eq=False)
class Excerpt:
    """One clip of a sound, as a classifier wants it."""

    waveform: Float32[np.ndarray, " time"]
    """Of the classifier's rate and clip length."""
    n_sound: int
    """Samples that are sound; silence that fills the clip up may follow."""
    name: str
    """What the sound is called: its file, or what was made up."""
    origin: str
    """What it was taken from and which part of it this is, a sentence."""


def excerpt_of_file(classifier: Classifier, path: Path, name: str | None = None) -> Excerpt:
    """Read a sound file of at most ten minutes, in memory that a file cannot exceed, and take an excerpt.

    Args:
        classifier: whose rate and clip length are wanted.
        path: any file that training accepts.
        name: what the sound is called; None: as the file.

    Raises:
        UserError: where the file cannot be read or is too long; it names the file without its folder.
    """
    with _named_without_folder(path):
        info = probe(path)
        _check(path, info)
        stream, blocks, n_samples = AudioStream(path, classifier.sample_rate), [], 0
        for block in stream:
            blocks.append(block)
            n_samples += len(block)
            if n_samples > MAX_DURATION_S * classifier.sample_rate:
                raise _too_long(path)
        if stream.damage is not None:
            raise stream.damage
    origin = _described(n_samples / classifier.sample_rate, info)
    if stream.shortfall_s:
        origin += f", {stream.shortfall_s:.2f} s less than it declares"
    return take_excerpt(classifier, np.concatenate(blocks), name or path.name, origin)


def excerpt_of_segment(classifier: Classifier, path: Path, start_s: float | None, end_s: float | None) -> Excerpt:
    """Read a segment of a sound file, seconds, and take an excerpt.

    Raises:
        UserError: where the file cannot be read or ends before the segment; it names the file without its folder.
    """
    with _named_without_folder(path):
        audio = decode(path, start_s, end_s)
    waveform = resample(audio.waveform, audio.sample_rate, classifier.sample_rate)
    duration_s = len(audio.waveform) / audio.sample_rate
    origin = _described(duration_s, AudioInfo(duration_s, audio.sample_rate, audio.n_channels))
    return take_excerpt(classifier, waveform, path.name, f"{origin}, from {start_s or 0:g} s of the recording on")


def take_excerpt(classifier: Classifier, waveform: Float32[np.ndarray, " time"], name: str, origin: str) -> Excerpt:
    """Take one clip of a waveform: all of it, filled up if need be, or its loudest part.

    Args:
        classifier: whose clip length is wanted.
        waveform: at least one sample, of the classifier's rate.
        name: what the sound is called.
        origin: what is known of it, in words.
    """
    n_clip, n_samples = classifier.n_samples, len(waveform)
    start = loudest_start(waveform, n_clip)
    window = waveform[start : start + n_clip]
    taken = "heard is all of it"
    if n_samples > n_clip:
        taken = f"heard is its loudest part, {classifier.clip_s:g} s from {start / classifier.sample_rate:.2f} s on"
    elif n_samples < n_clip:
        filling = "silence" if classifier.short == "pad" else "repetition"
        taken += f", filled up to {classifier.clip_s:g} s by {filling}, as in training"
    if not window.any():
        taken += ": it is silent"
    n_sound = n_clip if classifier.short == "repeat" else len(window)
    return Excerpt(fit(window, n_clip, classifier.short), n_sound, name, f"{origin}; {taken}.")


def loudest_start(waveform: Float32[np.ndarray, " time"], n_window: int) -> int:
    """Say where the window of most energy begins, the first of several; 0 where there is only one.

    Example:
        >>> loudest_start(np.array([0, 1, 0, 2, 2, 0], np.float32), 2)
        3
    """
    if len(waveform) <= n_window:
        return 0
    energies = np.concatenate(([0.0], np.cumsum(np.square(waveform, dtype=np.float64))))
    return int(np.argmax(energies[n_window:] - energies[:-n_window]))


@contextmanager
def _named_without_folder(path: Path) -> Iterator[None]:
    """Where the page keeps what it is given is nobody's concern."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(f"{path.parent}/", "")) from error


def _check(path: Path, info: AudioInfo) -> None:
    """Refuse what a header declares before anything is decoded."""
    if info.duration_s > MAX_DURATION_S:
        raise _too_long(path)
    if not _RATES_HZ[0] <= info.sample_rate <= _RATES_HZ[1]:
        raise UserError(f"{path.name} declares a rate of {info.sample_rate} samples a second; export it again.")


def _too_long(path: Path) -> UserError:
    return UserError(
        f"{path.name} lasts longer than {MAX_DURATION_S / 60:.0f} minutes, which is what this page takes: cut a part "
        "out, or give the recording to `cohear predict`."
    )


def _described(duration_s: float, info: AudioInfo) -> str:
    channels = "" if info.n_channels == 1 else f", the mean of {info.n_channels} channels"
    return f"{duration_s:.2f} s at {info.sample_rate} Hz{channels}"
