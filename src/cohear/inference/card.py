"""A finished run as one file with a model card: what it hears, how it was trained, how good it is and where it ends.

The card is Markdown. It states what the run's folder holds and nothing else: what was not measured is not claimed.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2

from cohear.data.wording import no_markdown, sentence_markdown
from cohear.errors import UserError
from cohear.evaluation.measure import N_VIEWS
from cohear.judging.verdict import Verdict, answered_in, verdict_on
from cohear.metrics.calibration import calibration_error_by_chance, expected_calibration_error
from cohear.metrics.tasks import TASKS
from cohear.models.onnx_files import open_file
from cohear.objectives import largest_divergence
from cohear.runs.description import Description, Provenance
from cohear.runs.identity import ONE_READ
from cohear.runs.predictions import PREDICTIONS, Predictions, read_predictions
from cohear.runs.run import Run, damaged
from cohear.runs.trained_model import TrainedModel, read_run

_TRAINED = {
    "none": "as they are",
    "standard": "as they are, and copies of them {}",
    "one": "as they are or {}, once an epoch",
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


def pack_run(folder: Path, notes: str = "", *, with_encoder: bool = True) -> TrainedModel:
    """Gather what is needed to use a finished run, and what is known of it.

    Args:
        folder: of the run; the answers to its test clips count where they are there.
        notes: Markdown of the owner on license and data, for the card.
        with_encoder: whether an encoder goes inside; else it must lie beside the packed file.

    Raises:
        UserError: where there is no finished run, a file of it is damaged, or its network cannot be used.
    """
    run = Run(folder)
    model = read_run(run)
    about = model.description.without_places()
    predictions = read_predictions(folder) if (folder / PREDICTIONS).exists() else None
    n_clips = about.provenance.n_test_clips if about.provenance else 0
    if predictions and (predictions.classes, len(predictions.paths)) != (about.classes, n_clips):
        raise damaged(folder / PREDICTIONS, "it is of another run")
    n_parameters = sum(parameter.numel() for parameter in model.build().parameters())
    found = verdict_on(run) if n_clips and predictions else None
    card = model_card(about, n_parameters, predictions, notes, found)
    file, encoder = model.description.encoder.file, None
    if file is not None:
        opened = open_file(Path(file))
        if with_encoder and not opened.is_whole:
            raise UserError(f"the weights of '{file}' lie in a file of their own; pack with --encoder beside")
        _ = model.front_end()  # it is the one that the run was trained with
        encoder = Path(file).read_bytes() if with_encoder else None
    return replace(model, description=about, card=card, encoder=encoder)


def model_card(
    model: Description,
    n_parameters: int,
    predictions: Predictions | None,
    notes: str = "",
    verdict: Verdict | None = None,
) -> str:
    """Write the card of a packed model.

    Args:
        model: what the packed file says of itself.
        n_parameters: of the network.
        predictions: the answers to the test clips; None where they are not kept.
        notes: Markdown of the owner on license and data.
        verdict: on the answers to the test clips.
    """
    about = model.provenance
    assert about is not None, "what was never trained has no card"
    task = TASKS[model.task]
    return _TEMPLATES.get_template("model_card.md").render(
        model=model,
        about=about,
        calibration=model.calibration,
        is_several=task.gives_several,
        largest_jsd=largest_divergence(N_VIEWS, task.n_outcomes(len(model.classes))),
        labels=", ".join(map(_name, model.classes)),
        trained=_TRAINED["one" if about.model.endswith(ONE_READ) else about.method].format(
            _CHANGED.get(about.transform, f"changed by {about.transform}")
        ),
        epochs=_epochs(about),
        n_parameters=f"{n_parameters:,}".replace(",", " "),
        tested=None if predictions is None or not len(predictions.paths) else _tested(model, predictions),
        n_wrong=None if about.accuracy is None else about.n_test_clips - round(about.accuracy * about.n_test_clips),
        notes=notes.strip(),
        verdict=verdict,
    )


def _epochs(about: Provenance) -> str:
    if about.kept_epoch is None or about.kept_epoch == about.epochs:
        return f"{about.epochs} epochs"
    return f"{about.kept_epoch} of {about.epochs} epochs, after which the validation loss was lowest"


def _tested(model: Description, predictions: Predictions) -> dict[str, Any]:
    """Return what the answers to the test clips say: of all, and of each label.

    The share of the commonest label is None for several labels per clip, the mean average precision for one.
    """
    said = answered_in([predictions])
    task, truth, answers = said.task, said.truth, said.task.answers(said.decisions, len(model.classes))
    sure = task.probabilities(said.logits, model.calibration.temperature)[answers]
    n_clips, n_answers, n_right = (its.tolist() for its in said.label_counts)
    rows = [
        {
            "label": label,
            "n_clips": n_clips[k],
            "n_answers": n_answers[k],
            "found": n_right[k] / n_clips[k] if n_clips[k] else None,
            "right": n_right[k] / n_answers[k] if n_answers[k] else None,
            "threshold": model.calibration.thresholds.get(label),
        }
        for k, label in enumerate(model.classes)
    ]
    return {
        "rows": rows,
        "commonest": max(n_clips) / len(truth) if not task.gives_several else None,
        "mean_average_precision": task.scores(said.logits, truth).get("mean_average_precision"),
        "calibration_error": expected_calibration_error(sure, truth[answers]),
        "error_by_chance": calibration_error_by_chance(sure),
    }


def _name(text: str) -> str:
    """Write a label or another short name as code, on one line."""
    line = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line else f"`{line}`"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f}%"


_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("cohear.inference"),
    autoescape=False,  # it is no HTML
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.filters |= {
    "name": _name,
    "text": no_markdown,
    "sentence": sentence_markdown,
    "percent": "{:.1%}".format,
    "share": _share,
}
