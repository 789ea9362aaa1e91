"""What a validation part teaches about a classifier's probabilities: `calibration.json` of a run.

Never fitted on test clips: a run without a validation part has temperature 1 and no thresholds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from cohear.errors import UserError
from cohear.metrics.tasks import Decisions, Task
from cohear.metrics.thresholds import DEFAULT_THRESHOLD, Threshold, fit_thresholds
from cohear.runtime.files import parse_json, read_plain, write_json

CALIBRATION = "calibration.json"
FEWEST_FOR_TEMPERATURE = 30
"""Validation clips."""


@dataclass(frozen=True)
class Calibration:
    """How to read a classifier's logits and probabilities."""

    temperature: float = 1.0
    """Logits are divided by it before the softmax or the sigmoid."""
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    """By label, fitted or a default; a label without one has validation answers, most of which are wrong."""
    precision: float | None = None
    """The precision that thresholds were fitted for, 0 to 1; None where none were fitted."""
    n_clips: int = 0
    """Validation clips; 0 where there was no validation part."""

    @property
    def is_fitted(self) -> bool:
        """Whether there was a validation part."""
        return self.n_clips > 0

    @property
    def has_temperature(self) -> bool:
        """Whether a temperature was fitted: of fewer than 30 clips it is not."""
        return self.n_clips >= FEWEST_FOR_TEMPERATURE

    @property
    def temperature_text(self) -> str:
        """Say whether a temperature was fitted, without a full stop: the same in every place."""
        if self.has_temperature:
            return f"a temperature of {self.temperature:.2f} was fitted to {self.n_clips} validation clips"
        if self.is_fitted:
            return (
                f"no temperature was fitted, since {self.n_clips} validation clips are too few "
                f"({FEWEST_FOR_TEMPERATURE} are enough)"
            )
        return "no temperature was fitted, since there were no validation clips"

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
            fitted = [calibration.precision, *(s for t in thresholds.values() for s in (t.precision, t.recall))]
            shares = [*(t.probability for t in thresholds.values()), *(share for share in fitted if share is not None)]
            are_shares = all(0 <= share <= 1 for share in shares)
            counts = [calibration.n_clips, *(t.n_answers for t in thresholds.values())]
            are_counts = all(type(count) is int and count >= 0 for count in counts)
            is_temperature = math.isfinite(calibration.temperature) and calibration.temperature > 0
        except (TypeError, AttributeError) as error:
            raise ValueError(f"a calibration has other values ({error})") from error
        if not (are_shares and are_counts and is_temperature):
            raise ValueError(
                "a calibration's temperature is above 0, its shares are 0 to 1, its counts are whole numbers"
            )
        return calibration


UNFITTED = Calibration()
"""Of a run without a validation part."""


def calibrate(
    task: Task,
    classes: Sequence[str],
    log_probabilities: Float[np.ndarray, "clip label"],
    decisions: Decisions,
    targets: Decisions,
    *,
    precision: float,
    default: Float[np.ndarray, " label"] | float = DEFAULT_THRESHOLD,
    background: str | None = None,
    clips: Sequence[str] | None = None,
) -> Calibration:
    """Fit temperature and thresholds to the answers to validation clips.

    Thresholds are of the probabilities after the temperature. Of fewer than 30 clips no temperature is fitted: it would
    be that of a few answers, and often far too low. Where not one answer is wrong, the likeliest temperature would be
    as low as there is; since nothing then tells how often the classifier errs, it is not made surer than it was trained
    to be.

    Args:
        task: of the classifier.
        classes: the names of the labels.
        log_probabilities: of the clean validation clips, in half precision or better.
        decisions: what was answered, before any rounding.
        targets: what would have been right.
        precision: wanted share of right answers at or above a threshold, above 0, at most 1.
        default: thresholds where answers are too few to fit one.
        background: the label that means 'none of these' and needs no threshold.
        clips: the identity of each clip, where several runs answered the same: these count once.

    Returns:
        `UNFITTED` where there are no clips.
    """
    n_answers, n_classes = log_probabilities.shape
    n_clips = n_answers if clips is None else len(set(clips))
    if n_clips == 0:
        return UNFITTED
    logits, truth, temperature = task.logits(log_probabilities), task.truth(targets, n_classes), 1.0
    if n_clips >= FEWEST_FOR_TEMPERATURE:
        temperature = task.fit_temperature(logits, truth)
        if (decisions == targets).all():
            temperature = max(temperature, 1.0)
    shown = task.probabilities(logits, temperature)
    answers = task.answers(decisions, n_classes)
    thresholds = fit_thresholds(classes, shown, answers, truth, precision, default, clips=clips)
    thresholds.pop(background or "", None)
    return Calibration(temperature, thresholds, precision, n_clips)


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
        return Calibration.from_json(parse_json(read_plain(path)))
    except FileNotFoundError:
        return UNFITTED
    except (OSError, ValueError) as error:
        raise UserError(
            f"'{path}' is damaged ({error}); copy it again, or remove metrics.json beside it and go on with --resume"
        ) from error
