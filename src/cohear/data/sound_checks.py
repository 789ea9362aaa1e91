"""What is no file of sound, or no sample of one, is refused in a sentence before anybody trusts it."""

import os
import shlex
import stat
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from cohear.errors import UserError
from cohear.runtime import disk
from cohear.runtime.files import require_plain

_LOWEST_RATE, _HIGHEST_RATE = 100, 10_000_000
"""Hz; others are slips of a header, and resampling a few bytes from 1 Hz takes minutes."""

_LOUDEST = 1e6
"""Full scale is 1. Floats may exceed it, even as 16-bit integers that were left undivided (32768) or as pascals; but
nothing is a million times as loud. Spectra of what is quieter stay far below the largest float32, 3e38."""

_BLOCK = 1 << 20


def existing(path: Path) -> Path:
    """Return the path of a file that can be opened and holds something.

    Raises:
        UserError: where there is none.
    """
    require_plain(path)
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder where a sound file was expected.")
    try:
        with open(path, "rb") as file:
            is_empty = not file.read(1)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: check its name and folder.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be opened ({error.strerror}).") from None
    if is_empty:
        raise UserError(f"{path} is empty (0 bytes): copy it again or leave it out.")
    return path


def require_rate(path: Path, sample_rate: int) -> None:
    """Refuse a rate (Hz) at which nothing is recorded.

    Raises:
        UserError: where it is not between 100 Hz and 10 MHz.
    """
    if not _LOWEST_RATE <= sample_rate <= _HIGHEST_RATE:
        raise UserError(
            f"{path} declares a sample rate of {sample_rate} Hz, not one of {_LOWEST_RATE} to {_HIGHEST_RATE} Hz: "
            "export it again, or leave it out."
        )


def require_disk(path: Path) -> None:
    """Refuse to go on where a disk fails, and no damage of the file, is why it cannot be used.

    Decoders do not tell them apart, so the file is read once more: others of the same disk would be given up too.

    Args:
        path: of a file that could not be used; where it is none, or is not there, nothing is said.

    Raises:
        UserError: what the disk says.
    """
    try:
        if stat.S_ISREG(os.stat(path).st_mode):
            with open(path, "rb") as file:
                while file.read(_BLOCK):
                    pass
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and disk.is_gone(error):
            raise UserError(
                f"the disk fails at '{path}' ({error.strerror}): see to it, or leave that file out, then give the same "
                "command again."
            ) from error


def conversion(path: Path) -> str:
    """Write the command that makes a WAV file of another file, as a shell takes it."""
    return f"ffmpeg -i {shlex.quote(str(path))} {shlex.quote(str(path.with_name(f'{path.stem}-converted.wav')))}"


def n_before_bad(waveforms: Float32[np.ndarray, "channel time"]) -> int:
    """Count the samples before the first that is NaN, infinite or beyond a million in some channel."""
    wrong = np.flatnonzero(~_is_sample(waveforms).all(axis=0))
    return int(wrong[0]) if len(wrong) else waveforms.shape[1]


def bad_sample(path: Path, where_s: float) -> UserError:
    """Word that a sample of a file can be none, at a place in seconds."""
    wrong = f"{path} holds samples that are NaN, infinite or a million times full scale"
    return UserError(f"{wrong} (the first at {where_s:.3f} s): export it again.")


def mix(waveforms: Float32[np.ndarray, "channel time"]) -> Float32[np.ndarray, "1 time"]:
    """Return the mean of the channels; NaN where one holds what is no sample, lest another make up for it."""
    if len(waveforms) == 1:
        return waveforms
    is_good = _is_sample(waveforms).all(axis=0)
    return (waveforms if is_good.all() else np.where(is_good, waveforms, np.float32(np.nan))).mean(0, keepdims=True)


def _is_sample(waveforms: np.ndarray) -> np.ndarray:
    return np.abs(waveforms) <= _LOUDEST  # False for NaN
