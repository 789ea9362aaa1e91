"""A run: what stands in its folder.

A folder with `config.json` is a run; it is finished when it also holds `metrics.json`, which is written last but for
the pages that are rendered from the rest.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from cohear.data.wording import some
from cohear.errors import UserError
from cohear.metrics.tasks import TASKS, Task
from cohear.runs.config import EVERY_CLIP, Config, Count, Share
from cohear.runtime import disk
from cohear.runtime.devices import describe_environment
from cohear.runtime.files import explain_disk_errors, parse_json, read_plain, write_json

if TYPE_CHECKING:
    from cohear.evaluation.calibration import Calibration
    from cohear.runs.predictions import Predictions

SCHEMA = 4
"""Of the folder's files, raised when their meaning changes."""
_MOST_BYTES = 2**28
"""Of a file of text: more than a million classes."""
_Read = TypeVar("_Read")


@dataclass(frozen=True)
class Record:
    """`config.json`: what a run is, written before anything else."""

    config: Config
    """Resolved."""
    model: str
    """The paper's name, the recipe's, or the ablation's."""
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
    task: str
    """What is asked of a clip: `single_label` or `multi_label`."""
    track: str
    """How often the run is measured: `every` epoch, a number of epochs, or at the `end`."""
    contents: dict[str, str] = field(default_factory=dict)
    """Hashes of what settings name and do not tell: weights to begin with, recorded rooms."""
    schema_: Annotated[int, Field(alias="schema")] = SCHEMA

    @property
    def clip_s(self) -> float:
        """Seconds of a clip."""
        assert self.config.data.clip_s is not None
        return self.config.data.clip_s


@with_config(ConfigDict(extra="allow", allow_inf_nan=False))
class Metrics(TypedDict):
    """`metrics.json`: the numbers of a finished run, and what they are the numbers of."""

    accuracy: Share | None
    """Share of the clean test clips that are answered rightly; None where none was tested, as are the next three."""
    n_clips: Count
    nll: float | None
    """Nats."""
    jsd: float | None
    """Nats, over views of `combination` whatever the run was trained on."""
    jsd_own: float | None
    """Nats, over views of the run's own transforms; None for `none`."""
    fold: int | str
    n_train_clips: Count
    n_validation_clips: Count
    kept_epoch: Count
    """Whose weights these are, counted from 1."""
    warnings: list[str]
    data_notes: list[str]


_RECORD, _METRICS = TypeAdapter(Record), TypeAdapter(Metrics)
_CHANGES_LAST_BITS = {
    "n_threads": "number of threads",
    "n_processes": "number of processes",
    "processor": "processor",
    "gpu": "GPU",
}
"""What of an environment a resumed run should have kept."""
_NAMED = 6
"""Labels in the title of a page; of more one fewer is named, since one is never left out alone."""
WARNING = "WARNING: "
"""Notes on data that begin with it say what to beware of."""


