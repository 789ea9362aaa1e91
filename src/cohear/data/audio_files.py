"""Files of sound: what they are called, opening them with libsndfile or FFmpeg, and what their headers declare.

FFmpeg, by PyAV where the extra `media` is installed, decodes what libsndfile does not: m4a, aac, wma, webm, mp4.
"""

import os
import re
import shlex
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from jaxtyping import Float32

from cohear.data.promised_lengths import promised_n_samples, seconds_beyond
from cohear.errors import UserError
from cohear.runtime.files import require_plain

_MEDIA_SUFFIXES = frozenset({".m4a", ".aac", ".wma", ".webm", ".mp4"})
"""What only FFmpeg decodes."""

AUDIO_SUFFIXES = _MEDIA_SUFFIXES | {
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
    *(".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64"),  # codespell:ignore caf
}
"""Names of sound files end in one of these, in small or capital letters."""

BLOCK = 1 << 18
"""Values read at a time, of all channels: those of a long file never lie in memory whole."""

_PREROLL = 8192
"""Samples dropped before a segment: after a seek the first block of Vorbis, at most 8192, is not exact."""

_SYSTEM_ERROR = 2
"""libsndfile's number for what a disk says."""

_MOST_SAMPLES = 1 << 53
"""Of a file: libsndfile gives more where a stream does not say how long it is."""


_MP3_WORDS = threading.Lock()
_DAMAGE = re.compile(rb"Illegal Audio-MPEG-Header \w+ at offset \d+|error: dequantization .+")
"""Other errors are said of sound files too, after every jump."""

_LOWEST_RATE, _HIGHEST_RATE = 100, 10_000_000
"""Hz; others are slips of a header, and resampling a few bytes from 1 Hz takes minutes."""

