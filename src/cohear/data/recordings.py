"""A folder of sound files to recordings in memory, such as noises to be added to clips."""

from pathlib import Path

from cohear.data.audio_files import decode, resample
from cohear.data.sound_folders import sound_files
from cohear.dsp.recordings import Recordings
from cohear.errors import UserError


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
    if sample_rate <= 0:
        raise ValueError(f"a sample rate of {sample_rate} Hz: give a positive number")
    waveforms = []
    for path in sound_files(Path(folder), "recordings"):
        decoded = decode(path)
        waveform = resample(decoded.waveform, decoded.sample_rate, sample_rate)
        if not waveform.any():
            raise UserError(f"{path} is silent: give recordings that hold sound, or leave it out of the folder.")
        waveforms.append(waveform)
    return Recordings(waveforms, sample_rate)
