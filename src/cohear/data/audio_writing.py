"""Waveforms to a file of sound, in the format that its name asks for.

A peak above full scale is never cut off: a WAV file then holds 32-bit floats, which have no full scale; FLAC and Ogg
have one, so there the whole sound is turned down. Both are told to the caller.
"""

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from jaxtyping import Float32

from cohear.errors import UserError
from cohear.runtime.files import write_bytes

WRITTEN_SUFFIXES = (".wav", ".flac", ".ogg")
"""Names of files that can be written end in one of these, in small or capital letters."""

_FORMATS = {".wav": ("WAV", "PCM_16"), ".flac": ("FLAC", "PCM_16"), ".ogg": ("OGG", "VORBIS")}
_FULL_SCALE = 32768  # steps of 16 bits that make a sample of 1; libsndfile itself would write 32767
_BLOCK = 1 << 16
"""Samples written at a time: libsndfile's Vorbis encoder keeps a call's samples on the stack."""


@dataclass(frozen=True)
class Written:
    """How a sound was written."""

    over_db: float
    """Peak of the waveforms over full scale, dB; 0 where it is at most full scale."""
    is_float: bool
    """Whether the file holds 32-bit floats, so that a peak above full scale is kept."""


def check_written_name(path: Path) -> None:
    """Refuse a name from which no format can be told.

    Raises:
        UserError: that names the endings there are.
    """
    if path.suffix.lower() not in _FORMATS:
        raise UserError(f"'{path}' does not end in .wav, .flac or .ogg, which says the format; choose one of them")


def write_audio(path: Path, waveforms: Float32[np.ndarray, "channel time"], sample_rate: int) -> Written:
    """Write a sound whole or not at all: 16-bit WAV or FLAC, or Ogg Vorbis at libsndfile's default quality.

    Args:
        path: ends in one of `WRITTEN_SUFFIXES`; what is there is replaced.
        waveforms: at least one channel; full scale is [-1, 1], what is beyond is kept, see above.
        sample_rate: Hz, > 0.

    Raises:
        UserError: where the name says no format, the format does not have so many channels or this sample rate, the
            disk is full or the place cannot be written.
    """
    check_written_name(path)
    container, subtype = _FORMATS[path.suffix.lower()]
    peak = float(np.abs(waveforms).max(initial=0.0))
    is_float = container == "WAV" and peak > 1
    samples = waveforms.T
    if is_float:
        subtype = "FLOAT"
    elif peak > 1:
        samples = samples / np.float32(peak)
    if subtype == "PCM_16":
        samples = np.clip(np.rint(samples * np.float32(_FULL_SCALE)), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    buffer = io.BytesIO()  # a full disk is then an OSError, where libsndfile would write a part and say nothing
    try:
        with soundfile.SoundFile(buffer, "w", sample_rate, len(waveforms), subtype, format=container) as file:
            for start in range(0, len(samples), _BLOCK):
                file.write(samples[start : start + _BLOCK])
    except soundfile.LibsndfileError as error:
        form = f"{container} of {len(waveforms)} channels at {sample_rate} Hz ({error.error_string.rstrip('.')})"
        raise UserError(f"'{path}' cannot be written as {form}; choose a name that ends in .wav") from None
    write_bytes(path, buffer.getvalue())
    return Written(over_db=20 * math.log10(max(peak, 1.0)), is_float=is_float)
