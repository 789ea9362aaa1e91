"""A recording of any length as blocks of a mono waveform at one rate, in memory that does not grow with it.

What comes out, put together, is what `decode` and `resample` make of the whole file, sample by sample: libsndfile and
FFmpeg decode in order whatever is asked for at a time, and soxr's stream keeps its filter's state between blocks.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soxr
from jaxtyping import Float32

from cohear.data.audio_files import FileBlocks, probe
from cohear.errors import UserError

_BLOCK = 1 << 15
"""Samples decoded at a time. The block in which decoding breaks off is lost: less than a second of most recordings."""


class AudioStream:
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
        self.path, self.sample_rate = Path(path), sample_rate
        if any(
            "\ud800" <= letter <= "\udfff" for letter in str(path)
        ):  # bytes of another encoding, which no table takes
            raise UserError(f"{str(path)!a} has a name that is no text: rename it.")
        info = probe(path)
        self.source_rate = info.sample_rate
        """Hz, that of the file."""
        self.declared_s = info.duration_s
        """Seconds that the header declares; 0 where it declares none."""
        self.shortfall_s = 0.0
        """Once all is heard: seconds declared but missing; 0 unless that is more than encoders explain."""
        self.damage: UserError | None = None
        """Once all is heard: what ended it too early, or that there is nothing in it; None where all is well."""

    def __iter__(self) -> Iterator[Float32[np.ndarray, " time"]]:
        # Of a file to be spread over more samples less is read at a time, so that what comes out stays small.
        n_at_once = max(1, min(_BLOCK, _BLOCK * self.source_rate // self.sample_rate))
        blocks, is_heard = FileBlocks(self.path, mixed=True, n_samples=n_at_once), False
        for block in self._resampled(block[0] for block in blocks):
            if len(block):
                is_heard = True
                yield block
        self.shortfall_s, self.damage = blocks.shortfall_s, blocks.damage
        if not is_heard and self.damage is None:
            self.damage = UserError(
                f"{self.path} is shorter than a sample at {self.sample_rate} Hz: record it again, or leave it out."
            )

    def _resampled(self, blocks: Iterable[Float32[np.ndarray, " time"]]) -> Iterator[Float32[np.ndarray, " time"]]:
        """Give blocks at the rate that is wanted."""
        if self.source_rate == self.sample_rate:
            yield from blocks
            return
        resampler = soxr.ResampleStream(self.source_rate, self.sample_rate, 1, dtype="float32", quality="HQ")
        for block in blocks:
            yield resampler.resample_chunk(block)
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
