"""Sound that only FFmpeg decodes (m4a, aac, wma, webm, mp4), by PyAV where the extra `media` is installed."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float32

from cohear.errors import UserError

MEDIA_SUFFIXES = frozenset({".m4a", ".aac", ".wma", ".webm", ".mp4"})
"""What libsndfile does not read."""


def probe_media(path: Path) -> tuple[float, int, int]:
    """Read duration (seconds), sample rate (Hz) and number of channels from a header.

    Raises:
        UserError: where PyAV is not installed or the file holds no sound.
    """
    av = _pyav(path)
    try:
        with av.open(str(path)) as container:
            stream = _sound(path, container)
            return _declared_s(container, stream), stream.rate, stream.channels
    except av.FFmpegError as error:
        raise _unreadable(path, error) from None


def decode_media(path: Path, mixed: bool = True) -> tuple[Float32[np.ndarray, "channel time"], int, int, int]:
    """Decode a whole file to the mean of its channels, one row, or to a row for each.

    Returns:
        The waveforms, their sample rate (Hz), the file's number of channels, and the number of samples that its
        header declares (what was decoded, where it declares none).

    Raises:
        UserError: where PyAV is not installed or the file cannot be decoded.
    """
    av = _pyav(path)
    try:
        with av.open(str(path)) as container:
            stream = _sound(path, container)
            sample_rate, n_channels = stream.rate, stream.channels
            declared_s = _declared_s(container, stream)
            blocks = list(_blocks(av, container, stream, mixed))
    except av.FFmpegError as error:
        raise _unreadable(path, error) from None
    waveforms = np.concatenate(blocks, axis=1) if blocks else np.zeros((1 if mixed else n_channels, 0), np.float32)
    return waveforms, sample_rate, n_channels, round(declared_s * sample_rate) or waveforms.shape[1]


def media_blocks(path: Path) -> Iterator[Float32[np.ndarray, "1 time"]]:
    """Decode a file to the mean of its channels, a frame of the codec at a time.

    Raises:
        UserError: where PyAV is not installed or decoding breaks off.
    """
    av = _pyav(path)
    try:
        with av.open(str(path)) as container:
            yield from _blocks(av, container, _sound(path, container), mixed=True)
    except av.FFmpegError as error:
        raise _unreadable(path, error) from None


def conversion(path: Path, converted: Path) -> str:
    """Write the command that converts a file, as a shell takes it."""
    return f"ffmpeg -i {shlex.quote(str(path))} {shlex.quote(str(converted))}"


def _pyav(path: Path) -> ModuleType:
    """Import PyAV or say how to do without."""
    try:
        import av
    except ImportError:
        raise UserError(
            f"{path} needs FFmpeg: install it with pip install 'cohear[media]', or convert the file ("
            f"{conversion(path, path.with_suffix('.wav'))})."
        ) from None
    return av


def _sound(path: Path, container: Any) -> Any:
    """Return the first audio stream."""
    if not container.streams.audio:
        raise UserError(f"{path} holds no sound, only {len(container.streams)} other streams: leave it out.")
    return container.streams.audio[0]


def _blocks(av: ModuleType, container: Any, stream: Any, mixed: bool) -> Iterator[np.ndarray]:
    """Decode a stream to planar floats, frame by frame."""
    to_planar = av.AudioResampler(format="fltp")
    for frame in container.decode(stream):
        for planar in to_planar.resample(frame):
            block = planar.to_ndarray()
            yield block.mean(axis=0, keepdims=True) if mixed else block


def _declared_s(container: Any, stream: Any) -> float:
    """Return the declared duration in seconds, 0 where there is none; a container counts in microseconds."""
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / 1e6


def _unreadable(path: Path, error: Exception) -> UserError:
    """Word what FFmpeg found wrong."""
    return UserError(f"{path} cannot be decoded by FFmpeg ({error}): copy it again, convert it, or leave it out.")
