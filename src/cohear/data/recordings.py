"""A folder of sound files to recordings in memory, such as noises to be added to clips."""

from pathlib import Path

from cohear.data.audio_files import decode, is_audio, resample
from cohear.dsp.recordings import Recordings
from cohear.errors import UserError


def read_recordings(folder: str | Path, sample_rate: int) -> Recordings:
    """Decode every sound file in a folder and its sub-folders, mixed to mono, in the order of their paths.

    Hidden files and folders do not count. All recordings are held in memory: an hour at 44.1 kHz takes 635 MB.

    Args:
        folder: where the files are.
        sample_rate: Hz, > 0; what the recordings are resampled to.

    Raises:
        UserError: where there is no such folder, it holds no sound files, or one of them is silent or cannot be
            decoded.
    """
    if sample_rate <= 0:
        raise ValueError(f"a sample rate of {sample_rate} Hz: give a positive number")
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: give a folder of sound files.")
    found = sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix())
    files = [path for path in found if is_audio(path) and not _is_hidden(path.relative_to(folder)) and path.is_file()]
    if not files:
        raise UserError(f"{folder} holds no sound files: give a folder with at least one recording.")
    waveforms = []
    for path in files:
        decoded = decode(path)
        waveform = resample(decoded.waveform, decoded.sample_rate, sample_rate)
        if not waveform.any():
            raise UserError(f"{path} is silent: give recordings that hold sound, or leave it out of the folder.")
        waveforms.append(waveform)
    return Recordings(waveforms, sample_rate)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
