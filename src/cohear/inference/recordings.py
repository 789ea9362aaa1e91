"""Which recordings are meant by files, folders, patterns and runs, and where what is made of each of them lies."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from cohear.data.audio_decoding import LOUD, AudioStream, cancels
from cohear.data.audio_files import is_audio
from cohear.data.datasets import Dataset, is_walked, read_dataset, visible_files
from cohear.data.tables import has_table_name, read_rows
from cohear.errors import UserError
from cohear.inference.addresses import fetched, is_address, list_address
from cohear.runs.run import Run
from cohear.runtime.files import check_writable


class HeardFile(NamedTuple):
    """A recording."""

    path: Path
    place: Path
    """Its path within the folder that was given, or before the first wildcard; of a file that was given, its name."""
    address: str | None = None
    """Where it lies, if not here."""

    @property
    def name(self) -> str:
        """The path or address that people know it by."""
        return self.address or str(self.path)

    @contextmanager
    def opened(self, sample_rate: int) -> Iterator[AudioStream]:
        """Open it; what lies at an address is fetched first, and kept for as long.

        Raises:
            UserError: where it cannot be had or heard.
        """
        if self.address is None:
            yield AudioStream(self.path, sample_rate)
            return
        with fetched(self.address) as copy:
            try:
                stream = AudioStream(copy, sample_rate)
            except UserError as error:
                raise UserError(str(error).replace(str(copy), self.address)) from error
            yield stream

    def damage_in(self, stream: AudioStream) -> UserError | None:
        """Say what ended its stream too early, in its own name; None where all is well."""
        if stream.damage is None or self.address is None:
            return stream.damage
        return UserError(str(stream.damage).replace(str(stream.path), self.address))


def flaws(stream: AudioStream, shortest_s: float) -> list[str]:
    """Say why a recording cannot be judged, once it is heard; nothing where it can: events in it are none.

    Args:
        stream: of the recording, heard to its end.
        shortest_s: `Classifier.shortest_s`.
    """
    reasons = {
        "silent": stream.is_silent,
        "louder than full scale": stream.loudest_channel > LOUD,
        "silent once mixed to mono, as the channels cancel": cancels(stream.loudest, stream.loudest_channel),
        f"shorter than {shortest_s:.2f} s, the least that the network takes in": stream.duration_s < shortest_s,
    }
    return [reason for reason, is_so in reasons.items() if is_so]


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


def find_recordings(given: Iterable[str | Path]) -> list[HeardFile]:
    """Find what is meant; of a file that is meant twice, the first.

    Args:
        given: sound files, whatever their names end in; folders, which are searched with all below them; patterns with
            `*`, `?`, `[...]` or `**`, which a shell has not expanded; tables with a column `path`; addresses of any of
            these but tables.

    Raises:
        UserError: where a folder or a pattern gives no sound file, or a table or an address cannot be read.
    """
    found: dict[Path | str, HeardFile] = {}
    for each in given:
        for recording in _at(str(each)) if is_address(str(each)) else _meant_by(Path(each)):
            found.setdefault(recording.address or recording.path.absolute(), recording)
    return list(found.values())


def require_here(recordings: Iterable[HeardFile], what: str) -> None:
    """Refuse addresses where recordings are read again later.

    Raises:
        UserError: where one of them is not on this machine.
    """
    if far := [recording.address for recording in recordings if recording.address is not None]:
        raise UserError(f"'{far[0]}' is an address, and {what} needs its recordings here: copy them")


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
        found = sorted(_in_folder(path, path))
        reason = f"'{path}' holds no sound files"
    elif _is_pattern(path):
        base = _fixed_part(path)
        matches = [match for match in map(Path, glob.glob(str(path), recursive=True)) if _is_walked_to(match, base)]
        found = sorted(sound for match in matches for sound in _in_folder(match, base))
        reason = f"no sound file matches '{path}'"
    elif has_table_name(path):
        found = list(_listed_in(path))
        reason = f"'{path}' lists no sounds: it needs a line for each, with at least path"
    else:
        yield HeardFile(path, Path(path.name))
        return
    if not found:
        raise UserError(reason)
    yield from found


def _at(address: str) -> Iterator[HeardFile]:
    for each, place in list_address(address):
        yield _far(each, place)


def _far(address: str, place: PurePosixPath) -> HeardFile:
    if ".." in place.parts:  # what is made of it would lie elsewhere
        raise UserError(f"'{address}' has '..' in its name: write it without")
    return HeardFile(Path(place.name), Path(place), address)


def _listed_in(table: Path) -> Iterator[HeardFile]:
    """Read the column `path` of a table: paths from its folder on, or from anywhere, or addresses."""
    folder = Path(os.path.abspath(table.parent))
    for row in read_rows(table, ("path",)):
        text = row.text("path")
        if is_address(text) and is_audio(Path(text)):  # whether it is there is seen once it is to be heard
            yield _far(text, PurePosixPath(text.partition("://")[2].lstrip("/")))
        elif is_address(text):
            yield from _at(text)
        else:
            path = Path(os.path.abspath(folder / text))
            yield HeardFile(path, path.relative_to(folder if path.is_relative_to(folder) else path.anchor))


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
