"""One file of sound to one waveform, or one per channel, with everything that can be wrong said in a sentence.

A file that ends early often decodes without an error, so the length that its header declares is compared with
what came out. Nearly whole is used and reported as a shortfall; less is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from jaxtyping import Float32

from cohear.data.audio_opening import existing, open_sound, require_rate
from cohear.data.media_files import MEDIA_SUFFIXES, decode_media, media_blocks, probe_media, too_long
from cohear.data.promised_lengths import promised_n_samples
from cohear.data.sample_values import bad_sample, mix, n_before_bad
from cohear.errors import UserError

AUDIO_SUFFIXES = MEDIA_SUFFIXES | {
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
    *(".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64"),  # codespell:ignore caf
}
"""Names of sound files end in one of these, in small or capital letters."""

_TOLERANCE_S, _TOLERANCE = 0.05, 0.01
"""Encoder delay and padding explain a difference of up to 50 ms, or 1 % of the length."""

_USABLE = 0.95
"""A recording of which at least this part is there is used."""

_BLOCK = 1 << 18
"""Values read at a time, of all channels: those of a long file never lie in memory whole."""

_MOST_VALUES = 1 << 30
"""Of a waveform that is decoded whole, 4 GiB: a few kilobytes of silence can claim to be weeks."""

_PREROLL = 8192
"""Samples dropped before a segment: after a seek the first block of Vorbis, at most 8192, is not exact."""


@dataclass(frozen=True)
class DecodedAudio:
    """What came out of a file, or of a segment of it."""

    waveform: Float32[np.ndarray, " time"]
    """The mean of the channels; full scale is [-1, 1], which files of floats may exceed."""
    sample_rate: int
    """Hz, that of the file."""
    n_channels: int
    """Channels of the file."""
    shortfall_s: float
    """Seconds declared but missing; 0 unless that is more than encoders explain."""


@dataclass(frozen=True)
class DecodedChannels:
    """What came out of a file, channel by channel."""

    waveforms: Float32[np.ndarray, "channel time"]
    """Full scale is [-1, 1], which files of floats may exceed."""
    sample_rate: int
    """Hz, that of the file."""
    shortfall_s: float
    """Seconds declared but missing; 0 unless that is more than encoders explain."""


@dataclass(frozen=True)
class AudioInfo:
    """What the header of a file declares."""

    duration_s: float
    """Seconds."""
    sample_rate: int
    """Hz."""
    n_channels: int
    """Channels."""


def is_audio(path: Path) -> bool:
    """Tell by its name whether a file holds sound; hidden files do not count."""
    return path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")


def probe(path: str | Path) -> AudioInfo:
    """Read what a file's header declares, without decoding it.

    Raises:
        UserError: where there is no such file or it holds no sound.
    """
    path = existing(Path(path))
    if path.suffix.lower() in MEDIA_SUFFIXES:
        info = AudioInfo(*probe_media(path))
        require_rate(path, info.sample_rate)
        return info
    with open_sound(path) as file:
        n_samples = promised_n_samples(path) or file.frames
        return AudioInfo(n_samples / file.samplerate, file.samplerate, file.channels)


def decode(path: str | Path, start_s: float | None = None, end_s: float | None = None) -> DecodedAudio:
    """Decode a file, or a segment of it, and mix it to mono.

    Args:
        path: a sound file; what soundfile reads, or with the extra `media` what FFmpeg reads.
        start_s: where the segment begins, seconds >= 0; None is the beginning of the file.
        end_s: where it ends, seconds > start_s; None is the end of the file.

    Raises:
        UserError: where the file is missing, no sound, empty, cut short by more than a twentieth, holds NaN,
            infinite samples or ones beyond a million, or ends before the segment does.
    """
    start_s = start_s or 0.0
    if start_s < 0 or (end_s is not None and end_s <= start_s):
        raise ValueError(f"a segment needs 0 <= start_s < end_s, not start_s={start_s}, end_s={end_s}")
    waveforms, sample_rate, n_channels, shortfall_s = _decode(Path(path), start_s, end_s, mixed=True)
    return DecodedAudio(waveforms[0], sample_rate, n_channels, shortfall_s)


def decode_channels(path: str | Path) -> DecodedChannels:
    """Decode a whole file and keep its channels apart; all of them lie in memory.

    Raises:
        UserError: as `decode` does.
    """
    waveforms, sample_rate, _, shortfall_s = _decode(Path(path), 0.0, None, mixed=False)
    return DecodedChannels(waveforms, sample_rate, shortfall_s)


def declared_blocks(
    path: Path, n_declared: int, *, mixed: bool, n_samples: int = _BLOCK
) -> Iterator[Float32[np.ndarray, "channel time"]]:
    """Decode a file block by block, no more of it than its header declares; of FFmpeg's the channels are always mixed.

    Args:
        path: a sound file.
        n_declared: samples that the header declares; 0 where it declares none.
        mixed: whether blocks are the mean of the channels, one row.
        n_samples: at most so many in a block, but for FFmpeg's, which are frames of the codec.

    Raises:
        UserError: where there is nothing in the file, or decoding breaks off.
    """
    if path.suffix.lower() in MEDIA_SUFFIXES:
        n_heard = 0
        for block in media_blocks(path):
            kept = block[:, : max(0, n_declared - n_heard)] if n_declared else block
            n_heard += block.shape[1]
            if kept.shape[1]:
                yield kept
        return
    if not n_declared:
        raise _no_samples(path)
    with open_sound(path) as file:
        yield from _read(path, file, 0, n_declared, mixed, n_samples)


def resample(waveform: Float32[np.ndarray, " time"], from_rate: int, to_rate: int) -> Float32[np.ndarray, " new_time"]:
    """Change the sample rate by soxr's high-quality filter (20 bits, linear phase).

    Args:
        waveform: full scale is [-1, 1].
        from_rate: Hz, > 0.
        to_rate: Hz, > 0; the same as `from_rate` gives the waveform unchanged.
    """
    if from_rate == to_rate:
        return waveform
    return soxr.resample(waveform, from_rate, to_rate, quality="HQ")


def _decode(
    path: Path, start_s: float, end_s: float | None, mixed: bool
) -> tuple[Float32[np.ndarray, "channel time"], int, int, float]:
    """Return waveforms, sample rate (Hz), the file's number of channels and the shortfall in seconds."""
    path = existing(path)
    if path.suffix.lower() in MEDIA_SUFFIXES:
        whole, sample_rate, n_channels, n_declared = decode_media(path, mixed, _MOST_VALUES)
        require_rate(path, sample_rate)
        first, last = _segment(path, start_s, end_s, sample_rate, n_declared)
        waveforms = whole[:, first:last]
    else:
        with open_sound(path) as file:
            sample_rate, n_channels = file.samplerate, file.channels
            n_declared = promised_n_samples(path) or file.frames
            first, last = _segment(path, start_s, end_s, sample_rate, n_declared)
            n_rows = 1 if mixed else n_channels
            if (min(last, file.frames) - first) * n_rows > _MOST_VALUES:
                raise too_long(path, _MOST_VALUES // n_rows / sample_rate)
            blocks = list(_read(path, file, first, last, mixed))
        none = np.zeros((1 if mixed else n_channels, 0), np.float32)
        waveforms = np.concatenate(blocks, axis=1) if blocks else none
    if (n_good := n_before_bad(waveforms)) < waveforms.shape[1]:
        raise bad_sample(path, (first + n_good) / sample_rate, waveforms[:, n_good])
    decoded_s = waveforms.shape[1] / sample_rate
    is_whole = first == 0 and end_s is None
    shortfall_s = missing_s(path, decoded_s, (last - first) / sample_rate, None if is_whole else first / sample_rate)
    return waveforms, sample_rate, n_channels, shortfall_s


def _segment(path: Path, start_s: float, end_s: float | None, sample_rate: int, n_declared: int) -> tuple[int, int]:
    """Turn seconds into sample positions within a file of so many samples."""
    first = round(start_s * sample_rate)
    last = n_declared if end_s is None else round(end_s * sample_rate)
    if n_declared == 0:
        raise _no_samples(path)
    if first >= n_declared:
        raise UserError(
            f"{path} lasts {n_declared / sample_rate:.2f} s, so no segment can begin at {start_s:g} s: check its start."
        )
    return first, last


def _read(
    path: Path, file: soundfile.SoundFile, first: int, last: int, mixed: bool, n_samples: int = _BLOCK
) -> Iterator[Float32[np.ndarray, "channel time"]]:
    """Read samples first to last (excluded) of an open file, as far as they are there; mixed is one row.

    Raises:
        UserError: where decoding breaks off.
    """
    position = max(0, first - _PREROLL) if first else 0
    n_samples = max(1, min(n_samples, _BLOCK // file.channels))
    try:
        if position:
            file.seek(position)
        while position < last:
            block = file.read(min(n_samples, last - position), dtype="float32", always_2d=True)
            if not len(block):
                break
            kept = block[max(0, first - position) :]
            yield mix(kept.T) if mixed else kept.T
            position += len(block)
    except soundfile.LibsndfileError:
        raise UserError(
            f"{path} is damaged or cut short: decoding breaks off before the "
            f"{file.frames / file.samplerate:.2f} s that it declares; copy it again or leave it out."
        ) from None


def _no_samples(path: Path) -> UserError:
    """Word that there is a header and nothing else."""
    return UserError(f"{path} holds no samples: record or copy it again, or leave it out.")


def missing_s(path: Path, decoded_s: float, declared_s: float, start_s: float | None = None) -> float:
    """Compare what came out with what was declared: seconds that are missing, 0 where encoders explain them.

    Args:
        path: the file.
        decoded_s: seconds that came out.
        declared_s: seconds that should have.
        start_s: where a segment of the file begins; None is the whole file.

    Raises:
        UserError: where too little came out.
    """
    shortfall_s = declared_s - decoded_s
    tolerance_s = max(_TOLERANCE_S, _TOLERANCE * declared_s)
    if decoded_s == 0 or (shortfall_s > tolerance_s and decoded_s < _USABLE * declared_s):
        gives = f"{path} gives only {decoded_s:.2f} of {declared_s:.2f} s"
        if start_s is None:
            raise UserError(f"{gives}: it is cut short or damaged; copy it again or leave it out.")
        segment = f" from {start_s:g} s on" if start_s else ""
        raise UserError(
            f"{gives}{segment}: it is cut short, damaged, or shorter than the segment asked for; copy it again, "
            "correct the segment, or leave it out."
        )
    return shortfall_s if shortfall_s > tolerance_s else 0.0
