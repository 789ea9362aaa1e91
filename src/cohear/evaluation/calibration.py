"""What a validation part teaches about a classifier's probabilities: `calibration.json` of a run.

Never fitted on test clips: a run without a validation part has temperature 1 and no thresholds.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from cohear.errors import UserError
from cohear.runtime.files import write_json

CALIBRATION = "calibration.json"


@dataclass(frozen=True)
class Threshold:
    """From which probability on one label's answers are right often enough, as the validation clips say."""

    probability: float
    """Answers at or above it count, 0 to 1."""
    precision: float
    """Share of the validation answers at or above it that were right, 0 to 1."""
    recall: float
    """Share of the label's validation clips that were found at or above it, 0 to 1."""
    n_answers: int
    """Validation answers at or above it."""


@dataclass(frozen=True)
class Calibration:
    """How to read a classifier's logits and probabilities."""

    temperature: float = 1.0
    """Logits are divided by it before the softmax or the sigmoid."""
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    """By label; a label without one never reached the wanted precision on the validation clips."""
    precision: float | None = None
    """The precision that thresholds were fitted for, 0 to 1; None where none were fitted."""
    n_clips: int = 0
    """Validation clips; 0 where there was no validation part."""

    @property
    def is_fitted(self) -> bool:
        """Whether there was a validation part."""
        return self.n_clips > 0

    def to_json(self) -> dict[str, Any]:
        """Return plain values; `from_json(to_json())` gives an equal calibration."""
        thresholds = {label: asdict(threshold) for label, threshold in self.thresholds.items()}
        return {**vars(self), "thresholds": thresholds}

    @classmethod
    def from_json(cls, values: Any) -> "Calibration":
        """Read what `to_json` wrote.

        Raises:
            ValueError: where a value is missing, unknown or out of its range.
        """
        known = [field.name for field in fields(cls)]
        if not isinstance(values, Mapping) or set(values) != set(known):
            raise ValueError(f"a calibration has {', '.join(known)} and nothing else")
        try:
            thresholds = {str(label): Threshold(**given) for label, given in values["thresholds"].items()}
            calibration = cls(**{**values, "thresholds": thresholds})
            shares = [s for t in thresholds.values() for s in (t.probability, t.precision, t.recall)]
            shares += [] if calibration.precision is None else [calibration.precision]
            are_shares = all(0 <= share <= 1 for share in shares)
            is_temperature = math.isfinite(calibration.temperature) and calibration.temperature > 0
        except (TypeError, AttributeError) as error:
            raise ValueError(f"a calibration has other values ({error})") from error
        if not (are_shares and is_temperature and calibration.n_clips >= 0):
            raise ValueError("a calibration's temperature is above 0, and its shares are between 0 and 1")
        return calibration


UNFITTED = Calibration()
"""Of a run without a validation part."""


def write_calibration(folder: Path, calibration: Calibration) -> None:
    """Write a run's `calibration.json`."""
    write_json(folder / CALIBRATION, calibration.to_json())


def read_calibration(folder: Path) -> Calibration:
    """Read a run's calibration; where there is no file there was no validation part.

    Raises:
        UserError: where the file is damaged.
    """
    path = folder / CALIBRATION
    try:
        return Calibration.from_json(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return UNFITTED
    except (OSError, ValueError) as error:
        raise UserError(f"'{path}' is damaged ({error}); copy it again, or train the run again") from error
