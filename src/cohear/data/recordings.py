"""Folders of sounds that transforms need, as arrays: noises to be added, impulse responses of rooms; banks of those.

A bank on disk is one safetensors file, read without unpickling anything.
"""

import json
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from cohear.data.audio_decoding import decode, resample
from cohear.data.datasets import sound_files
from cohear.dsp.recordings import Recordings
from cohear.dsp.response_bank import ResponseBank
from cohear.errors import UserError
from cohear.runtime.files import write_bytes

_FORMAT = "cohear response bank 1"


def read_recordings(folder: str | Path, sample_rate: int) -> Recordings:
    """Decode every sound file in a folder and its sub-folders, mixed to mono, in the order of their paths.

    Hidden files and folders do not count. All recordings are held in memory: an hour at 44.1 kHz takes 635 MB.

    Args:
        folder: holds sound files and nothing else.
        sample_rate: Hz, > 0; what the recordings are resampled to.

    Raises:
        UserError: where there is no such folder, it holds no sound file or something else beside them, or a file is
            silent or cannot be decoded.
    """
    return Recordings([read_sound(path, sample_rate) for path in sound_files(Path(folder), "recordings")], sample_rate)


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
    paths = sound_files(folder, "impulse responses")
    waveforms = [read_sound(path, sample_rate) for path in paths]
    responses = np.zeros((len(waveforms), max(map(len, waveforms))), np.float32)
    for row, waveform in zip(responses, waveforms, strict=True):
        row[: len(waveform)] = waveform
    return ResponseBank(responses, sample_rate, tuple(path.relative_to(folder).as_posix() for path in paths))


def read_sound(path: Path, sample_rate: int) -> Float32[np.ndarray, " time"]:
    """Decode a file that is not silent, mixed to mono and resampled to a rate in Hz.

    Raises:
        UserError: where the file cannot be decoded or is silent.
    """
    decoded = decode(path)
    waveform = resample(decoded.waveform, decoded.sample_rate, sample_rate)
    if not waveform.any():
        raise UserError(f"{path} is silent: give one that holds sound, or leave it out.")
    return waveform


def save_bank(bank: ResponseBank, path: str | Path) -> None:
    """Write a bank whole or not at all; `load_bank` gives an equal one.

    Args:
        bank: what to write.
        path: its folder exists; the name usually ends in `.safetensors`.

    Raises:
        UserError: where the disk is full or the place cannot be written.
    """
    described = {"format": _FORMAT, "sample_rate": str(bank.sample_rate), "names": json.dumps(bank.names)}
    write_bytes(Path(path), save({"responses": bank.responses}, described))


def load_bank(path: str | Path) -> ResponseBank:
    """Read what `save_bank` wrote.

    Raises:
        UserError: where there is no such file, or it is damaged or something else.
    """
    path = Path(path)
    try:
        with safe_open(path, framework="np") as archive:
            described = archive.metadata() or {}
            if described.get("format") != _FORMAT:
                raise ValueError("it holds something else")
            responses = archive.get_tensor("responses")
        return ResponseBank(responses, int(described["sample_rate"]), tuple(json.loads(described["names"])))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise UserError(f"'{path}' cannot be used as a bank of responses ({reason}); save it again") from error
