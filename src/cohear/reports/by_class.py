"""How good the answers are class by class, as the page of a run shows it: with one label per clip, or with several."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64

from cohear.experiments.predictions import Predictions
from cohear.metrics.accuracy import confusion_matrix
from cohear.metrics.multi_label import average_precision, f1_scores
from cohear.reports import plots
from cohear.reports.pages import picture

_N_CONFUSIONS = 10


def single_label_parts(answers: Predictions) -> dict[str, Any]:
    """Draw the accuracy of each class and the confusions between classes."""
    counts = confusion_matrix(answers.predicted, answers.labels, len(answers.classes))
    return {
        "confusion": picture(
            plots.confusion_picture(counts, answers.classes),
            "Confusion matrix: labels in rows, answers in columns",
        ),
        "confusions": _most_frequent_confusions(counts, answers.classes),
        "class_bars": picture(plots.class_accuracy_bars(counts, answers.classes), "Accuracy within each class"),
    }


def multi_label_rows(answers: Predictions) -> list[dict[str, Any]]:
    """Say for each class how often it was there, answered and rightly answered, and how well it is told from others."""
    truth, answered = answers.labels > 0, answers.predicted > 0
    precisions = average_precision(answers.log_probabilities.astype(np.float64), truth)
    f1 = f1_scores(answered, truth).by_label
    return [
        {
            "label": label,
            "n_clips": int(truth[:, k].sum()),
            "n_answers": int(answered[:, k].sum()),
            "n_right": int((truth & answered)[:, k].sum()),
            "average_precision": _percent(precisions[k]),
            "f1": _percent(f1[k]),
        }
        for k, label in enumerate(answers.classes)
    ]


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else f"{100 * share:.1f}%"


def _most_frequent_confusions(counts: Int64[np.ndarray, "label label"], classes: Sequence[str]) -> list[dict[str, Any]]:
    wrong = counts - np.diag(np.diag(counts))
    rows, columns = np.unravel_index(np.argsort(-wrong, axis=None, kind="stable")[:_N_CONFUSIONS], wrong.shape)
    return [
        {"label": classes[r], "answer": classes[c], "n": int(wrong[r, c]), "of": int(counts[r].sum())}
        for r, c in zip(rows, columns, strict=True)
        if wrong[r, c] > 0
    ]
