"""A finished run as one file with a model card: what it hears, how it was trained, how good it is and where it ends.

The card is Markdown. It states what the run's folder holds and nothing else: what was not measured is not claimed.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import jinja2

from cohear.metrics.calibration import calibration_error_by_chance, expected_calibration_error
from cohear.metrics.tasks import TASKS
from cohear.runs.description import Description, Provenance
from cohear.runs.predictions import PREDICTIONS, Predictions, damaged, read_predictions
from cohear.runs.run import Run
from cohear.runs.trained_model import TrainedModel, read_run

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


def pack_run(folder: Path, notes: str = "") -> TrainedModel:
    """Gather what is needed to use a finished run, and what is known of it.

    Args:
        folder: of the run; the answers to its test clips count where they are there.
        notes: Markdown of the owner on license and data, for the card.

    Raises:
        UserError: where there is no finished run, a file of it is damaged, or its network cannot be used.
    """
    model = read_run(Run(folder))
    about = model.description
    predictions = read_predictions(folder) if (folder / PREDICTIONS).exists() else None
    n_clips = about.provenance.n_test_clips if about.provenance else 0
    if predictions and (predictions.classes, len(predictions.paths)) != (about.classes, n_clips):
        raise damaged(folder / PREDICTIONS, "it is of another run")
    n_parameters = sum(parameter.numel() for parameter in model.build().parameters())
    return replace(model, card=model_card(about, n_parameters, predictions, notes))


def model_card(model: Description, n_parameters: int, predictions: Predictions | None, notes: str = "") -> str:
    """Write the card of a packed model.

    Args:
        model: what the packed file says of itself.
        n_parameters: of the network.
        predictions: the answers to the test clips; None where they are not kept.
        notes: Markdown of the owner on license and data.
    """
    about = model.provenance
    assert about is not None, "what was never trained has no card"
    return _TEMPLATES.get_template("model_card.md").render(
        model=model,
        about=about,
        calibration=model.calibration,
        is_several=TASKS[model.task].most_labels(len(model.classes)) > 1,
        labels=", ".join(map(_name, model.classes)),
        trained=_TRAINED[about.method].format(_CHANGED.get(about.transform, f"changed by {about.transform}")),
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
    n_classes, task = len(model.classes), predictions.task
    truth, answered = (task.truth(part, n_classes) for part in (predictions.labels, predictions.predicted))
    logits = task.logits(predictions.log_probabilities)
    shown, answers = (
        task.probabilities(logits, model.calibration.temperature),
        task.answers(predictions.predicted, n_classes),
    )
    sure, right = shown[answers], truth[answers]
    is_of_one = task.most_labels(n_classes) == 1
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
        commonest=max(row.n_clips for row in rows) / len(truth) if is_of_one else None,
        mean_average_precision=task.scores(logits, truth).get("mean_average_precision"),
        mean_probability=float(sure.mean()) if is_of_one else None,
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
