"""A folder that holds sound files and nothing else: noises, impulse responses."""

from pathlib import Path

from cohear.data.audio_files import is_audio
from cohear.errors import UserError


def sound_files(folder: Path, what: str) -> list[Path]:
    """List the sound files in a folder and those below it, in the order of their paths within it.

    Hidden files and folders do not count. Whatever else is no sound is refused, since it may be a recording that would
    be missed without a word.

    Args:
        folder: where the files are.
        what: what they are, for messages: "impulse responses".

    Raises:
        UserError: where there is no such folder, it holds no sound file or something else beside them.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: give a folder of {what}.")
    within = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    paths = [folder / path for path in within if "/." not in f"/{path}"]
    foreign = next((path for path in paths if not is_audio(path)), None)
    if foreign:
        raise UserError(f"{foreign} is no sound file: leave only {what} in a folder of them.")
    if not paths:
        raise UserError(f"{folder} holds no sound file: give a folder of {what}.")
    return paths
