"""Whether a folder may be used for a run: taken by one process at a time, and by no other run."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cohear.errors import UserError
from cohear.runs.identity import NUMERICS, first_difference
from cohear.runs.run import Record, Run
from cohear.runtime import disk
from cohear.runtime.files import check_writable, explain_disk_errors, remove_partials
from cohear.training.checkpoint_files import checkpoint_folder


@contextmanager
def claimed(run: Run, record: Record, *, resume: bool) -> Iterator[bool]:
    """Make a folder this run's and keep other processes out of it, or find that the run is finished.

    Args:
        run: its folder may be missing or empty.
        record: of the run that wants it.
        resume: whether an unfinished run may go on.

    Yields:
        True where the run is finished and need not be made again.

    Raises:
        UserError: where the folder holds another run, something else, or an unfinished run without `resume`, or
            another process is at work there.
    """
    is_begun = check_folder(run, record, resume=resume)
    if is_begun and run.is_finished:
        yield True
        return
    with explain_disk_errors(run.folder):
        disk.make_folder(run.folder)
    with locked(run.folder):
        if not check_folder(run, record, resume=resume or not is_begun):  # another process may have come between
            run.write_record(record)
        yield run.is_finished


def check_folder(run: Run, record: Record, *, resume: bool) -> bool:
    """Refuse a folder that cannot be this run's; say whether the run was begun there.

    Raises:
        UserError: as `claimed`.
    """
    folder = run.folder
    if not run.is_begun:
        check_place(folder)
        return False
    there = run.record
    if there.identity != record.identity:
        raise UserError(f"'{folder}' is a run made {_otherwise(there, record)}; choose another --out")
    if run.is_finished:
        if not run.covers(record.track):
            raise UserError(
                f"'{folder}' is finished, but was measured --track {there.track}, not {record.track}; "
                f"give --track {there.track}, remove it, or choose another --out"
            )
    elif not resume:
        with _lock(folder):  # where somebody is at it, that is what to say
            pass
        raise UserError(f"'{folder}' is an unfinished run; add --resume to go on with it, or choose another --out")
    elif there.track != record.track:
        raise UserError(
            f"'{folder}' is an unfinished run that is measured --track {there.track}, not {record.track}; go on with "
            "that, or choose another --out"
        )
    return True


def check_place(folder: Path) -> None:
    """Refuse a folder, not that of a run, in which none can be made.

    Raises:
        UserError: where it holds something else, is a file, or cannot be made or written.
    """
    _require_empty(folder)
    check_writable(folder)


def check_parent(folder: Path) -> None:
    """Refuse a place below which no run folders can be made.

    Raises:
        UserError: where it is a run folder itself, or a file, or cannot be made or written.
    """
    with explain_disk_errors(folder):
        if os.path.lexists(folder):
            os.listdir(folder)
    if Run(folder).is_begun:
        raise UserError(
            f"'{folder}' is the folder of one run, and these need one that holds theirs; choose another --out"
        )
    check_writable(folder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a run's folder, and clear away what a killed one left half-written.

    The lock is the operating system's: it is free as soon as the process that held it is no more.

    Raises:
        UserError: where another process is at work there, or its checkpoints lie elsewhere.
    """
    with _lock(folder):
        for inside in (folder, checkpoint_folder(folder)):
            remove_partials(inside)
        yield


def _lock(folder: Path) -> AbstractContextManager[object]:
    lock = folder / ".lock"
    with explain_disk_errors(folder):
        if lock.is_symlink():  # filelock refuses it too, and does not say so
            raise UserError(f"'{lock}' is a link; remove it, then give the same command again")
        try:
            return FileLock(lock, timeout=0).acquire()
        except Timeout as error:
            raise UserError(f"another process is working on '{folder}'; wait for it or choose another --out") from error


def _require_empty(folder: Path) -> None:
    """Refuse a folder without a run that holds something else."""
    with explain_disk_errors(folder):
        entries = [entry.name for entry in folder.iterdir()] if os.path.lexists(folder) else []
    foreign = sorted(name for name in entries if not name.endswith((".partial", ".lock")))
    if "checkpoint" in foreign:
        raise UserError(
            f"'{folder}' holds checkpoints and no config.json: copy it back from elsewhere, or choose another --out"
        )
    if foreign:
        raise UserError(f"'{folder}' holds '{foreign[0]}' and is no run folder; choose another --out")


def _otherwise(there: Record, now: Record) -> str:
    if difference := first_difference(there.config, now.config):
        return f"by other settings: {difference}"
    if there.data_fingerprint != now.data_fingerprint:
        return f"of other data: '{there.data_path}' is not, or no longer, what was given now"
    if changed := [name for name, digest in now.contents.items() if there.contents.get(name) != digest]:
        return f"with other contents of {changed[0]}"
    numerics = f": numerics {there.numerics} there and {NUMERICS} now" if there.numerics != NUMERICS else ""
    return f"by another version of cohear, or its config.json was changed{numerics}"
