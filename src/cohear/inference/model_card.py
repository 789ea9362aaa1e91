"""The model card: what a packed model hears, how it was trained, how good it is and where it ends, in Markdown.

It states what the run's folder holds and nothing else: what was not measured is not claimed.
"""

import re
from dataclasses import dataclass

import jinja2
import numpy as np

from cohear.evaluation.calibration import probabilities, truth_table
from cohear.experiments.packed_description import Description, Provenance
from cohear.experiments.predictions import Predictions
from cohear.metrics.calibration import calibration_error_by_chance, expected_calibration_error
from cohear.metrics.multi_label import bernoulli_logits, mean_average_precision

_TRAINED = {
    "none": "as they are",
    "standard": "as they are, and copies of them {}",
    "bda": "each together with views of it {}",
    "consistency": "each together with views of it {}, to give all of them the same answer",
}
_CHANGED = {
    "none": "",
    "pitch": "shifted in pitch",
    "reverb": "heard in rooms",
    "masking": "with masked bands and times",
    "combination": "shifted in pitch or heard in rooms",
}


@dataclass(frozen=True)
class _Row:
    """How one label fared on the test clips."""

    label: str
    n_clips: int
    n_answers: int
    n_right: int
    threshold: float | None

    @property
    def found(self) -> float | None:
        """Share of its clips that were answered with it; None where it has none."""
        return self.n_right / self.n_clips if self.n_clips else None

    @property
    def right(self) -> float | None:
        """Share of its answers that were true; None where there are none."""
        return self.n_right / self.n_answers if self.n_answers else None


@dataclass(frozen=True)
class _Tested:
    """What the answers to the test clips say."""

    rows: tuple[_Row, ...]
    commonest: float | None
    """Share of the commonest label; None for several labels per clip, as the mean probability of the answers."""
    mean_probability: float | None
    mean_average_precision: float | None
    """Of several labels per clip."""
    calibration_error: float
    error_by_chance: float


def model_card(model: Description, n_parameters: int, predictions: Predictions | None, notes: str = "") -> str:
    """Write the card of a packed model.

    Args:
        model: what the packed file says of itself.
        n_parameters: of the network.
        predictions: the answers to the test clips; None where they are not kept.
        notes: Markdown of the owner on license and data.
    """
    about = model.provenance
    return _TEMPLATES.get_template("model_card.md").render(
        model=model,
        about=about,
        calibration=model.calibration,
        labels=", ".join(map(_name, model.classes)),
        trained=_TRAINED[about.method].format(_CHANGED[about.transform]),
        epochs=_epochs(about),
        n_parameters=f"{n_parameters:,}".replace(",", " "),
        tested=None if predictions is None or not len(predictions.paths) else _tested(model, predictions),
        n_wrong=None if about.accuracy is None else about.n_test_clips - round(about.accuracy * about.n_test_clips),
        notes=notes.strip(),
    )


def _epochs(about: Provenance) -> str:
    if about.kept_epoch is None or about.kept_epoch == about.epochs - 1:
        return f"{about.epochs} epochs"
    return f"{about.kept_epoch + 1} of {about.epochs} epochs, after which the validation loss was lowest"


def _tested(model: Description, predictions: Predictions) -> _Tested:
    n_classes, is_multi_label = len(model.classes), predictions.is_multi_label
    truth, answered = (truth_table(part, n_classes) for part in (predictions.labels, predictions.predicted))
    logits = predictions.log_probabilities.astype(np.float64)
    if is_multi_label:
        logits = bernoulli_logits(logits)
    shown = probabilities(logits, model.calibration.temperature, multi_label=is_multi_label)
    sure, right = (shown.ravel(), truth.ravel()) if is_multi_label else (shown.max(1), predictions.correct)
    thresholds = model.calibration.thresholds
    rows = tuple(
        _Row(
            label,
            n_clips=int(truth[:, k].sum()),
            n_answers=int(answered[:, k].sum()),
            n_right=int((truth & answered)[:, k].sum()),
            threshold=thresholds[label].probability if label in thresholds else None,
        )
        for k, label in enumerate(model.classes)
    )
    return _Tested(
        rows,
        commonest=None if is_multi_label else max(row.n_clips for row in rows) / len(truth),
        mean_average_precision=mean_average_precision(shown, truth) if is_multi_label and truth.any() else None,
        mean_probability=None if is_multi_label else float(sure.mean()),
        calibration_error=expected_calibration_error(sure, right),
        error_by_chance=calibration_error_by_chance(sure),
    )


def _name(text: str) -> str:
    """Write a label or another short name as code, on one line."""
    line = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line else f"`{line}`"


def _cell(text: str) -> str:
    return _name(text).replace("|", "\\|")


def _text(text: str) -> str:
    """Write text so that nothing in it is Markdown."""
    return re.sub(r"([\\`*_\[\]<>#|~&])", r"\\\1", " ".join(text.split()))


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f}%"


def _threshold(probability: float | None) -> str:
    return "-" if probability is None else f"{probability:.3f}"


_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("cohear.inference"),
    autoescape=False,  # it is no HTML
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.filters |= {"name": _name, "cell": _cell, "text": _text}
_TEMPLATES.filters |= {"percent": _percent, "share": _share, "threshold": _threshold}
