"""Which labels of a window are reported, the likeliest ones or those above their thresholds; and windows as events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32

from cohear.errors import UserError
from cohear.metrics.tasks import TASKS
from cohear.metrics.thresholds import DEFAULT_THRESHOLD, Threshold
from cohear.runs.description import Description


class Heard(NamedTuple):
    """What the network makes of one window of a recording."""

    start_s: float
    end_s: float
    probabilities: Float32[np.ndarray, " label"]
    """0 to 1; they add up to 1, or for a multi-label classifier each stands alone."""
    embedding: Float32[np.ndarray, " feature"]
    """The output of the network's last layer but one."""
    is_blank: bool = False
    """Whether all samples are equal, as where a recorder dropped out."""


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
    events: bool = False
    """Whether events are wanted: there is none in a blank window."""

    def report(self, heard: Heard) -> list[Prediction]:
        """Return what is reported of a window, the likeliest first."""
        if self.events and heard.is_blank:
            return []
        return [
            Prediction(heard.start_s, heard.end_s, self.classes[label], float(heard.probabilities[label]))
            for label in self.choose(heard.probabilities)
        ]

    def choose(self, probabilities: Float32[np.ndarray, " label"]) -> list[int]:
        """Return the places of the labels that are reported, the likeliest first."""
        likeliest = np.argsort(-probabilities, kind="stable")[: self.top].tolist()
        return [label for label in likeliest if probabilities[label] >= self.thresholds[label]]


def choose_reporting(
    about: Description,
    *,
    top: int | None = None,
    threshold: float | None = None,
    events: bool = False,
) -> Reporting:
    """Choose what is reported of a classifier's windows.

    Args:
        about: its labels and thresholds; its background is no event.
        top: labels per window, >= 1; None is one, and of several that may be true all.
        threshold: of every label, 0 to 1, in place of its own.
        events: whether each label needs a threshold; where there were no validation clips it is one half.

    Raises:
        UserError: where an argument is out of its range.
    """
    if top is not None and top < 1:
        raise UserError(f"{top} labels per window cannot be listed; give 1 or more")
    if threshold is not None and not 0 <= threshold <= 1:
        raise UserError(f"a threshold of {threshold:g} is no probability; give 0 to 1")
    classes, calibration, task = about.classes, about.calibration, TASKS[about.task]
    own: Mapping[str, Threshold] = {}
    if threshold is not None:
        otherwise = threshold
    elif events:
        own, otherwise = calibration.thresholds, np.inf if calibration.is_fitted else DEFAULT_THRESHOLD
    elif top is None and task.least_probability:
        own, otherwise = calibration.thresholds, task.least_probability
    else:
        otherwise = 0.0
    thresholds = np.array([own[label].probability if label in own else otherwise for label in classes])
    if events and about.background in classes:
        thresholds[classes.index(about.background)] = np.inf
    return Reporting(classes, top or task.most_labels(len(classes)), thresholds, events)


def join_windows(windows: Iterable[Prediction]) -> list[Prediction]:
    """Join the reported windows of one recording to events, in the order of their beginning.

    An event is a stretch of time that windows reported under one label cover without a gap: it begins with the first of
    them and ends with the last. Windows that overlap or touch are joined, also where one between them was not reported,
    and each keeps its own probability, so that a threshold fitted on single windows means the same here. Averaging what
    overlaps would place short sounds better, and make their probabilities lower than those the thresholds were fitted
    on.

    Args:
        windows: in the order of time; several may have the same times and different labels.

    Returns:
        Events of one label never touch; their probability is the highest of their windows.

    Example:
        >>> heard = [Prediction(0, 2, "frog", 0.8), Prediction(1, 3, "frog", 0.9), Prediction(5, 7, "frog", 0.7)]
        >>> [tuple(event) for event in join_windows(heard)]
        [(0, 3, 'frog', 0.9), (5, 7, 'frog', 0.7)]
    """
    events: list[Prediction] = []
    open_events: dict[str, Prediction] = {}
    for window in windows:
        event = open_events.get(window.label)
        if event is not None and window.start_s <= event.end_s:
            surest = max(event.probability, window.probability)
            open_events[window.label] = window._replace(start_s=event.start_s, probability=surest)
            continue
        if event is not None:
            events.append(event)
        open_events[window.label] = window
    return sorted([*events, *open_events.values()])
