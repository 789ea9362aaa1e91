"""Files of sound to waveforms: whole, in segments, or in blocks; everything that can be wrong is said in a sentence.

A file that ends early often decodes without an error, so the length that its header declares is compared with
what came out. Nearly whole is used and reported as a shortfall; less is refused.

What the blocks of an `AudioStream` give, put together, is what `decode` and `resample` make of the whole file, sample
by sample: libsndfile and FFmpeg decode in order whatever is asked for at a time, and soxr's stream keeps its filter's
state between blocks.
"""

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from jaxtyping import Float32

from cohear.data.audio_files import BLOCK, is_media, opened, probe
from cohear.errors import UserError

_TOLERANCE_S, _TOLERANCE = 0.05, 0.01
"""Encoder delay and padding explain a difference of up to 50 ms, or 1 % of the length."""

_USABLE = 0.95
"""A recording of which at least this part is there is used."""

LOUDEST = 100.0
"""Full scale is 1. Floats may exceed it, as pascals do; but beyond 40 dB over full scale they are integers that nobody
divided, and a classifier would tell them by their level."""

LOUD = 2.0
"""Of full scale, 6 dB beyond it: what is louder is not clipped, but floats of another scale."""

SILENT = 1e-4
"""Of full scale, below which nothing is heard: -80 dB."""
_CANCELLED = 0.1

_MOST_VALUES = 1 << 30
"""Of waveforms in memory, 4 GiB: a few kilobytes of silence can claim to be weeks."""

_HEADER_BYTES = 1 << 14
"""Of a file without samples: at most so many are a header."""

_STREAM_BLOCK = 1 << 15
"""Samples decoded at a time. The block in which decoding breaks off is lost: less than a second of most recordings."""


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
    loudest_channel: float = 0.0
    """The largest magnitude in any channel."""
    n_damaged: int = 0
    """Places at which the decoder said that something is wrong, in the part of the file that was read."""

    @property
    def waveform(self) -> Float32[np.ndarray, " time"]:
        """The mean of the channels, where they are mixed."""
        return self.waveforms[0]


