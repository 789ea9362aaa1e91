"""What a run answered on the clean clips of its test part: `predictions.safetensors`, and as a table.

Float16 keeps a log-probability to one part in 2000, and all of a fold of ESC-50 in 50 KB; the answers themselves are
kept beside it, since rounding could make a tie of two classes.
"""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float16, Int64
from safetensors import SafetensorError
from safetensors.numpy import load, save

from cohear.errors import UserError
from cohear.runtime.files import write_bytes

PREDICTIONS, TABLE = "predictions.safetensors", "predictions.csv"
_DTYPES = {"labels": np.int64, "predicted": np.int64, "log_probabilities": np.float16, "jsd": np.float16}
_MOST_NEGATIVE = float(np.finfo(np.float16).min)


@dataclass(frozen=True, eq=False)
class Predictions:
    """The answers to the clean test clips, as a run's folder keeps them."""

    classes: tuple[str, ...]
    paths: tuple[str, ...]
    """Each clip's identity: its file, with a span where it is a part of one."""
    groups: tuple[str, ...]
    """The source recording of each clip; empty where it is not known."""
    labels: Int64[np.ndarray, " clip"]
    """Indices into `classes`."""
    predicted: Int64[np.ndarray, " clip"]
    """Indices into `classes`."""
    log_probabilities: Float16[np.ndarray, "clip label"]
    jsd: Float16[np.ndarray, " clip"]
    """Over the clean clip and its evaluation views, nats."""

    @property
    def correct(self) -> Bool[np.ndarray, " clip"]:
        """Whether the answer to each clip is its label."""
        return self.labels == self.predicted


def round_predictions(
    classes: tuple[str, ...],
    paths: tuple[str, ...],
    groups: tuple[str, ...],
    labels: Int64[np.ndarray, " clip"],
    log_probabilities: Float[np.ndarray, "clip label"],
    jsd: Float[np.ndarray, " clip"],
) -> Predictions:
    """Round what a network said to what is kept; the answers are those before rounding."""
    kept = np.maximum(log_probabilities, _MOST_NEGATIVE).astype(np.float16)
    return Predictions(classes, paths, groups, labels, log_probabilities.argmax(1), kept, jsd.astype(np.float16))


def write_predictions(folder: Path, predictions: Predictions) -> None:
    """Write `predictions.safetensors`, equal bytes for equal answers, and the table that is rendered from it."""
    tensors = {
        "labels": predictions.labels.astype(np.int32),
        "predicted": predictions.predicted.astype(np.int32),
        "log_probabilities": predictions.log_probabilities,
        "jsd": predictions.jsd,
    }
    # One entry of metadata: the order in which safetensors writes several is not defined.
    text = {name: getattr(predictions, name) for name in ("classes", "paths", "groups")}
    metadata = {"clips": json.dumps(text, ensure_ascii=False, separators=(",", ":"))}
    write_bytes(folder / PREDICTIONS, save(tensors, metadata))
    write_table(folder, predictions)


def write_table(folder: Path, predictions: Predictions) -> None:
    """Render `predictions.csv`: a row per clip, for the eye and for pandas."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ["path", "group", "label", "predicted", "probability", "correct", "jsd"]
    writer.writerow(columns + [f"p:{name}" for name in predictions.classes])
    probabilities = np.exp(predictions.log_probabilities.astype(np.float64))
    for row, (path, group) in enumerate(zip(predictions.paths, predictions.groups, strict=True)):
        label, predicted = int(predictions.labels[row]), int(predictions.predicted[row])
        answer = [predictions.classes[predicted], f"{probabilities[row, predicted]:.4g}", int(label == predicted)]
        jsd = f"{predictions.jsd[row]:.4g}"
        writer.writerow(
            [path, group, predictions.classes[label], *answer, jsd, *(f"{p:.4g}" for p in probabilities[row])]
        )
    write_bytes(folder / TABLE, text.getvalue().encode())


def read_predictions(folder: Path) -> Predictions:
    """Read a run's predictions.

    Raises:
        UserError: where the file is missing or damaged.
    """
    path = folder / PREDICTIONS
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"'{path}' is missing: train this run again, or leave it out.") from error
    try:
        tensors = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        text = json.loads(header["__metadata__"]["clips"])
        classes, paths, groups = (tuple(map(str, text[name])) for name in ("classes", "paths", "groups"))
        arrays = {name: tensors[name].astype(dtype) for name, dtype in _DTYPES.items()}
    except KeyError as error:
        raise damaged(path, f"it has no {error}") from error
    except (SafetensorError, ValueError, TypeError) as error:
        raise damaged(path, f"it cannot be read: {error}") from error
    if len(groups) != len(paths):
        raise damaged(path, f"it has {len(groups)} groups for {len(paths)} clips")
    _check(path, arrays, len(paths), len(classes))
    return Predictions(classes, paths, groups, **arrays)


def damaged(file: Path, reason: str) -> UserError:
    """Say that a file of a run cannot be used."""
    return UserError(f"'{file}' is damaged ({reason}): train this run again, or leave it out.")


def _check(path: Path, arrays: dict[str, np.ndarray], n_clips: int, n_classes: int) -> None:
    for name, array in arrays.items():
        if array.shape != ((n_clips, n_classes) if name == "log_probabilities" else (n_clips,)):
            raise damaged(path, f"its {name} do not fit {n_clips} clips and {n_classes} classes")
    for name in ("labels", "predicted"):
        if n_clips and not 0 <= arrays[name].min() <= arrays[name].max() < n_classes:
            raise damaged(path, f"its {name} name a class that it has not")
    for name in ("log_probabilities", "jsd"):
        if not np.isfinite(arrays[name]).all():
            raise damaged(path, f"its {name} hold what is no number")
