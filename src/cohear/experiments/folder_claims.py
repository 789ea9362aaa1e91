"""Whether a folder may be used for a run: taken by one process at a time, and by no other run."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cohear.errors import UserError
from cohear.experiments.config import Config
from cohear.experiments.identity import NUMERICS, differences, identify
from cohear.experiments.initial_run import initial_weights_hash
from cohear.experiments.presets import setting_values
from cohear.experiments.room_banks import room_bank_hash
from cohear.experiments.run_folder import RunRecord, covers, is_finished, read_record
from cohear.runtime import disk
from cohear.runtime.files import check_writable, explain_disk_errors, remove_partials
from cohear.training.checkpoint_files import checkpoint_folder

_NOT_OF_CLIPS = {"data.pitch_cache", "data.validation_share", "data.background"}
"""Settings of the data that change results and not the clips."""


@contextmanager
def claimed(folder: Path, record: RunRecord, *, resume: bool) -> Iterator[bool]:
    """Make a folder this run's and keep other processes out of it, or find that the run is finished.

    Args:
        folder: may be missing or empty.
        record: the run that wants it.
        resume: whether an unfinished run may go on.

    Yields:
        True where the run is finished and need not be made again.

    Raises:
        UserError: where the folder holds another run, something else, or an unfinished run without `resume`, or
            another process is at work there.
    """
    there = _claimant(folder, record, resume)
    if there is not None and is_finished(folder):
        yield True
        return
    with explain_disk_errors(folder):
        disk.make_folder(folder)
    with locked(folder):
        there = _claimant(folder, record, resume=resume or there is None)  # another process may have come between
        if there is None:
            record.write(folder)
        yield is_finished(folder)


def _claimant(folder: Path, record: RunRecord, resume: bool) -> RunRecord | None:
    """Return the record that a folder has, if it is this run's; None where there is none."""
    there = _existing_record(folder)
    if there is None:
        return None
    if there.identity != record.identity:
        raise _made_otherwise(folder, there, record.config, record.data_fingerprint, record.rooms)
    _require_reusable(folder, there, record.track, resume)
    return there


def check_folder(folder: Path, config: Config, track: str, *, resume: bool) -> None:
    """Refuse what `claimed` would refuse whatever the sounds are, before they are decoded.

    Raises:
        UserError: as `claimed`.
    """
    there = _existing_record(folder)
    if there is None:
        check_writable(folder)
        return
    rooms, weights = room_bank_hash(config), initial_weights_hash(config)
    if identify(config, there.data_fingerprint, rooms, weights) != there.identity:
        raise _made_otherwise(folder, there, config, there.data_fingerprint, rooms)
    _require_reusable(folder, there, track, resume)


def check_parent(folder: Path) -> None:
    """Refuse a place below which no run folders can be made.

    Raises:
        UserError: where it is a run folder itself, or a file, or cannot be made or written.
    """
    with explain_disk_errors(folder):
        if os.path.lexists(folder):
            os.listdir(folder)
    if (folder / "config.json").exists():
        raise UserError(
            f"'{folder}' is the folder of one run, and these need one that holds theirs; choose another --out"
        )
    check_writable(folder)


def _existing_record(folder: Path) -> RunRecord | None:
    """Read the run that a folder holds; None where it is missing or empty."""
    with explain_disk_errors(folder):
        entries = [entry.name for entry in folder.iterdir()] if os.path.lexists(folder) else []
    if (folder / "config.json").exists():
        return read_record(folder)
    foreign = sorted(name for name in entries if not name.endswith((".partial", ".lock")))
    if "checkpoint" in foreign:
        raise UserError(
            f"'{folder}' holds checkpoints and no config.json: copy it back from elsewhere, or choose another --out"
        )
    if foreign:
        raise UserError(f"'{folder}' holds '{foreign[0]}' and is no run folder; choose another --out")
    return None


def _require_reusable(folder: Path, there: RunRecord, track: str, resume: bool) -> None:
    """Refuse a run that is unfinished, or was measured otherwise than is wanted now."""
    if is_finished(folder):
        if not covers(there.track, track):
            raise UserError(
                f"'{folder}' is finished, but was measured --track {there.track}, not {track}; "
                f"give --track {there.track}, remove it, or choose another --out"
            )
        return
    if not resume:
        with _lock(folder):  # where somebody is at it, that is what to say
            pass
        raise UserError(f"'{folder}' is an unfinished run; add --resume to go on with it, or choose another --out")
    if track != there.track:
        raise UserError(
            f"'{folder}' is an unfinished run that is measured --track {there.track}, not {track}; go on with "
            "that, or choose another --out"
        )


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


def _made_otherwise(
    folder: Path, there: RunRecord, config: Config, data_fingerprint: str, rooms: str | None
) -> UserError:
    difference = _difference(there, config, data_fingerprint, rooms)
    if difference is not None:
        made = f"made by other settings: {difference}"
    else:
        made = "made by another version of cohear, or its config.json was changed"
        if there.numerics != NUMERICS:
            made += f": numerics {there.numerics} there and {NUMERICS} now"
    return UserError(f"'{folder}' is a run {made}; choose another --out")


def _difference(there: RunRecord, config: Config, data_fingerprint: str, rooms: str | None) -> str | None:
    now = setting_values(config)
    is_other_data = there.data_fingerprint != data_fingerprint
    for name, value in differences(there.config, config).items():
        of_data = name.startswith("data.") and name not in _NOT_OF_CLIPS
        if name != "preset" and of_data == is_other_data:
            return f"{name} is {value} there and {now[name]} now"
    if is_other_data:
        return f"its data '{there.data_path}' is not, or no longer, what was given now"
    if there.rooms != rooms:
        return f"its rooms '{there.config.views.room_bank}' are no longer what they were"
    if there.initial_weights != initial_weights_hash(config):
        return f"the weights '{there.config.training.initial_run}' that it began with are no longer what they were"
    return None