class Run:
    """A run's folder, read when it is asked for.

    Args:
        folder: of the run.

    Every property raises `UserError` where its file is missing or damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @property
    def is_begun(self) -> bool:
        """Whether it is a run at all."""
        return (self.folder / "config.json").is_file()

    @property
    def is_finished(self) -> bool:
        """Whether everything of it is there."""
        return (self.folder / "metrics.json").exists()

    @property
    def n_epochs_done(self) -> int:
        """How far it is, as its history tells; 0 where it has not begun, or is just writing."""
        try:
            return len(self.history)
        except UserError:
            return 0

    @property
    def is_tested(self) -> bool:
        """Whether it was tested on a fold; a run on every clip was not."""
        return self.config.fold != EVERY_CLIP

    @property
    def weights_path(self) -> Path:
        """Where its weights lie; they may be gone."""
        return self.folder / "model.safetensors"

    @property
    def report(self) -> Path:
        """Its page."""
        return self.folder / "report.html"

    @cached_property
    def record(self) -> Record:
        """What it is."""
        path = self.folder / "config.json"
        if not self.is_begun and not path.exists():
            kind = "it has no config.json" if self.folder.is_dir() else "there is no such folder"
            raise UserError(f"'{self.folder}' is no run ({kind}); give a folder that `cohear train` made")

        def parse(data: bytes) -> Record:
            values = parse_json(data)
            if (schema := values.get("schema")) != SCHEMA:
                raise UserError(f"'{path}' has format {schema}, this version reads {SCHEMA}; use a matching cohear")
            return _RECORD.validate_python(values)

        return self._read("config.json", parse)

    @property
    def config(self) -> Config:
        """Its settings, resolved."""
        return self.record.config

    @property
    def fold(self) -> int:
        """The fold that it was tested on."""
        fold = self.config.fold
        return fold if fold != EVERY_CLIP else int(self._tested("accuracy"))  # which refuses it

    @property
    def accuracy(self) -> float:
        """Share of the clean test clips that are answered rightly; of a tested run, as are the next ones."""
        return self._tested("accuracy")

    @property
    def jsd(self) -> float:
        """Nats, over views of `combination` whatever the run was trained on."""
        return self._tested("jsd")

    @property
    def n_clips(self) -> int:
        """Test clips."""
        return self.metrics["n_clips"]

    def _tested(self, name: Literal["accuracy", "jsd"]) -> float:
        value = self.metrics[name]
        if value is None:
            raise self.untested_error()
        return value

    def untested_error(self) -> UserError:
        """Say why a run on every clip has no numbers of a test."""
        return UserError(
            f"'{self.folder}' was trained on every clip, so there are none it was tested on: give runs with a fold"
        )

    @property
    def task(self) -> Task:
        """What was asked of each clip."""
        return TASKS[self.record.task]

    @cached_property
    def metrics(self) -> Metrics:
        """Its numbers."""
        if not self.is_finished:
            _ = self.record  # else it is no run at all
            raise UserError(f"'{self.folder}' is an unfinished run; go on with it by --resume, or give another")
        return self._read("metrics.json", lambda data: _METRICS.validate_python(parse_json(data)))

    @cached_property
    def history(self) -> tuple[dict[str, Any], ...]:
        """One record per epoch."""

        def parse(data: bytes) -> tuple[dict[str, Any], ...]:
            records = tuple(parse_json(line) for line in data.splitlines() if line.strip())
            if not all(isinstance(record, dict) and isinstance(record.get("epoch"), int) for record in records):
                raise ValueError("a line has no 'epoch'")
            return records

        return self._read("history.jsonl", parse)

    @cached_property
    def environment(self) -> dict[str, Any]:
        """What it ran on; `earlier_starts` is what it ran on before it was resumed, where that was another."""

        def parse(data: bytes) -> dict[str, Any]:
            told = parse_json(data)
            if not all(isinstance(start.get("packages"), dict) for start in (told, *told.get("earlier_starts", []))):
                raise ValueError("it tells no versions of packages")
            return told

        return self._read("environment.json", parse)

    @cached_property
    def predictions(self) -> "Predictions":
        """The answers to the test clips."""
        from cohear.runs.predictions import PREDICTIONS, read_predictions

        predictions = read_predictions(self.folder)
        n_correct = int(predictions.correct.sum())
        if (len(predictions.paths), n_correct) != (self.n_clips, round(self.accuracy * self.n_clips)):
            raise damaged(
                self.folder / PREDICTIONS,
                f"{n_correct} of its {len(predictions.paths)} answers are right, and metrics.json says otherwise",
            )
        return predictions

    @property
    def validation(self) -> "Predictions | None":
        """The answers to the validation clips; None where there are none."""
        from cohear.runs.predictions import VALIDATION, read_predictions

        return read_predictions(self.folder, VALIDATION) if (self.folder / VALIDATION).exists() else None

    @cached_property
    def calibration(self) -> "Calibration":
        """What the validation clips taught about its probabilities."""
        from cohear.evaluation.calibration import read_calibration

        return read_calibration(self.folder)

    @property
    def subject(self) -> str:
        """Name its data and labels, as `street: bell, bird, engine, rain, steps and 4 more`."""
        classes = self.record.classes
        return f"{self.record.dataset}: {some(classes, _NAMED if len(classes) <= _NAMED else _NAMED - 1)}"

    @property
    def data_notes(self) -> tuple[str, ...]:
        """How its clips were made of the sounds, without what is to beware of."""
        return tuple(note for note in self.metrics["data_notes"] if not note.startswith(WARNING))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to beware of, first in its sounds and then in its training."""
        of_data = (note for note in self.metrics["data_notes"] if note.startswith(WARNING))
        return (*(note.removeprefix(WARNING) for note in of_data), *self.metrics["warnings"])

    @property
    def title(self) -> str:
        """Name it in a few words."""
        config = self.config
        where = f"fold {config.fold}" if self.is_tested else "every clip"
        return f"{self.record.model} on {self.record.dataset}, {where}, seed {config.seed}"

    def covers(self, track: str) -> bool:
        """Whether it was, or will be, measured as often as `track` asks: `every` has all, `5` has `10` and `end`."""
        its = self.record.track
        if its == "every" or track in ("end", its):
            return True
        return its.isdigit() and track.isdigit() and int(track) % int(its) == 0

    def write_record(self, record: Record) -> None:
        """Create the folder and write `config.json`."""
        with explain_disk_errors(self.folder):
            disk.make_folder(self.folder)
        write_json(self.folder / "config.json", _RECORD.dump_python(record, mode="json", by_alias=True))

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Write `metrics.json`, by which the run is finished."""
        write_json(self.folder / "metrics.json", _METRICS.validate_python(metrics))

    def write_environment(self, *, is_compiled: bool) -> None:
        """Write what runs here, and below it what ran at earlier starts, where it was another.

        A damaged one is replaced: what it says is not worth a run.
        """
        now = {**describe_environment(), "is_compiled": is_compiled}
        starts = [start for start in self._starts() if start != now]
        write_json(self.folder / "environment.json", {**now, "earlier_starts": starts})

    def environment_warnings(self) -> list[str]:
        """Say what of the environments that it had changes its result."""
        starts = self._starts()
        told = {what: dict.fromkeys(start.get(name) for start in starts) for name, what in _CHANGES_LAST_BITS.items()}
        told["version of torch"] = dict.fromkeys(start.get("packages", {}).get("torch") for start in starts)
        return [
            f"the run was resumed with another {what} ({' and '.join(map(str, values))}), so its last bits are of "
            "neither"
            for what, values in told.items()
            if len(values) > 1
        ]

    def _starts(self) -> list[dict[str, Any]]:
        """Return what ran at each start, the newest last."""
        with suppress(UserError):
            newest = dict(Run(self.folder).environment)
            return [*newest.pop("earlier_starts", []), newest]
        return []

    def _read(self, name: str, parse: Callable[[bytes], _Read]) -> _Read:
        path = self.folder / name
        try:
            return parse(read_plain(path, _MOST_BYTES))
        except UserError:
            raise
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise damaged(path, first_error(error)) from error


def damaged(file: Path, reason: str) -> UserError:
    """Say that a file of a run cannot be used, and what makes it again; only `config.json` nothing does."""
    again = "remove metrics.json beside it and go on with --resume"
    if file.name == "config.json":
        again = "copy it back from elsewhere"
    return UserError(f"'{file}' is damaged ({reason}): {again}, or leave the run out.")


def first_error(error: Exception) -> str:
    """Word what is wrong with a file in one line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False)[0]
        return f"{'.'.join(map(str, first['loc']))[:80]}: {first['msg'].removeprefix('Value error, ')}"
    if isinstance(error, FileNotFoundError):
        return "it is missing"
    return str(error).splitlines()[0] if str(error) else type(error).__name__
