"""Recordings of differing lengths as one immutable thing, equal and hashed by what they hold."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32


@dataclass(frozen=True, eq=False)
class Recordings:
    """Mono recordings of one sample rate, at least one of them.

    They are copied when they are given, and read-only from then on. Equal recordings have equal hashes, in every
    process.

    Raises:
        ValueError: if there is no recording, or one is not a row of finite float32 samples.

    Example:
        >>> noises = Recordings(np.ones((2, 5), np.float32), sample_rate=8000)
        >>> len(noises), noises == Recordings([np.ones(5, np.float32)] * 2, sample_rate=8000)
        (2, True)
    """

    waveforms: Sequence[Float32[np.ndarray, " _"]] | Float32[np.ndarray, "recording time"] = field(repr=False)
    """One per recording, full scale is [-1, 1]; kept as a tuple."""
    sample_rate: int
    """Hz, > 0."""
    fingerprint: str = field(init=False)
    """Hash of all samples, their division into recordings, and the sample rate."""

    def __post_init__(self) -> None:
        for waveform in self.waveforms:
            is_row = waveform.ndim == 1 and len(waveform) and waveform.dtype == np.float32
            if not is_row or not np.isfinite(waveform).all():
                raise ValueError(f"a recording {waveform.dtype} {waveform.shape}: give a row of finite float32 samples")
        if not len(self.waveforms) or self.sample_rate <= 0:
            raise ValueError(f"{len(self.waveforms)} recordings at {self.sample_rate} Hz: give one, at a positive rate")
        object.__setattr__(self, "waveforms", tuple(np.array(waveform) for waveform in self.waveforms))
        digest = hashlib.blake2b(np.array([self.sample_rate, *map(len, self.waveforms)], "<i8").tobytes())
        for waveform in self.waveforms:
            waveform.setflags(write=False)
            digest.update(waveform.astype("<f4", copy=False).tobytes())
        object.__setattr__(self, "fingerprint", digest.hexdigest()[:32])

    def __len__(self) -> int:
        return len(self.waveforms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recordings) and other.fingerprint == self.fingerprint

    def __hash__(self) -> int:
        return int(self.fingerprint[:15], 16)
