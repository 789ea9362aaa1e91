"""Where a table may find its sounds: beneath one folder, with symbolic links followed, and nowhere else."""

import os
import posixpath
from pathlib import Path

from cohear.data.clips import normalized
from cohear.errors import UserError

_MOST_LETTERS, _MOST_BYTES_OF_A_NAME = 4096, 255
"""Of a path, and of each name in it. To follow one of a million folders takes minutes."""


class SoundFolder:
    """The folder that the paths of a table do not leave.

    Args:
        table: what names the sounds.
        chosen: the folder, where a person named it by --sounds.
        own: the folder otherwise; None is that of the table.
    """

    def __init__(self, table: Path, chosen: Path | None = None, own: Path | None = None) -> None:
        self.table = table
        self._is_chosen = chosen is not None
        self.root = Path(os.path.abspath(chosen or own or table.parent))
        """The folder to which paths are relative; it may itself be reached by a link."""
        self._real = os.path.realpath(self.root)
        self._real_folders: dict[str, str] = {}

    @property
    def way_out(self) -> str:
        """What to do where a sound is not in the folder."""
        if self._is_chosen:
            return "paths are relative to the folder that --sounds names and must lie beneath it"
        return (
            "put the sounds beneath it, or name the folder that they lie in by --sounds DIR (its paths are then "
            "relative to DIR)"
        )

    def inside(self, name: str, line: int) -> str:
        """Return a path as it lies beneath the folder: one name for one place.

        Nothing is opened, and whether the file is there makes no difference.

        Args:
            name: relative to the folder, or absolute.
            line: of the table, for the error.

        Raises:
            UserError: where it leads elsewhere, or no file can have that name.
        """
        where = f"{self.table}, line {line}"
        if not _may_be_named(name):
            raise UserError(f"{where}: no file can be named '{name}', correct it.")
        path = os.path.join(self.root, normalized(name))
        real = self._real_path(path)
        if not is_beneath(real, self._real):
            raise UserError(f"{where}: '{name}' lies outside {self.root}, links followed: {self.way_out}.")
        relative = posixpath.relpath(path, self.root)
        return posixpath.relpath(real, self._real) if relative.split("/")[0] == ".." else relative

    def _real_path(self, path: str) -> str:
        """Follow links, those of a folder once for all files in it."""
        folder, name = os.path.split(path)
        if name == ".." or os.path.islink(path):
            return os.path.realpath(path)
        if folder not in self._real_folders:
            self._real_folders[folder] = os.path.realpath(folder)
        return os.path.normpath(os.path.join(self._real_folders[folder], name))


def is_beneath(path: str, folder: str) -> bool:
    """Tell whether a real path is that of a folder, or of something in it."""
    return path == folder or path.startswith(os.path.join(folder, ""))


def _may_be_named(path: str) -> bool:
    """Tell whether a file may have that path on Linux, whose limits are the widest."""
    try:
        parts = path.encode().split(b"/")
    except UnicodeEncodeError:
        return False
    return "\0" not in path and len(path) <= _MOST_LETTERS and max(map(len, parts)) <= _MOST_BYTES_OF_A_NAME
