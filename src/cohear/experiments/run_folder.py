"""A run's folder: what stands in it, and whether it is finished."""

from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from cohear.errors import UserError
from cohear.experiments.config import Config
from cohear.experiments.packed_description import first_error
from cohear.runtime import disk
from cohear.runtime.files import explain_disk_errors, write_json
from cohear.runtime.json_text import parse_json
from cohear.runtime.reading import read_plain

_MOST_BYTES = 2**24
"""Of `config.json` and `metrics.json`: more than a hundred thousand classes."""
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
    clip_s: Annotated[float, Field(gt=0, allow_inf_nan=False)]
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
            disk.make_folder(folder)
        values = {**vars(self), "config": self.config.model_dump(mode="json"), "schema": SCHEMA}
        values = {name: value for name, value in values.items() if name not in _OPTIONAL or value != _OPTIONAL[name]}
        write_json(folder / "config.json", values)


_OPTIONAL = {field.name: field.default for field in fields(RunRecord) if field.default is not MISSING}
"""What is not written where it has its default."""
_RECORD = TypeAdapter(RunRecord)


def read_record(folder: Path) -> RunRecord:
    """Read a run's `config.json`.

    Raises:
        UserError: where there is none or it is not ours.
    """
    path = folder / "config.json"
    try:
        values = parse_json(read_plain(path, _MOST_BYTES))
        schema = values.pop("schema")
        if schema != SCHEMA:
            raise UserError(f"'{path}' has format {schema}, this version reads {SCHEMA}; use a matching cohear")
        _check_names(values)
        return _RECORD.validate_python(values)
    except (FileNotFoundError, NotADirectoryError) as error:
        kind = "it has no config.json" if folder.is_dir() else "there is no such folder"
        raise UserError(f"'{folder}' is no run ({kind}); give a folder that `cohear train` made") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        reason = first_error(error) if isinstance(error, ValidationError) else _first_line(error)
        raise UserError(
            f"'{path}' is not a run's configuration ({reason}): copy it back from elsewhere, or remove the folder"
        ) from error


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
        metrics = parse_json(read_plain(path, _MOST_BYTES))
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


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
