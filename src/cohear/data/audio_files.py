"""One file of sound to one waveform, or one per channel, with everything that can be wrong said in a sentence.

A file that ends early often decodes without an error, so the length that its header declares is compared with
what came out. Nearly whole is used and reported as a shortfall; less is refused.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from jaxtyping import Float32

from cohear.data.media_files import MEDIA_SUFFIXES, MediaFile, open_media
from cohear.data.promised_lengths import promised_n_samples
from cohear.data.sound_checks import bad_sample, conversion, existing, mix, n_before_bad, require_rate
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

BLOCK = 1 << 18
"""Values read at a time, of all channels: those of a long file never lie in memory whole."""

_PREROLL = 8192
"""Samples dropped before a segment: after a seek the first block of Vorbis, at most 8192, is not exact."""

_SYSTEM_ERROR = 2
"""libsndfile's number for what a disk says."""

MOST_VALUES = 1 << 30
"""Of waveforms in memory, 4 GiB: a few kilobytes of silence can claim to be weeks."""

_MOST_SAMPLES = 1 << 53
"""Of a file: libsndfile gives more where a stream does not say how long it is."""


@dataclass(frozen=True)
class DecodedAudio:
    """What came out of a file, or of a segment of it."""

    waveforms: Float32[np.ndarray, "channel time"]
    """Full scale is [-1, 1], which files of floats may exceed; one row where the channels are mixed."""
    sample_rate: int
    """Hz, that of the file."""
    n_channels: int
    """Channels of the file."""
    shortfall_s: float
    """Seconds declared but missing; 0 unless that is more than encoders explain."""

    @property
    def waveform(self) -> Float32[np.ndarray, " time"]:
        """The mean of the channels, where they are mixed."""
        return self.waveforms[0]


@dataclass(frozen=True)
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
            self._file = soundfile.SoundFile(path)
            self.n_declared = promised_n_samples(path, self._file)
            """Samples of a channel that the header declares."""
        except soundfile.LibsndfileError as error:
            if error.code == _SYSTEM_ERROR:
                raise _not_given(path) from None
            raise _unreadable(path, error.error_string.rstrip(".")) from None
        except TypeError:  # soundfile's, of a name that ends in .raw
            raise _unreadable(path, "it has no header") from None
        except OSError:
            raise _not_given(path) from None
        self._path, self.sample_rate, self.n_channels = path, self._file.samplerate, self._file.channels
        self.n_there = self._file.frames
        """Samples that can be read, where that is known before; else 0."""
        if self._file.format == "RAW":  # libsndfile's guess, by the end of a name such as .au
            raise _unreadable(path, "it has no header")
        require_rate(path, self.sample_rate)
        if self.n_there > _MOST_SAMPLES:
            raise UserError(f"{path} does not say how long it is: convert it ({conversion(path)}).")

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
                block = self._file.read(min(n_samples, last - position), dtype="float32", always_2d=True)
                if not len(block):
                    break
                yield position, block.T
                position += len(block)
        except soundfile.LibsndfileError:
            raise UserError(
                f"{self._path} is damaged or cut short: decoding breaks off before the "
                f"{self.n_there / self.sample_rate:.2f} s that it declares; copy it again or leave it out."
            ) from None


def is_audio(path: Path) -> bool:
    """Tell by its name whether a file holds sound; hidden files do not count."""
    return path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")


def is_media(path: str | Path) -> bool:
    """Tell by its name whether only FFmpeg decodes a file, which hears it from the beginning to reach any place."""
    return Path(path).suffix.lower() in MEDIA_SUFFIXES


@contextmanager
def opened(path: str | Path) -> Iterator[WaveFile | MediaFile]:
    """Open a file with whatever reads it: libsndfile, or FFmpeg.

    Raises:
        UserError: where there is no such file or it holds no sound.
    """
    path = existing(Path(path))
    with open_media(path) if is_media(path) else WaveFile(path) as file:
        yield file


def probe(path: str | Path) -> AudioInfo:
    """Read what a file's header declares, without decoding it.

    Raises:
        UserError: where there is no such file or it holds no sound.
    """
    with opened(path) as file:
        return AudioInfo(file.n_declared / file.sample_rate, file.sample_rate, file.n_channels)


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
    return _given(decode_segments(path, [(start_s, end_s)]))


def decode_channels(path: str | Path) -> DecodedAudio:
    """Decode a whole file and keep its channels apart; all of them lie in memory.

    Raises:
        UserError: as `decode` does.
    """
    return _given(decode_segments(path, [(None, None)], mixed=False))


def decode_segments(
    path: str | Path, segments: Sequence[tuple[float | None, float | None]], *, mixed: bool = True
) -> list[DecodedAudio | UserError]:
    """Decode segments of one file, of what only FFmpeg reads in one pass.

    Args:
        path: as `decode` takes it.
        segments: start and end of each, as `decode` takes them.
        mixed: whether to give the mean of the channels, one row.

    Returns:
        Of each segment what came out, or what `decode` raises.
    """
    spans = [(start_s or 0.0, end_s) for start_s, end_s in segments]
    for start_s, end_s in spans:
        if start_s < 0 or (end_s is not None and end_s <= start_s):
            raise ValueError(f"a segment needs 0 <= start_s < end_s, not start_s={start_s}, end_s={end_s}")
    passes = [spans] if is_media(path) else [[span] for span in spans]
    return [outcome for its_spans in passes for outcome in _decode_pass(Path(path), its_spans, mixed)]


