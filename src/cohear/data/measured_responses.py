"""A folder of measured room impulse responses as a bank."""

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from cohear.data.audio_files import decode, resample
from cohear.data.sound_folders import sound_files
from cohear.dsp.response_bank import ResponseBank
from cohear.errors import UserError


def read_responses(folder: str | Path, sample_rate: int) -> ResponseBank:
    """Read every sound file in a folder and in those below it, in the order of their names.

    Responses of other rates are resampled. Of several channels the mean is taken, as everywhere in cohear: of a
    spaced pair give one channel, since the two arrive at different times and their mean is a comb filter. Nothing is
    cut: what lies before the direct sound (the largest sample) stays there, and shorter responses end in zeros.

    Args:
        folder: holds impulse responses and nothing else; hidden files and folders do not count.
        sample_rate: Hz, > 0, of the bank.

    Returns:
        A bank whose names are the files' paths within the folder.

    Raises:
        UserError: where there is no such folder, it holds no sound file or something else beside them, or a file
            cannot be decoded or is silent.
    """
    folder = Path(folder)
    paths = response_files(folder)
    waveforms = [read_response(path, sample_rate) for path in paths]
    responses = np.zeros((len(waveforms), max(map(len, waveforms))), np.float32)
    for row, waveform in zip(responses, waveforms, strict=True):
        row[: len(waveform)] = waveform
    return ResponseBank(responses, sample_rate, tuple(path.relative_to(folder).as_posix() for path in paths))


def response_files(folder: Path) -> list[Path]:
    """List what `read_responses` reads.

    Raises:
        UserError: where there is no such folder, it holds no sound file or something else beside them.
    """
    return sound_files(folder, "impulse responses")


def read_response(path: str | Path, sample_rate: int) -> Float32[np.ndarray, " tap"]:
    """Read one impulse response as `read_responses` reads each of a folder.

    Args:
        path: a sound file.
        sample_rate: Hz, > 0; what the response is resampled to.

    Raises:
        UserError: where the file cannot be decoded or is silent.
    """
    decoded = decode(path)
    response = resample(decoded.waveform, decoded.sample_rate, sample_rate)
    if not response.any():
        raise UserError(f"{path} is silent, which is no impulse response: leave it out.")
    return response