def decode(path: str | Path, start_s: float | None = None, end_s: float | None = None) -> DecodedAudio:
    """Decode a file, or a segment of it, and mix it to mono.

    Args:
        path: a sound file; what soundfile reads, or with the extra `media` what FFmpeg reads.
        start_s: where the segment begins, seconds >= 0; None is the beginning of the file.
        end_s: where it ends, seconds > start_s; None is the end of the file.

    Raises:
        UserError: where the file is missing, no sound, empty, cut short by more than a twentieth, holds NaN,
            infinite samples or ones beyond 100 times full scale, or ends before the segment does.
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
    passes = [spans] if is_media(path) else [[span] for span in spans]
    return [outcome for its_spans in passes for outcome in _decode_pass(Path(path), its_spans, mixed)]


class FileBlocks:
    """A whole file decoded block by block, once, no more of it than its header declares; memory does not grow.

    Args:
        path: as `decode` takes it.

    Raises:
        UserError: where there is no such file or it holds no sound.
    """

    def __init__(self, path: str | Path) -> None:
        self.path, self.info = Path(path), probe(path)
        self.duration_s = 0.0
        """Seconds heard so far."""
        self.shortfall_s = 0.0
        """Once all is heard: seconds declared but missing; 0 unless that is more than encoders explain."""
        self.loudest = 0.0
        """The largest magnitude heard so far of what blocks are."""
        self.loudest_channel = 0.0
        """The largest magnitude heard so far in any channel."""
        self.is_silent = True
        """Whether no channel moved in any block so far by more than 1e-4 of full scale (-80 dB) about its middle."""
        self.n_damaged = 0
        """Places heard so far at which a decoder said that something is wrong."""
        self.damage: UserError | None = None
        """Once all is heard: what ended it too early, or that there is nothing in it; None where all is well."""

    def share_before(self, time_s: float) -> float:
        """Return how much of it lies before a time, 0 to 1; 0 where its header does not say how long it is."""
        return min(1.0, time_s / self.info.duration_s) if self.info.duration_s else 0.0

    def blocks(self, *, mixed: bool, n_samples: int = BLOCK) -> Iterator[Float32[np.ndarray, "channel time"]]:
        """Give blocks of samples that are good, none of them empty.

        Where the file turns out damaged the blocks before the damage are given; then they end, and `damage` says why.

        Args:
            mixed: whether blocks are the mean of the channels, one row.
            n_samples: at most so many in a block, but for FFmpeg's, which are frames of the codec.
        """
        n_heard, rate = 0, self.info.sample_rate
        n_declared = round(self.info.duration_s * rate)
        try:
            if not n_declared and not is_media(self.path):
                raise _no_samples(self.path)
            with opened(self.path) as file:
                for _, block in file.blocks(0, n_declared or sys.maxsize, n_samples):
                    good = (_mix(block) if mixed else block)[:, : _n_before_bad(block)]
                    n_heard += good.shape[1]
                    self.duration_s, self.n_damaged = n_heard / rate, file.n_damaged
                    self.loudest = max(self.loudest, loudest(good))
                    heard = block[:, : good.shape[1]]
                    self.loudest_channel = max(self.loudest_channel, loudest(heard))
                    if good.shape[1]:
                        self.is_silent &= bool((np.ptp(heard, axis=1) < 2 * SILENT).all())
                        yield good
                    if good.shape[1] < block.shape[1]:
                        raise _bad_sample(self.path, self.duration_s)
            self.shortfall_s = _missing_s(self.path, self.duration_s, self.info.duration_s or self.duration_s)
        except UserError as error:
            self.damage = error


class AudioStream(FileBlocks):
    """A sound file, to be heard once from its beginning to its end.

    Iterating gives blocks of the mean of the channels, full scale [-1, 1], none of them empty. Where the file turns out
    damaged the blocks before the damage are given; then they end, and `damage` says why.

    Args:
        path: a sound file; what soundfile reads, or with the extra `media` what FFmpeg reads.
        sample_rate: Hz, > 0; of the blocks.

    Raises:
        UserError: where the file is missing, empty or no sound, or its name is no text.
    """

    def __init__(self, path: str | Path, sample_rate: int) -> None:
        try:
            str(path).encode()
        except UnicodeEncodeError:  # bytes of another encoding, which no table takes
            raise UserError(f"{str(path)!a} has a name that is no text: rename it.") from None
        super().__init__(path)
        self.sample_rate = sample_rate

    def __iter__(self) -> Iterator[Float32[np.ndarray, " time"]]:
        # Of a file to be spread over more samples less is read at a time, so that what comes out stays small.
        n_at_once = max(1, min(_STREAM_BLOCK, _STREAM_BLOCK * self.info.sample_rate // self.sample_rate))
        is_heard = False
        for block in self._resampled(block[0] for block in self.blocks(mixed=True, n_samples=n_at_once)):
            if len(block):
                is_heard = True
                yield block
        if not is_heard and self.damage is None:
            self.damage = UserError(f"{self.path} is shorter than a sample at {self.sample_rate} Hz: leave it out.")

    def _resampled(self, blocks: Iterable[Float32[np.ndarray, " time"]]) -> Iterator[Float32[np.ndarray, " time"]]:
        """Give blocks at the rate that is wanted."""
        if self.info.sample_rate == self.sample_rate:
            yield from blocks
            return
        resampler = soxr.ResampleStream(self.info.sample_rate, self.sample_rate, 1, dtype="float32", quality="HQ")
        for block in blocks:
            yield resampler.resample_chunk(block)
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


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
            most = _MOST_VALUES // n_rows
            n_values = min(last, file.n_there) - first if file.n_there else 0
            parts = [[np.zeros((n_rows, 0), np.float32)] for _ in spans]
            waiting, begun = deque(sorted(range(len(places)), key=lambda which: places[which][0])), list[int]()
            n_heard, peaks = 0, [0.0] * len(spans)
            for position, block in file.blocks(first, last):
                if n_values > most:
                    hours = f"{most / rate / 3600:.1f} h"
                    raise UserError(f"{path} is longer than {hours}: cut it into parts, or list segments of it.")
                if len(block) != file.n_channels:
                    raise UserError(f"{path} changes its number of channels: convert it, or leave it out.")
                n_heard = position + block.shape[1]
                while waiting and places[waiting[0]][0] < n_heard:
                    begun.append(waiting.popleft())
                begun = [which for which in begun if places[which][1] > position]
                for which in begun:
                    begin, end = places[which]
                    if (part := block[:, max(0, begin - position) : max(0, end - position)]).size:
                        peaks[which] = max(peaks[which], loudest(part))
                        parts[which].append(_mix(part) if mixed else part)
                        n_values += 0 if file.n_there else part.shape[1]
            n_declared, n_channels, n_damaged = file.n_declared or n_heard, file.n_channels, file.n_damaged
    except UserError as error:
        return [error] * len(spans)
    outcomes: list[DecodedAudio | UserError] = []
    for (start_s, end_s), (begin, end), its, peak in zip(spans, places, parts, peaks, strict=True):
        waveforms = np.concatenate(its, axis=1)
        decoded_s, declared_s = waveforms.shape[1] / rate, ((n_declared if end_s is None else end) - begin) / rate
        try:
            if n_declared == 0:
                raise _no_samples(path)
            if begin >= n_declared:
                raise UserError(f"{path} lasts {n_declared / rate:.2f} s, so no segment can begin at {start_s:g} s.")
            if (n_good := _n_before_bad(waveforms)) < waveforms.shape[1]:
                raise _bad_sample(path, (begin + n_good) / rate)
            shortfall_s = _missing_s(path, decoded_s, declared_s, begin / rate if begin or end_s is not None else None)
            outcomes.append(DecodedAudio(waveforms, rate, n_channels, shortfall_s, peak, n_damaged))
        except UserError as error:
            outcomes.append(error)
    return outcomes


def loudest(samples: np.ndarray) -> float:
    """Return the largest magnitude, 0 of nothing."""
    return float(np.abs(samples).max(initial=0.0))


def cancels(loudest_mixed: float, loudest_channel: float) -> bool:
    """Tell whether the channels of a sound cancel each other: their mean is 20 dB softer than one of them."""
    return loudest_channel > SILENT and loudest_mixed < _CANCELLED * loudest_channel


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
        place = "" if start_s is None else f" from {start_s:g} s on"
        gives = f"gives only {decoded_s:.2f} of {declared_s:.2f} s{place}"
        raise UserError(f"{path} {gives}: it is cut short or damaged; copy it again or leave it out.")
    return shortfall_s if shortfall_s > tolerance_s else 0.0


def _given(outcomes: Sequence[DecodedAudio | UserError]) -> DecodedAudio:
    """Return what came out of the only segment, or raise what was refused."""
    (outcome,) = outcomes
    if isinstance(outcome, UserError):
        raise outcome
    return outcome


def _n_before_bad(waveforms: Float32[np.ndarray, "channel time"]) -> int:
    """Count the samples before the first that is NaN, infinite or beyond 100 in some channel."""
    wrong = np.flatnonzero(~_is_sample(waveforms).all(axis=0))
    return int(wrong[0]) if len(wrong) else waveforms.shape[1]


def _bad_sample(path: Path, where_s: float) -> UserError:
    """Word that a sample of a file can be none, at a place in seconds."""
    place = f"the first at {where_s:.3f} s"
    return UserError(
        f"{path} holds samples that are NaN, infinite or beyond 100 times full scale ({place}): export it again, "
        "floats with a full scale of 1."
    )


def _mix(waveforms: Float32[np.ndarray, "channel time"]) -> Float32[np.ndarray, "1 time"]:
    """Return the mean of the channels; NaN where one holds what is no sample, lest another make up for it."""
    if len(waveforms) == 1:
        return waveforms
    is_good = _is_sample(waveforms).all(axis=0)
    return (waveforms if is_good.all() else np.where(is_good, waveforms, np.float32(np.nan))).mean(0, keepdims=True)


def _is_sample(waveforms: np.ndarray) -> np.ndarray:
    return np.abs(waveforms) <= LOUDEST  # False for NaN


def _no_samples(path: Path) -> UserError:
    with open(path, "rb") as file:
        file.seek(_HEADER_BYTES)
        if not any(file.read(1 << 20)):  # zeros are room that was kept free
            return UserError(f"{path} holds no samples: record or copy it again, or leave it out.")
    unfinished = f"declares no samples and holds {path.stat().st_size} bytes, as its recorder did not finish it"
    return UserError(f"{path} {unfinished}: recover it with a sound editor, or leave it out.")
