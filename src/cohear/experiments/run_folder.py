"""A run's folder: what stands in it, whether it is finished, and whether it may be used for a run."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import ValidationError

from cohear.errors import UserError
from cohear.experiments.config import Config
from cohear.experiments.identity import NUMERICS, differences, identify
from cohear.experiments.presets import setting_values
from cohear.experiments.room_banks import room_bank_hash
from cohear.runtime.files import check_writable, explain_disk_errors, write_json

SCHEMA = 2
"""Of the folder's files, raised when their meaning changes."""


@dataclass(frozen=True)
class RunRecord:
    """`config.json`: what a run is, written before anything else."""

    config: Config
    model: str
    """The paper's name, or the ablation's."""
    identity: str
    experiment: str
    """What runs on other folds and seeds share."""
    numerics: int
    """Of the version that made the run: versions with other numerics give other losses."""
    data_path: str
    """As it was given, so that a run that is handed on shows nobody's folders."""
    dataset: str
    data_fingerprint: str
    classes: tuple[str, ...]
    clip_s: float
    """Seconds of a clip, chosen or configured."""
    track: str
    """How often the run is measured: `every`, a number of epochs, or `end`."""
    rooms: str | None = None
    """Hash of the rooms that `views.room_bank` names; None, and not written, for made-up rooms."""
    multi_label: bool = False
    """Whether a clip may have several labels; not written where it may not."""
    initial_weights: str | None = None
    """Hash of the weights that training started from; None, and not written, where they were drawn."""

    def write(self, folder: Path) -> None:
        """Create the folder and write `config.json`."""
        with explain_disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        values = {**vars(self), "config": self.config.model_dump(mode="json"), "schema": SCHEMA}
        values = {name: value for name, value in values.items() if name not in _OPTIONAL or value != _OPTIONAL[name]}
        write_json(folder / "config.json", values)


_OPTIONAL = {field.name: field.default for field in fields(RunRecord) if field.default is not MISSING}
"""What is not written where it has its default."""


def read_record(folder: Path) -> RunRecord:
    """Read a run's `config.json`.

    Raises:
        UserError: where there is none or it is not ours.
    """
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text())
        schema = values.pop("schema")
        if schema != SCHEMA:
            raise UserError(f"'{path}' has format {schema}, this version reads {SCHEMA}; use a matching cohear")
        _check_names(values)
        values["config"] = Config.model_validate(values["config"])
        return RunRecord(**{**values, "classes": tuple(values["classes"])})
    except (FileNotFoundError, NotADirectoryError) as error:
        kind = "it has no config.json" if folder.is_dir() else "there is no such folder"
        raise UserError(f"'{folder}' is no run ({kind}); give a folder that `cohear train` made") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, UserError) and not isinstance(error, ValidationError):
            raise
        raise UserError(f"'{path}' is not a run's configuration: {_first_line(error)}") from error


def _check_names(values: dict[str, Any]) -> None:
    known = {field.name for field in fields(RunRecord)}
    if missing := sorted(known - _OPTIONAL.keys() - values.keys()):
        raise ValueError(f"it has no '{missing[0]}'")
    if unknown := sorted(values.keys() - known):
        raise ValueError(f"this version of cohear does not know its '{unknown[0]}'")


def is_finished(folder: Path) -> bool:
    """Whether everything of a run is there; `metrics.json` is written last but for the report."""
    return (folder / "metrics.json").exists()


def read_metrics(folder: Path) -> dict[str, Any]:
    """Read a finished run's `metrics.json`.

    Raises:
        UserError: where it is damaged.
    """
    path = folder / "metrics.json"
    try:
        metrics = json.loads(path.read_text("utf-8"))
        if not {"accuracy", "n_clips", "jsd"} <= metrics.keys():
            raise ValueError("it lacks numbers")
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(
            f"'{path}' is damaged ({_first_line(error)}): remove that file and go on with --resume, or choose another "
            "--out"
        ) from error
    return metrics


def covers(track: str, wanted: str) -> bool:
    """Whether a run measured as `track` says has everything that `wanted` asks for.

    Example:
        >>> covers("every", "5"), covers("5", "10"), covers("5", "7"), covers("end", "every")
        (True, True, False, False)
    """
    if track == "every" or wanted in ("end", track):
        return True
    return track.isdigit() and wanted.isdigit() and int(wanted) % int(track) == 0


def claim(folder: Path, record: RunRecord, *, resume: bool) -> bool:
    """Make a folder this run's, or find that it is already.

    Args:
        folder: may be missing or empty.
        record: the run that wants it.
        resume: whether an unfinished run may go on.

    Returns:
        True where the run is finished and need not be made again.

    Raises:
        UserError: where the folder holds another run, something else, or an unfinished run without `resume`.
    """
    there = _existing_record(folder)
    if there is None:
        record.write(folder)
        return False
    if there.identity != record.identity:
        raise _made_otherwise(folder, there, record.config, record.data_fingerprint, record.rooms)
    _require_reusable(folder, there, record.track, resume)
    return is_finished(folder)


def check_folder(folder: Path, config: Config, track: str, *, resume: bool) -> None:
    """Refuse what `claim` would refuse whatever the sounds are, before they are decoded.

    Raises:
        UserError: as `claim`.
    """
    there = _existing_record(folder)
    if there is None:
        check_writable(folder)
        return
    rooms = room_bank_hash(config)
    if identify(config, there.data_fingerprint, rooms) != there.identity:
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
        raise UserError(f"'{folder}' is an unfinished run; add --resume to go on with it, or choose another --out")
    if track != there.track:
        raise UserError(
            f"'{folder}' is an unfinished run that is measured --track {there.track}, not {track}; go on with "
            "that, or choose another --out"
        )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a run's folder, and clear away what a killed one left half-written.

    Raises:
        UserError: where another process is at work there.
    """
    lock = FileLock(folder / ".lock", timeout=0)
    with explain_disk_errors(folder):
        try:
            held = lock.acquire()
        except Timeout as error:
            raise UserError(f"another process is working on '{folder}'; wait for it or choose another --out") from error
    with held:
        for partial in folder.rglob(".*.partial"):
            partial.unlink(missing_ok=True)
        yield


def _made_otherwise(
    folder: Path, there: RunRecord, config: Config, data_fingerprint: str, rooms: str | None
) -> UserError:
    difference = _difference(there, config, data_fingerprint, rooms)
    if difference is not None:
        made = f"made by other settings: {difference}"
    else:
        made = "made by another version of cohear"
        if there.numerics != NUMERICS:
            made += f": numerics {there.numerics} there and {NUMERICS} now"
    return UserError(f"'{folder}' is a run {made}; choose another --out")


def _difference(there: RunRecord, config: Config, data_fingerprint: str, rooms: str | None) -> str | None:
    now = setting_values(config)
    is_other_data = there.data_fingerprint != data_fingerprint
    for name, value in differences(there.config, config).items():
        # The pitch cache is a setting of the data that changes results and not the data.
        of_data = name.startswith("data.") and name != "data.pitch_cache"
        if name != "preset" and of_data == is_other_data:
            return f"{name} is {value} there and {now[name]} now"
    if is_other_data:
        return f"its data '{there.data_path}' is not, or no longer, what was given now"
    if there.rooms != rooms:
        return f"its rooms '{there.config.views.room_bank}' are no longer what they were"
    return None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
