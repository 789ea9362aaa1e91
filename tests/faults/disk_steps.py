"""Standing in the door of `cohear.runtime.disk`: what changes the disk is noted, and one step may be the last."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple


class Step(NamedTuple):
    """One change of the disk."""

    kind: str
    path: str

    def __str__(self) -> str:
        return f"{self.kind} {Path(self.path).name}"


class End(NamedTuple):
    """Where a process sends itself a signal."""

    number: int
    """Of the change of the disk, counted from 0."""
    when: str
    """`before` or `after`."""
    signal_number: signal.Signals


def record_steps(note: Callable[[Any], None], end: End | None) -> None:
    """Note each change of the disk in this process, and each half-written file that is opened to be read.

    Args:
        note: is called with `{"disk": [kind, path]}` or `{"reads": path}`.
        end: where this process is to be ended.
    """
    from cohear.runtime import disk

    n_steps = 0

    @contextmanager
    def around(kind: str, path: Path) -> Iterator[None]:
        nonlocal n_steps
        if kind == "read":
            yield
            return
        number, n_steps = n_steps, n_steps + 1
        if end and (number, "before") == end[:2]:
            os.kill(os.getpid(), end.signal_number)
        yield
        note({"disk": [kind, str(path)]})
        if end and (number, "after") == end[:2]:
            os.kill(os.getpid(), end.signal_number)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or ".partial" not in str(arguments[0]):
            return
        path, _, flags = arguments
        if not flags & (os.O_WRONLY | os.O_RDWR) and not os.path.isdir(path):  # folders are opened to sync them
            note({"reads": str(path)})

    disk.around = around
    sys.addaudithook(watch)


def misordered_renames(steps: Sequence[Step]) -> Iterator[tuple[str, str | None]]:
    """Judge each rename: what it puts in its place was written beside it, then synced; next the folder is."""
    for index, step in enumerate(steps):
        if step.kind == "rename":
            yield str(step), _problem(steps, index)


def _problem(steps: Sequence[Step], index: int) -> str | None:
    target = Path(steps[index].path)
    since = max((i for i, step in enumerate(steps[:index]) if step.kind == "rename"), default=-1) + 1
    written = {step.path for step in steps[since:index] if step.kind == "write"}
    if not written:
        return "nothing was written for it"
    for path in written:
        is_its_own = Path(path).parent == target.parent and Path(path).name.startswith(f".{target.name}.")
        if not is_its_own and Path(path).parent != target.with_suffix(".partial"):
            return f"{path} was written for something else"
        last = max(i for i in range(since, index) if steps[i] == Step("write", path))
        if Step("sync", path) not in steps[last:index]:
            return f"{path} was not synced after it was written"
        if Path(path).parent != target.parent and Step("sync folder", str(Path(path).parent)) not in steps[last:index]:
            return f"the folder of {path} was not synced"
    following = steps[index + 1 : index + 2]
    if following != [Step("sync folder", str(target.parent))]:
        return "its folder was not synced next"
    return None


def lose_disk(note: Callable[[Any], None], folders: Sequence[Path], first: int | None, error: int) -> None:
    """Note whatever this process asks of a disk, changes, reads and questions; from one of them on, let all fail.

    Args:
        note: is called with `{"asks": [what, path]}`.
        folders: what lies on that disk.
        first: of those that fail, counted from 0; None: none does.
        error: its number, as `errno.EIO`.
    """
    from cohear.runtime import disk

    places = tuple(f"{folder}/" for folder in folders)
    n_asked = 0

    def ask(what: str, place: Any) -> None:
        nonlocal n_asked
        if not isinstance(place, str | bytes | os.PathLike) or not f"{os.fsdecode(place)}/".startswith(places):
            return
        number, n_asked = n_asked, n_asked + 1
        note({"asks": [what, os.fsdecode(place)]})
        if first is not None and number >= first:
            raise OSError(error, os.strerror(error), os.fsdecode(place))

    @contextmanager
    def around(kind: str, path: Path) -> Iterator[None]:
        ask(kind, path)
        yield

    def asking(what: str) -> Callable[..., os.stat_result]:
        answer = getattr(os, what)

        def asked(place: Any, *arguments: Any, **options: Any) -> os.stat_result:
            ask(what, place)
            return answer(place, *arguments, **options)

        return asked

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("open", "os.listdir", "os.scandir", "os.mkdir", "os.remove"):
            ask(event, arguments[0])

    disk.around = around
    os.stat, os.lstat = asking("stat"), asking("lstat")  # the interpreter tells its audit hooks nothing of these
    sys.addaudithook(watch)