class FileBlocks:
    """A whole file decoded block by block, once, no more of it than its header declares; memory does not grow.

    Iterating gives blocks of samples that are good, none of them empty. Where the file turns out damaged the blocks
    before the damage are given; then they end, and `damage` says why.

    Args:
        path: as `decode` takes it.
        mixed: whether blocks are the mean of the channels, one row.
        n_samples: at most so many in a block, but for FFmpeg's, which are frames of the codec.

    Raises:
        UserError: where there is no such file or it holds no sound.
    """

    def __init__(self, path: str | Path, *, mixed: bool, n_samples: int = BLOCK) -> None:
        self.path, self.info = Path(path), probe(path)
        self._mixed, self._n_at_once = mixed, n_samples
        self.duration_s = 0.0
        """Seconds heard so far."""
        self.shortfall_s = 0.0
        """Once all is heard: seconds declared but missing; 0 unless that is more than encoders explain."""
        self.damage: UserError | None = None
        """Once all is heard: what ended it too early, or that there is nothing in it; None where all is well."""

    def __iter__(self) -> Iterator[Float32[np.ndarray, "channel time"]]:
        n_heard, rate = 0, self.info.sample_rate
        n_declared = round(self.info.duration_s * rate)
        try:
            if not n_declared and not is_media(self.path):
                raise _no_samples(self.path)
            with opened(self.path) as file:
                for _, block in file.blocks(0, n_declared or sys.maxsize, self._n_at_once):
                    good = (mix(block) if self._mixed else block)[:, : n_before_bad(block)]
                    n_heard += good.shape[1]
                    self.duration_s = n_heard / rate
                    if good.shape[1]:
                        yield good
                    if good.shape[1] < block.shape[1]:
                        raise bad_sample(self.path, self.duration_s)
            self.shortfall_s = _missing_s(self.path, self.duration_s, self.info.duration_s or self.duration_s)
        except UserError as error:
            self.damage = error


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


def _decode_pass(
    path: Path, spans: Sequence[tuple[float, float | None]], mixed: bool
) -> list[DecodedAudio | UserError]:
    """Decode a file once from the first of some segments to the last; say of each what came of it."""
    try:
        with opened(path) as file:
            rate, n_rows = file.sample_rate, 1 if mixed else file.n_channels
            to_end = file.n_declared or sys.maxsize
            places = [(round(s * rate), to_end if e is None else round(e * rate)) for s, e in spans]
            first, last = min(first for first, _ in places), max(last for _, last in places)
            most = MOST_VALUES // n_rows
            n_values = min(last, file.n_there) - first if file.n_there else 0
            parts = [[np.zeros((n_rows, 0), np.float32)] for _ in spans]
            n_heard = 0
            for position, block in file.blocks(first, last):
                if n_values > most:
                    raise _too_long(path, most / rate)
                if len(block) != file.n_channels:
                    raise UserError(f"{path} changes its number of channels: convert it, or leave it out.")
                n_heard = position + block.shape[1]
                for its, (begin, end) in zip(parts, places, strict=True):
                    if (part := block[:, max(0, begin - position) : max(0, end - position)]).size:
                        its.append(mix(part) if mixed else part)
                        n_values += 0 if file.n_there else part.shape[1]
            n_declared, n_channels = file.n_declared or n_heard, file.n_channels
    except UserError as error:
        return [error] * len(spans)
    outcomes: list[DecodedAudio | UserError] = []
    for (start_s, end_s), (begin, end), its in zip(spans, places, parts, strict=True):
        waveforms = np.concatenate(its, axis=1)
        decoded_s, declared_s = waveforms.shape[1] / rate, ((n_declared if end_s is None else end) - begin) / rate
        try:
            if n_declared == 0:
                raise _no_samples(path)
            if begin >= n_declared:
                lasts = f"{path} lasts {n_declared / rate:.2f} s"
                raise UserError(f"{lasts}, so no segment can begin at {start_s:g} s: check its start.")
            if (n_good := n_before_bad(waveforms)) < waveforms.shape[1]:
                raise bad_sample(path, (begin + n_good) / rate)
            shortfall_s = _missing_s(path, decoded_s, declared_s, begin / rate if begin or end_s is not None else None)
            outcomes.append(DecodedAudio(waveforms, rate, n_channels, shortfall_s))
        except UserError as error:
            outcomes.append(error)
    return outcomes


def _missing_s(path: Path, decoded_s: float, declared_s: float, start_s: float | None = None) -> float:
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
        gives, or_correct = f"{path} gives only {decoded_s:.2f} of {declared_s:.2f} s", ""
        if start_s is not None:
            gives, or_correct = f"{gives} from {start_s:g} s on", ", correct the segment,"
        raise UserError(f"{gives}: it is cut short or damaged; copy it again{or_correct} or leave it out.")
    return shortfall_s if shortfall_s > tolerance_s else 0.0


def _given(outcomes: Sequence[DecodedAudio | UserError]) -> DecodedAudio:
    """Return what came out of the only segment, or raise what was refused."""
    (outcome,) = outcomes
    if isinstance(outcome, UserError):
        raise outcome
    return outcome


def _no_samples(path: Path) -> UserError:
    return UserError(f"{path} holds no samples: record or copy it again, or leave it out.")


def _not_given(path: Path) -> UserError:
    return UserError(f"{path} cannot be read, its disk does not give it: see to the disk, or leave the file out.")


def _unreadable(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path} cannot be read as sound ({reason}): check that it is a sound file, or convert it ({conversion(path)})."
    )


def _too_long(path: Path, most_s: float) -> UserError:
    return UserError(
        f"{path} is longer than {most_s / 3600:.1f} h, too long to be taken whole: cut it into parts, or list segments "
        "of it with start and end."
    )
