"""Which labels of a window are reported: the likeliest ones, or those above their thresholds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32

from cohear.errors import UserError
from cohear.evaluation.calibration import Calibration, Threshold

UNFITTED_THRESHOLD = 0.5
"""Of a label of a multi-label classifier that has none of its own."""


class Heard(NamedTuple):
    """What the network makes of one window of a recording."""

    start_s: float
    end_s: float
    probabilities: Float32[np.ndarray, " label"]
    """0 to 1; they add up to 1, or for a multi-label classifier each stands alone."""
    embedding: Float32[np.ndarray, " feature"]
    """The output of the network's last layer but one."""


class Prediction(NamedTuple):
    """What a window of a recording, or an event in it, was taken for."""

    start_s: float
    end_s: float
    label: str
    probability: float
    """0 to 1; of an event: that of its surest window."""


@dataclass(frozen=True)
class Reporting:
    """A label of a window is reported where it is among the likeliest and reaches its threshold."""

    classes: tuple[str, ...]
    top: int
    """Labels per window, >= 1."""
    thresholds: Float[np.ndarray, " label"]
    """From which probability on; 0 reports always, infinity never."""

    def report(self, heard: Heard) -> list[Prediction]:
        """Return what is reported of a window, the likeliest first."""
        return [
            Prediction(heard.start_s, heard.end_s, self.classes[label], float(heard.probabilities[label]))
            for label in self.choose(heard.probabilities)
        ]

    def choose(self, probabilities: Float32[np.ndarray, " label"]) -> list[int]:
        """Return the places of the labels that are reported, the likeliest first."""
        likeliest = np.argsort(-probabilities, kind="stable")[: self.top].tolist()
        return [label for label in likeliest if probabilities[label] >= self.thresholds[label]]


def choose_reporting(
    classes: Sequence[str],
    multi_label: bool,
    calibration: Calibration,
    *,
    background: str | None = None,
    top: int | None = None,
    threshold: float | None = None,
    events: bool = False,
) -> Reporting:
    """Choose what is reported of a classifier's windows.

    Args:
        classes: its labels.
        multi_label: whether several of them may be true at once.
        calibration: its thresholds.
        background: the label that is no event.
        top: labels per window, >= 1; None is one, and of several that may be true all.
        threshold: of every label, 0 to 1, in place of its own.
        events: whether each label needs a threshold.

    Raises:
        UserError: where an argument is out of its range, or events are asked for and there are no thresholds.
    """
    if top is not None and top < 1:
        raise UserError(f"{top} labels per window cannot be listed; give 1 or more")
    if threshold is not None and not 0 <= threshold <= 1:
        raise UserError(f"a threshold of {threshold:g} is no probability; give 0 to 1")
    if events and threshold is None and not calibration.thresholds:
        reason = "no label's answers were right often enough" if calibration.is_fitted else "there were none"
        raise UserError(
            "events need thresholds, which are fitted on the validation clips of a run, and for this classifier "
            f"{reason}; give a threshold for all labels, such as 0.5"
        )
    own: Mapping[str, Threshold] = {}
    if threshold is not None:
        otherwise = threshold
    elif events:
        own, otherwise = calibration.thresholds, np.inf
    elif multi_label and top is None:
        own, otherwise = calibration.thresholds, UNFITTED_THRESHOLD
    else:
        otherwise = 0.0
    thresholds = np.array([own[label].probability if label in own else otherwise for label in classes])
    if events and background in classes:
        thresholds[classes.index(background)] = np.inf
    return Reporting(tuple(classes), top or (len(classes) if multi_label else 1), thresholds)
