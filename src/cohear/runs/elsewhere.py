"""Work that is done on other machines: what travels there, what comes back, and how far it is.

What is made, the cache folder and the sounds lie best where every machine sees them under the same paths, as on a
shared file system; each machine is asked before it does anything. One that does not see the folder of what is made does
a piece in a folder of its own, and brings back what that holds, where its engine can carry it.
"""

import socket
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import torch

from cohear.errors import UserError
from cohear.runs.executors import Work, failure
from cohear.runs.identity import InUseError
from cohear.runtime import disk
from cohear.runtime.files import explain_disk_errors, write_bytes
from cohear.runtime.interrupts import Interrupted

POLL_S, _IN_USE_S = 1.0, 120.0
"""How often is looked who is done; how long a piece waits for its last worker to notice that it lost its machine."""


@dataclass(frozen=True)
class Outcome:
    """What became of a piece."""

    failure: str | None = None
    stopped_by: int | None = None
    """A signal."""
    is_done: bool = False
    files: Mapping[str, bytes] | None = None
    """All that a machine made that does not see the folder of what is made, by name."""
    is_apart: bool = False
    """Whether it is such a machine, and must be given what was begun."""


class Shares:
    """How far pieces are: of one is asked at a time, since that may take a while."""

    def __init__(self, work: Work) -> None:
        self._work, self._turn = work, 0
        self._known = [work.share(index) for index in range(len(work))]

    def of(self, unfinished: Collection[int]) -> float:
        """Return the sum over some pieces, as far as is known."""
        if unfinished:
            self._turn += 1
            index = sorted(unfinished)[self._turn % len(unfinished)]
            self._known[index] = self._work.share(index)
        return sum(self._known[index] for index in unfinished)


def last_line(error: Exception) -> str:
    """Return the end of an error that came from elsewhere: before it stands where it happened."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]


@dataclass(frozen=True)
class Task:
    """What every worker gets."""

    work: Work
    deadline_s: float | None
    versions: dict[str, str]
    """Of the packages here."""
    mark: str
    """Name of a file in the folder, by which a machine knows that it sees this one and none of the same name."""
    carries: bool = False
    """Whether files can be brought to a machine that does not see the folder, and back."""

    @classmethod
    @contextmanager
    def of(cls, work: Work, deadline_s: float | None, *, carries: bool = False) -> Iterator["Task"]:
        """Make and mark the folder of what is made, and note what is installed here."""
        mark = work.folder / f".{uuid4().hex}"
        with explain_disk_errors(work.folder):
            disk.make_folder(work.folder)
            write_bytes(mark, b"")
        try:
            yield cls(work, deadline_s, {name: version(name) for name in ("cohear", "torch")}, mark.name, carries)
        finally:
            with suppress(OSError):  # a disk that went away has said so already
                disk.remove(mark)

    def piece(self, index: int) -> "Task":
        """Return what a worker needs that does one piece."""
        return replace(self, work=self.work.piece(index))

    def do(self, index: int = 0, begun: Mapping[str, bytes] | None = None) -> Outcome:
        """Do a piece, on whichever machine this is, with one core.

        Args:
            index: of the piece.
            begun: what there is of it, for a machine that has said that it does not see it.
        """
        until_s = time.monotonic() + _IN_USE_S
        torch.set_num_threads(1)
        while True:
            try:
                self.check_versions()
                if not (self.work.folder / self.mark).exists():
                    if not self.carries:
                        raise unseen(self.work.folder)
                    return Outcome(is_apart=True) if begun is None else self._do_apart(index, begun)
                require_seen(*self.work.sources)
                return self._outcome(self.work, index)
            except InUseError as error:
                if time.monotonic() > until_s:
                    return Outcome(failure(self.work, index, error))
                time.sleep(POLL_S)
            except UserError as error:
                return Outcome(failure(self.work, index, error))

    def _outcome(self, work: Work, index: int) -> Outcome:
        """Do a piece until it is done, stopped or fails."""
        try:
            work.do(index, lambda _share: None, self.deadline_s)
            return Outcome(is_done=True)
        except Interrupted as stopped:
            return Outcome(stopped_by=stopped.signal_number)
        except InUseError:
            raise
        except UserError as error:
            return Outcome(failure(work, index, error))

    def _do_apart(self, index: int, begun: Mapping[str, bytes]) -> Outcome:
        """Do a piece where the folder is not seen."""
        with tempfile.TemporaryDirectory(prefix="cohear-") as folder:
            work = self.work.piece(index).apart(Path(folder))
            require_seen(*work.sources)
            work.put(0, begun)
            return replace(self._outcome(work, 0), files=work.made(0))

    def check_versions(self) -> None:
        """Refuse a machine that would make something else.

        Raises:
            UserError: naming the machine.
        """
        here = socket.gethostname()
        for name, theirs in self.versions.items():
            if version(name) != theirs:
                raise UserError(f"'{here}' has {name} {version(name)}, and not {theirs}; install that there")


def require_seen(*places: Path) -> None:
    """Refuse a machine that does not see all files and folders.

    Raises:
        UserError: naming the machine.
    """
    for place in places:
        if not place.exists():
            raise unseen(place)


def unseen(place: Path) -> UserError:
    """Word that this machine does not see something."""
    return UserError(
        f"'{socket.gethostname()}' does not see '{place}'; put it and the cache (COHEAR_CACHE) on a file system that "
        "all machines share"
    )


def read_files(folder: Path, paths: Iterable[Path]) -> dict[str, bytes]:
    """Return files below a folder, by their paths in it; one that has gone meanwhile is left out."""
    files = {}
    for path in paths:
        with suppress(FileNotFoundError):
            files[path.relative_to(folder).as_posix()] = path.read_bytes()
    return files


def replace_files(folder: Path, paths: Iterable[Path], files: Mapping[str, bytes]) -> None:
    """Write files below a folder, then remove those of some paths that are not among them.

    In this order, so that who is killed in between has at least what there was.

    Raises:
        UserError: where the disk refuses.
    """
    with explain_disk_errors(folder):
        for name, data in files.items():
            disk.make_folder((folder / name).parent)
            write_bytes(folder / name, data)
        for path in paths:
            if path.relative_to(folder).as_posix() not in files:
                disk.remove(path)
