"""Sound that only FFmpeg decodes (m4a, aac, wma, webm, mp4), by PyAV where the extra `media` is installed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from cohear.data.sound_checks import conversion, require_rate
from cohear.errors import UserError

MEDIA_SUFFIXES = frozenset({".m4a", ".aac", ".wma", ".webm", ".mp4"})
"""What libsndfile does not read."""

_OPTIONS = {
    "format_whitelist": "aac,asf,flac,loas,matroska,mov,mp3,mp4,ogg,wav,webm",
    "protocol_whitelist": "file",
}
"""FFmpeg goes by content: a playlist under the name of a sound would have it open other files and addresses."""


class MediaFile:
    """A file that is open, to be decoded once from its beginning: it has no place that could be found exactly."""

    n_there = 0
    """Samples that can be read are not known before."""

    def __init__(self, av: Any, container: Any, stream: Any) -> None:
        self._av, self._container, self._stream = av, container, stream
        self.sample_rate: int = stream.rate
        """Hz."""
        self.n_channels: int = stream.channels
        self.n_declared = round(_declared_s(container, stream) * stream.rate)
        """Samples that the header declares; 0 where it declares none."""

    def blocks(
        self, first: int, last: int, n_samples: int = 0
    ) -> Iterator[tuple[int, Float32[np.ndarray, "channel time"]]]:
        """Give blocks from the beginning to sample `last` (excluded), each with its place: frames of the codec."""
        del first, n_samples
        to_planar, position = self._av.AudioResampler(format="fltp"), 0
        for frame in self._container.decode(self._stream):
            for planar in to_planar.resample(frame):
                block = planar.to_ndarray()
                yield position, block[:, : last - position]
                position += block.shape[1]
            if position >= last:
                return


@contextmanager
def open_media(path: Path) -> Iterator[MediaFile]:
    """Open a file and its first stream of sound; whatever stops FFmpeg inside is worded.

    Raises:
        UserError: where PyAV is not installed, or the file holds no sound or cannot be decoded.
    """
    try:
        import av
        from av.error import FFmpegError
    except ImportError:
        raise UserError(
            f"{path} needs FFmpeg: install it with pip install 'cohear[media]', or convert the file "
            f"({conversion(path)})."
        ) from None
    try:
        # A relative path may begin like an address, as `concat:`.
        with av.open(os.path.abspath(path), metadata_errors="replace", options=_OPTIONS) as container:
            if not container.streams.audio:
                raise UserError(f"{path} holds no sound, only {len(container.streams)} other streams: leave it out.")
            stream = container.streams.audio[0]
            if stream.codec_context is None:
                raise UserError(f"{path} is of a codec that FFmpeg does not know here: convert it, or leave it out.")
            require_rate(path, stream.rate)
            yield MediaFile(av, container, stream)
    except UserError:
        raise
    except (FFmpegError, ValueError) as error:  # a ValueError is PyAV's own, of what it cannot put together
        raise UserError(
            f"{path} cannot be decoded by FFmpeg ({error}): copy it again, convert it, or leave it out."
        ) from None


def _declared_s(container: Any, stream: Any) -> float:
    """Return the declared duration in seconds, 0 where there is none; a container counts in microseconds."""
    if stream.duration is not None and stream.time_base is not None:
        return max(0.0, float(stream.duration * stream.time_base))
    return max(0, container.duration or 0) / 1e6
