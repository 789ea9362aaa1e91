"""Work that is done on other machines: what travels there, what comes back, and how far it is.

What is made, the cache folder and the sounds lie best where every machine sees them under the same paths, as on a
shared file system; each machine is asked before it does anything. One that does not see the folder of what is made does
a piece in a folder of its own, and brings back what that holds, where its engine can carry it.
"""

import socket
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
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
    """Of a machine that does not see the folder of what is made: all that it made, by its path there."""


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

    @classmethod
    @contextmanager
    def of(cls, work: Work, deadline_s: float | None) -> Iterator["Task"]:
        """Make and mark the folder that all share, and note what is installed here."""
        mark = work.folder / f".{uuid4().hex}"
        with explain_disk_errors(work.folder):
            disk.make_folder(work.folder)
            write_bytes(mark, b"")
        try:
            yield cls(work, deadline_s, {name: version(name) for name in ("cohear", "torch")}, mark.name)
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
            begun: what there is of it, where a machine that does not see it may bring back what it makes.
        """
        until_s = time.monotonic() + _IN_USE_S
        torch.set_num_threads(1)
        while True:
            try:
                self.check_versions()
                if begun is not None and not (self.work.folder / self.mark).exists():
                    return self._do_apart(index, begun)
                require_seen(self.work.folder / self.mark, *self.work.sources)
                return self._outcome(self.work, index)
            except InUseError as error:
                if time.monotonic() > until_s:
                    return Outcome(failure(self.work, index, error))
                time.sleep(POLL_S)
            except UserError as error:
                return Outcome(failure(self.work, index, error))

    def _outcome(self, work: Work, index: int) -> Outcome:
        """Do a piece until it is done or stopped."""
        try:
            work.do(index, lambda _share: None, self.deadline_s)
            return Outcome(is_done=True)
        except Interrupted as stopped:
            return Outcome(stopped_by=stopped.signal_number)

    def _do_apart(self, index: int, begun: Mapping[str, bytes]) -> Outcome:
        """Do a piece where the folder is not seen."""
        with tempfile.TemporaryDirectory(prefix="cohear-") as folder:
            work = self.work.piece(index).apart(Path(folder))
            require_seen(*work.sources)
            put_files(work, 0, begun)
            return replace(self._outcome(work, 0), files=take_files(work, 0))

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
            seen = place.parent if place.name.startswith(".") else place  # of the mark its folder
            raise UserError(
                f"'{socket.gethostname()}' does not see '{seen}'; put it and the cache (COHEAR_CACHE) on a file system "
                "that all machines share"
            )


def take_files(work: Work, index: int) -> dict[str, bytes]:
    """Return all that there is of a piece, by its path in the folder."""
    return {path.relative_to(work.folder).as_posix(): path.read_bytes() for path in work.files(index)}


def put_files(work: Work, index: int, files: Mapping[str, bytes]) -> None:
    """Put there what another machine made of a piece, and nothing else.

    Raises:
        UserError: where the disk refuses.
    """
    with explain_disk_errors(work.folder):
        for name, data in files.items():
            disk.make_folder((work.folder / name).parent)
            write_bytes(work.folder / name, data)
        for path in work.files(index):  # last, so that whoever is killed here has what there was
            if path.relative_to(work.folder).as_posix() not in files:
                disk.remove(path)
                with suppress(OSError):  # until there are others in a folder
                    for folder in path.relative_to(work.folder).parents[:-1]:
                        (work.folder / folder).rmdir()
