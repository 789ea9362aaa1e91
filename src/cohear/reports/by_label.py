"""Label by label: how many of its clips were found, how many of its answers were right, and what it is taken for."""

import numpy as np
from markupsafe import Markup

from cohear.judging.verdict import Answered
from cohear.reports import plots
from cohear.reports.pages import Table, picture


def class_table(answers: Answered, title: str = "By label") -> Table:
    """Build the table of labels; a task has scores of its own, or else each label is mistaken for another."""
    task, classes, truth, answered = answers.task, answers.classes, answers.truth, answers.answered
    n_clips, n_answers, n_right = answers.label_counts
    columns = {
        "Clips" if answers.n_clips == len(truth) else "Answers": [str(n) for n in n_clips],
        "Found": [share(*its) for its in zip(n_right, n_clips, strict=True)],
        "Right": [share(*its) for its in zip(n_right, n_answers, strict=True)],
    }
    note = "Found: clips with the label that were given it (recall). Right: clips that were given it and have it "
    for name, values in task.label_scores(answers.logits, answers.decisions, truth).items():
        columns[task.label_titles[name]] = ["-" if np.isnan(value) else f"{value:.3f}" for value in values]
    if task.gives_several:
        note += "(precision). Both, and F1, at a probability of one half; average precision over all thresholds."
    else:
        note += "(precision). Taken for: the answer to most of the others."
        mistakes = truth.astype(np.int64).T @ (answered & ~truth)
        worst = mistakes.argmax(axis=1)
        columns["Taken for"] = [
            f"{classes[w]} ({its[w]})" if its[w] else "-" for w, its in zip(worst, mistakes, strict=True)
        ]
    return Table(title, ("Label", *columns), tuple(zip(classes, *columns.values(), strict=True)), (note,))


def confusions(answers: Answered) -> Markup | None:
    """Draw which label was mistaken for which, for a page; None for several labels per clip, which are not."""
    if answers.task.gives_several:
        return None
    counts = answers.truth.astype(np.int64).T @ answers.answered
    drawn = picture(plots.confusion_picture(counts, answers.classes), "Confusions: labels in rows, answers in columns")
    frame = "figure" if len(answers.classes) <= plots.MOST_LARGE_CLASSES else "scroll whole"
    return Markup('<div class="{}">{}</div>').format(frame, drawn)


def share(n: int | np.integer, of: int | np.integer) -> str:
    """Write a share in percent; `-` of nothing."""
    return f"{n / of:.0%}" if of else "-"
