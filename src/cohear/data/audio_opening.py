"""Opening a file of sound: what cannot be one is refused in a sentence, before a decoder waits for it or trusts it."""

import os
import stat
from pathlib import Path

import soundfile

from cohear.data.media_files import conversion
from cohear.errors import UserError
from cohear.runtime import disk
from cohear.runtime.reading import require_plain

_LOWEST_RATE, _HIGHEST_RATE = 100, 10_000_000
"""Hz; others are slips of a header, and resampling a few bytes from 1 Hz takes minutes."""

_NO_FORMAT, _NO_ENCODING = "it is of no format that is known", "its encoding is none that is known"
_REASONS = {
    **dict.fromkeys((1, 7, 8), _NO_FORMAT),  # 7 also stands for an MP3 file without one frame
    **dict.fromkeys((4, 78, 106, 110), _NO_ENCODING),
    18: f"its header is damaged, or {_NO_ENCODING}",
    24: "its header declares no sample rate that there is",
    **dict.fromkeys((32, 33, 34), "its header declares no number of channels that there is"),
}
_SYSTEM_ERROR = 2
_OTHERWISE = "its header is damaged"
"""What libsndfile's errors mean to those who have a file; its own words speak of its structures."""

_BLOCK = 1 << 20
_MOST_SAMPLES = 1 << 53
"""Of a file: libsndfile gives more where a stream does not say how long it is."""


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


def open_sound(path: Path) -> soundfile.SoundFile:
    """Open a file with libsndfile.

    Raises:
        UserError: where it is no sound, or does not say how to read it.
    """
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        if error.code == _SYSTEM_ERROR:
            raise not_given(path) from None
        raise _unreadable(path, _REASONS.get(error.code, _OTHERWISE)) from None
    except TypeError:  # soundfile's, of a name that ends in .raw
        raise _headless(path) from None
    if file.format == "RAW":  # libsndfile's guess, by the end of a name such as .au
        raise _headless(path)
    require_rate(path, file.samplerate)
    if file.frames > _MOST_SAMPLES:
        raise UserError(f"{path} does not say how long it is: convert it ({_converted(path)}).")
    return file


def not_given(path: Path) -> UserError:
    """Word that a disk does not give a file, or a part of it."""
    return UserError(f"{path} cannot be read, its disk does not give it: see to the disk, or leave the file out.")


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


def _unreadable(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path} cannot be read as sound ({reason}): check that it is a sound file, or convert it ({_converted(path)})."
    )


def _converted(path: Path) -> str:
    """Return the command that makes a WAV file of it."""
    return conversion(path, path.with_name(f"{path.stem}-converted.wav"))


def _headless(path: Path) -> UserError:
    return UserError(f"{path} has no header that tells how to read it: check that it is a sound file, or leave it out.")


def require_rate(path: Path, sample_rate: int) -> None:
    """Refuse a rate at which nothing is recorded.

    Args:
        path: the file, for the message.
        sample_rate: Hz.

    Raises:
        UserError: where it is not between 100 Hz and 10 MHz.
    """
    if not _LOWEST_RATE <= sample_rate <= _HIGHEST_RATE:
        raise UserError(
            f"{path} declares a sample rate of {sample_rate} Hz, not one of {_LOWEST_RATE} to {_HIGHEST_RATE} Hz: "
            "export it again, or leave it out."
        )
