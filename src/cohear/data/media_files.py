"""Sound that only FFmpeg decodes (m4a, aac, wma, webm, mp4), by PyAV where the extra `media` is installed."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float32

from cohear.data.sample_values import mix
from cohear.errors import UserError

MEDIA_SUFFIXES = frozenset({".m4a", ".aac", ".wma", ".webm", ".mp4"})
"""What libsndfile does not read."""

_OPTIONS = {
    "format_whitelist": "aac,asf,flac,loas,matroska,mov,mp3,mp4,ogg,wav,webm",
    "protocol_whitelist": "file",
}
"""FFmpeg goes by content: a playlist under the name of a sound would have it open other files and addresses."""


def probe_media(path: Path) -> tuple[float, int, int]:
    """Read duration (seconds), sample rate (Hz) and number of channels from a header.

    Raises:
        UserError: where PyAV is not installed or the file holds no sound.
    """
    with _opened(path) as (_, container, stream):
        return _declared_s(container, stream), stream.rate, stream.channels


def decode_media(
    path: Path, mixed: bool, most_values: int
) -> tuple[Float32[np.ndarray, "channel time"], int, int, int]:
    """Decode a whole file to the mean of its channels, one row, or to a row for each.

    Args:
        path: the file.
        mixed: whether it is to be the mean.
        most_values: that the waveforms may have together.

    Returns:
        The waveforms, their sample rate (Hz), the file's number of channels, and the number of samples that its
        header declares (what was decoded, where it declares none).

    Raises:
        UserError: where PyAV is not installed, or the file cannot be decoded or is too long.
    """
    with _opened(path) as (av, container, stream):
        sample_rate, n_channels = stream.rate, stream.channels
        declared_s = _declared_s(container, stream)
        blocks = list(_limited(path, _blocks(av, container, stream, mixed), sample_rate, most_values))
        if len({len(block) for block in blocks}) > 1:
            raise UserError(f"{path} changes its number of channels: convert it, or leave it out.")
    waveforms = np.concatenate(blocks, axis=1) if blocks else np.zeros((1 if mixed else n_channels, 0), np.float32)
    return waveforms, sample_rate, n_channels, round(declared_s * sample_rate) or waveforms.shape[1]


def media_blocks(path: Path) -> Iterator[Float32[np.ndarray, "1 time"]]:
    """Decode a file to the mean of its channels, a frame of the codec at a time.

    Raises:
        UserError: where PyAV is not installed or decoding breaks off.
    """
    with _opened(path) as (av, container, stream):
        yield from _blocks(av, container, stream, mixed=True)


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


@contextmanager
def _opened(path: Path) -> Iterator[tuple[ModuleType, Any, Any]]:
    """Give PyAV, the open file and its first audio stream; whatever stops them is worded."""
    av = _pyav(path)
    try:
        # A relative path may begin like an address, as `concat:`.
        with av.open(os.path.abspath(path), metadata_errors="replace", options=_OPTIONS) as container:
            yield av, container, _sound(path, container)
    except UserError:
        raise
    except (av.FFmpegError, ValueError) as error:  # a ValueError is PyAV's own, of what it cannot put together
        raise _unreadable(path, error) from None


def _sound(path: Path, container: Any) -> Any:
    """Return the first audio stream."""
    if not container.streams.audio:
        raise UserError(f"{path} holds no sound, only {len(container.streams)} other streams: leave it out.")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise UserError(f"{path} is of a codec that FFmpeg does not know here: convert it, or leave it out.")
    return stream


def _blocks(av: ModuleType, container: Any, stream: Any, mixed: bool) -> Iterator[np.ndarray]:
    """Decode a stream to planar floats, frame by frame."""
    to_planar = av.AudioResampler(format="fltp")
    for frame in container.decode(stream):
        for planar in to_planar.resample(frame):
            block = planar.to_ndarray()
            yield mix(block) if mixed else block


def _limited(path: Path, blocks: Iterator[np.ndarray], sample_rate: int, most_values: int) -> Iterator[np.ndarray]:
    """Pass blocks on until they are too many; a header need not say how many will come."""
    n_values = 0
    for block in blocks:
        n_values += block.size
        if n_values > most_values:
            raise too_long(path, most_values // len(block) / sample_rate)
        yield block


def too_long(path: Path, most_s: float) -> UserError:
    """Word that a file cannot be heard whole."""
    return UserError(
        f"{path} is longer than {most_s / 3600:.1f} h, too long to be taken whole: cut it into parts, or list segments "
        "of it with start and end."
    )


def _declared_s(container: Any, stream: Any) -> float:
    """Return the declared duration in seconds, 0 where there is none; a container counts in microseconds."""
    if stream.duration is not None and stream.time_base is not None:
        return max(0.0, float(stream.duration * stream.time_base))
    return max(0, container.duration or 0) / 1e6


def _unreadable(path: Path, error: Exception) -> UserError:
    """Word what FFmpeg found wrong."""
    return UserError(f"{path} cannot be decoded by FFmpeg ({error}): copy it again, convert it, or leave it out.")
