"""Which recordings are meant by files, folders, patterns and runs, and where what is made of each of them lies."""

import glob
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cohear.data.audio_files import is_audio
from cohear.data.datasets import Dataset, is_walked, read_dataset, visible_files
from cohear.data.tables import has_table_name
from cohear.errors import UserError
from cohear.runs.run import Run
from cohear.runtime.files import check_writable


class HeardFile(NamedTuple):
    """A recording."""

    path: Path
    place: Path
    """Its path within the folder that was given, or before the first wildcard; of a file that was given, its name."""


def run_dataset(path: Path) -> Dataset:
    """List what a run was made of, where it is still there.

    Args:
        path: the run folder, or a packed model, which does not know it.

    Raises:
        UserError: where the data are gone, or nothing says where they are.
    """
    if not path.is_dir():
        raise UserError(f"'{path}' does not say where its sounds are")
    record = Run(path).record
    options = record.config.data
    how = {"esc10": options.esc10, "sounds": options.sounds, "skip_bad": options.skip_bad}
    return read_dataset(Path(record.data_path), **how)


def find_recordings(given: Iterable[Path]) -> list[HeardFile]:
    """Find what is meant; of a file that is meant twice, the first.

    Args:
        given: sound files, whatever their names end in; folders, which are searched with all below them; patterns with
            `*`, `?`, `[...]` or `**`, which a shell has not expanded.

    Raises:
        UserError: where a folder or a pattern gives no sound file, or a file is a table.
    """
    found: dict[Path, HeardFile] = {}
    for path in given:
        for recording in _meant_by(path):
            found.setdefault(recording.path.absolute(), recording)
    return list(found.values())


def output_paths(folder: Path, recordings: Sequence[HeardFile], ending: str) -> list[Path]:
    """Choose a file in a folder for each recording, and make sure that none of them is there and all can be written.

    Args:
        folder: which has, or gets, the sub-folders of the places of the recordings.
        recordings: whose names are kept up to their suffix.
        ending: of the names of the files.

    Raises:
        UserError: where two recordings would share a file, a file is there already, or the folder cannot be written.
    """
    check_writable(folder)
    chosen: dict[Path, Path] = {}
    for recording in recordings:
        path = folder / recording.place.parent / f"{recording.place.stem}{ending}"
        if path in chosen:
            raise UserError(
                f"'{chosen[path]}' and '{recording.path}' would both write '{path}'; give them one at a time, each "
                "with a folder of its own"
            )
        if path.exists():
            raise UserError(f"'{path}' is there already and is not replaced; remove it, or choose another folder")
        chosen[path] = recording.path
    return list(chosen)


def _meant_by(path: Path) -> Iterator[HeardFile]:
    if path.is_dir():
        found = _in_folder(path, path)
        reason = f"'{path}' holds no sound files"
    elif _is_pattern(path):
        base = _fixed_part(path)
        matches = [match for match in map(Path, glob.glob(str(path), recursive=True)) if _is_walked_to(match, base)]
        found = [sound for match in matches for sound in _in_folder(match, base)]
        reason = f"no sound file matches '{path}'"
    elif has_table_name(path):
        raise UserError(f"'{path}' is a table, and predict listens to sounds; give the files or folders it lists")
    else:
        yield HeardFile(path, Path(path.name))
        return
    if not found:
        raise UserError(reason)
    yield from sorted(found)


def _in_folder(path: Path, base: Path) -> list[HeardFile]:
    """List a sound file, or the sound files in a folder and below it."""
    paths = [path / within for within in visible_files(path)] if path.is_dir() else [path]
    return [HeardFile(each, each.relative_to(base)) for each in paths if is_audio(each)]


def _is_walked_to(match: Path, base: Path) -> bool:
    """Tell whether a walk through a folder would come to what a pattern matched in it."""
    within = match.relative_to(base)
    return all(map(is_walked, within.parts if match.is_dir() else within.parent.parts))


def _is_pattern(path: Path) -> bool:
    """Tell whether there are wildcards in a name that is no file's."""
    return glob.has_magic(str(path)) and not path.exists()


def _fixed_part(pattern: Path) -> Path:
    """Return the folder before the first wildcard."""
    return next(folder for folder in pattern.parents if not glob.has_magic(str(folder)))