_OPTIONS = {
    "format_whitelist": "aac,asf,flac,loas,matroska,mov,mp3,mp4,ogg,wav,webm",
    "protocol_whitelist": "file",
}
"""FFmpeg goes by content: a playlist under the name of a sound would have it open other files and addresses."""


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What the header of a file declares."""

    duration_s: float
    """Seconds; 0 where it declares none."""
    sample_rate: int
    """Hz."""
    n_channels: int
    """Channels."""


class WaveFile:
    """A file that libsndfile reads, open; the same to its users as a `MediaFile`.

    Args:
        path: of a file that is there.

    Raises:
        UserError: where it is no sound, or does not say how to read it.
    """

    def __init__(self, path: Path) -> None:
        try:
            with _caught_words(path):
                self._file = _open(path)
            self.n_declared = promised_n_samples(path, self._file)
            """Samples of a channel that the header declares."""
            beyond_s = seconds_beyond(path, self._file)
        except soundfile.LibsndfileError as error:
            if error.code == _SYSTEM_ERROR:
                raise _not_given(path) from None
            raise _unreadable(path, error.error_string.rstrip(".")) from None
        except OSError:
            raise _not_given(path) from None
        if beyond_s:
            declared_s, is_mp3 = self.n_declared / self._file.samplerate, self._file.format == "MP3"
            reason = "another was joined to it" if is_mp3 else "its recorder did not finish the header"
            self._file.close()
            raise UserError(
                f"{path} declares {declared_s:.2f} s and holds {declared_s + beyond_s:.2f} s, as {reason}: mend it "
                f"({_conversion(path, '' if is_mp3 else '-ignore_length 1 ')}), or leave it out."
            )
        self._damaged_at: set[bytes] = set()
        self._path, self.sample_rate, self.n_channels = path, self._file.samplerate, self._file.channels
        self.n_there = self._file.frames
        """Samples that can be read, where that is known before; else 0."""
        _require_rate(path, self.sample_rate)
        if self.n_there > _MOST_SAMPLES:
            raise UserError(f"{path} does not say how long it is: convert it ({_conversion(path)}).")

    @property
    def n_damaged(self) -> int:
        """Places at which the decoder of MP3 said that something is wrong, in what was read so far."""
        return len(self._damaged_at)

    def __enter__(self) -> "WaveFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def blocks(
        self, first: int, last: int, n_samples: int = BLOCK
    ) -> Iterator[tuple[int, Float32[np.ndarray, "channel time"]]]:
        """Give blocks that hold samples first to last (excluded), as far as they are there, each with its place.

        Raises:
            UserError: where decoding breaks off.
        """
        position = max(0, min(first, self.n_there) - _PREROLL)
        n_samples = max(1, min(n_samples, BLOCK // self.n_channels))
        try:
            if position:
                self._file.seek(position)
            while position < last:
                n_wanted = min(n_samples, last - position)
                with _caught_words(self._path) as words:
                    block = self._file.read(n_wanted, dtype="float32", always_2d=True)
                self._damaged_at.update(_DAMAGE.findall(b"".join(words)))
                if len(block):
                    yield position, block.T
                position += len(block)
                if len(block) < n_wanted:  # a next read would seek, and give what was heard already
                    break
        except soundfile.LibsndfileError:
            declared = f"{self.n_there / self.sample_rate:.2f} s that it declares"
            raise UserError(f"{self._path} is damaged or cut short before the {declared}: copy it again.") from None


def _open(path: Path) -> soundfile.SoundFile:
    """Open a file by its descriptor: by its name, libsndfile would look at what lies beside it, as `._` files of Macs.

    Only by a name that ends in .mp3 it looks for the first frame behind other bytes.
    """
    try:
        return soundfile.SoundFile(os.open(path, os.O_RDONLY))
    except soundfile.LibsndfileError:
        if path.suffix.lower() != ".mp3" or path.with_name(f"._{path.name}").exists():
            raise
        return soundfile.SoundFile(path)


class MediaFile:
    """A file that is open, to be decoded once from its beginning: it has no place that could be found exactly."""

    n_there = 0
    """Samples that can be read are not known before."""
    n_damaged = 0
    """FFmpeg does not tell."""

    def __init__(self, av: Any, container: Any, stream: Any) -> None:
        self._av, self._container, self._stream = av, container, stream
        self.sample_rate: int = stream.rate
        """Hz."""
        self.n_channels: int = stream.channels
        declared_s = (container.duration or 0) / 1e6  # a container counts in microseconds
        if stream.duration is not None and stream.time_base is not None:
            declared_s = float(stream.duration * stream.time_base)
        self.n_declared = max(0, round(declared_s * stream.rate))
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
def _caught_words(path: Path) -> Iterator[list[bytes]]:
    """Keep what the decoder of MP3 says on descriptor 2 from the screen, and put it into the list when it is done.

    One decoder at a time, since nothing tells whose words they are; and only where our own words go elsewhere.
    """
    said: list[bytes] = []
    if path.suffix.lower() != ".mp3" or not _stderr_is_elsewhere():
        yield said
        return
    with _MP3_WORDS, tempfile.TemporaryFile() as words:
        screen = os.dup(2)
        os.dup2(words.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(screen, 2)
            os.close(screen)
            words.seek(0)
            said.append(words.read())


def _stderr_is_elsewhere() -> bool:
    try:
        return sys.stderr.fileno() != 2
    except (AttributeError, OSError, ValueError):  # it is closed, or no file
        return False


def is_audio(path: Path) -> bool:
    """Tell by its name whether a file holds sound; hidden files do not count."""
    return path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")


def is_media(path: str | Path) -> bool:
    """Tell by its name whether only FFmpeg decodes a file, which hears it from the beginning to reach any place."""
    return Path(path).suffix.lower() in _MEDIA_SUFFIXES


@contextmanager
def opened(path: str | Path) -> Iterator[WaveFile | MediaFile]:
    """Open a file with whatever reads it: libsndfile, or FFmpeg.

    Raises:
        UserError: where there is no such file or it holds no sound.
    """
    path = Path(path)
    _require_content(path)
    with _media(path) if is_media(path) else WaveFile(path) as file:
        yield file


def probe(path: str | Path) -> AudioInfo:
    """Read what a file's header declares, without decoding it.

    Raises:
        UserError: where there is no such file or it holds no sound.
    """
    with opened(path) as file:
        return AudioInfo(file.n_declared / file.sample_rate, file.sample_rate, file.n_channels)


def _conversion(path: Path, how: str = "") -> str:
    """Write the command that makes a WAV file of another file, as a shell takes it."""
    return f"ffmpeg {how}-i {shlex.quote(str(path))} {shlex.quote(str(path.with_name(f'{path.stem}-converted.wav')))}"


def _require_content(path: Path) -> None:
    """Refuse what is no file that can be opened and holds something."""
    require_plain(path)
    try:
        with open(path, "rb") as file:
            is_empty = not file.read(1)
    except OSError as error:
        raise UserError(f"{path} cannot be opened ({error.strerror}): check its name and folder.") from None
    if is_empty:
        raise UserError(f"{path} is empty (0 bytes): copy it again or leave it out.")


@contextmanager
def _media(path: Path) -> Iterator[MediaFile]:
    """Open a file and its first stream of sound; whatever stops FFmpeg inside is worded.

    Raises:
        UserError: where PyAV is not installed, or the file holds no sound or cannot be decoded.
    """
    try:
        import av
        from av.error import FFmpegError
    except ImportError:
        remedy = f"install it with pip install 'cohear[media]', or convert the file ({_conversion(path)})"
        raise UserError(f"{path} needs FFmpeg: {remedy}.") from None
    try:
        # A relative path may begin like an address, as `concat:`.
        with av.open(os.path.abspath(path), metadata_errors="replace", options=_OPTIONS) as container:
            if not container.streams.audio:
                raise UserError(f"{path} holds no sound: leave it out.")
            stream = container.streams.audio[0]
            if stream.codec_context is None or not stream.channels:
                raise UserError(f"{path} is of a codec that FFmpeg does not know here: convert it, or leave it out.")
            _require_rate(path, stream.rate)
            yield MediaFile(av, container, stream)
    except UserError:
        raise
    except (FFmpegError, ValueError) as error:  # a ValueError is PyAV's own, of what it cannot put together
        raise UserError(f"{path} cannot be decoded by FFmpeg ({error}): convert it, or leave it out.") from None


def _require_rate(path: Path, sample_rate: int) -> None:
    """Refuse a rate (Hz) at which nothing is recorded.

    Raises:
        UserError: where it is not between 100 Hz and 10 MHz.
    """
    if not _LOWEST_RATE <= sample_rate <= _HIGHEST_RATE:
        allowed = f"{_LOWEST_RATE} to {_HIGHEST_RATE} Hz"
        raise UserError(f"{path} declares a sample rate of {sample_rate} Hz, not {allowed}: export it again.")


def _not_given(path: Path) -> UserError:
    return UserError(f"{path} cannot be read, its disk does not give it: see to the disk, or leave the file out.")


def _unreadable(path: Path, reason: str) -> UserError:
    return UserError(f"{path} cannot be read as sound ({reason}): leave it out, or convert it ({_conversion(path)}).")
