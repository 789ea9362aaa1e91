"""The pages of `cohear evaluate`: one run judged on some clips, or several beside each other."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cohear.evaluation.robustness import error_rates
from cohear.experiments.judged_runs import JudgedRun
from cohear.metrics.accuracy import confusion_matrix, standard_error
from cohear.reports import evaluation_plots, plots
from cohear.reports.evaluation_plots import Agreements, Line, Robustness
from cohear.reports.evaluation_tables import accuracy_sentence, judgement_of, single_tables, warning_lines
from cohear.reports.judged_experiments import JudgedExperiment
from cohear.reports.judged_pairs import paired_tables
from cohear.reports.pages import picture, write_page
from cohear.reports.robustness_tables import (
    agreements_table,
    belief_table,
    corruptions_table,
    robustness_table,
)
from cohear.reports.tables import Table, to_html

_BEFORE, _AFTER = Line("as trained", "#6e6e6e", "--"), Line("after temperature", "#d55e00", "-")
_ONLY = Line("", "#d55e00", "-")


def run_title(judged: JudgedRun) -> str:
    """Name a run in a few words."""
    config = judged.record.config
    return f"{judged.record.model} on {judged.record.dataset}, fold {config.fold}, seed {config.seed}"


def write_evaluation(judged: JudgedRun, out: Path) -> Path:
    """Write the page of one run.

    Args:
        judged: from `judge_runs`.
        out: the HTML file to write; its folder exists.

    Raises:
        UserError: where the page cannot be written.
    """
    multi_label, classes = judged.record.multi_label, judged.record.classes
    before = judgement_of(judged)
    diagram = [(_BEFORE, before.bins)]
    if judged.calibration.is_fitted:
        diagram.append((_AFTER, judgement_of(judged, judged.calibration.temperature).bins))
    confusion = bars = None
    if not multi_label:
        labels = judged.clips.truth.argmax(axis=1)
        counts = confusion_matrix(judged.logits.argmax(axis=1), labels, len(classes))
        confusion = picture(plots.confusion_picture(counts, classes), "Confusions: labels in rows, answers in columns")
        bars = picture(plots.class_accuracy_bars(counts, classes), "Accuracy within each class")
    corruptions = None
    if judged.right_when_corrupted is not None:
        model = Robustness(_ONLY, before.accuracy, 1 - error_rates(judged.right_when_corrupted), corrupted_errors=None)
        corruptions = picture(evaluation_plots.corruption_panels([model]), "Accuracy by corruption and severity")
    return write_page(
        out,
        "evaluation.html",
        title=run_title(judged),
        judged=judged,
        judgement=before,
        accuracy=accuracy_sentence(judged),
        warnings=warning_lines(judged),
        tables={table.title: to_html(table) for table in single_tables(judged)},
        reliability=picture(evaluation_plots.reliability_diagram(diagram), "Shares of right answers by probability"),
        confusion=confusion,
        class_bars=bars,
        agreement=picture(
            evaluation_plots.agreement_panels([_agreements(_ONLY, [judged])]),
            "Divergence and flips by strength of pitch shifts, rooms and masks",
        ),
        corruptions=corruptions,
    )


def comparison_tables(experiments: Sequence[JudgedExperiment]) -> list[Table]:
    """Return the tables of several runs, in the order in which they are read."""
    by_corruption = [corruptions_table(experiments)] if experiments[0].is_corrupted else []
    return [robustness_table(experiments), *paired_tables(experiments), *by_corruption, belief_table(experiments)]


def write_robustness(experiments: Sequence[JudgedExperiment], out: Path) -> Path:
    """Write the page of several runs.

    Args:
        experiments: at least one, judged on clips of one data set.
        out: the HTML file to write; its folder exists.

    Raises:
        UserError: where the page cannot be written.
    """
    styles = plots.experiment_styles([its.experiment for its in experiments])
    lines = [Line(its.label, color, dashes) for its, (color, dashes) in zip(experiments, styles, strict=True)]
    pairs = list(zip(lines, experiments, strict=True))
    corruptions = None
    if experiments[0].is_corrupted:
        panels = evaluation_plots.corruption_panels([_robustness(line, its) for line, its in pairs])
        corruptions = picture(panels, "Accuracy by corruption and severity, one line for each model")
    agreement = [_agreements(line, its.judged) for line, its in pairs]
    return write_page(
        out,
        "robustness.html",
        title=" and ".join(sorted({judged.clips.dataset for its in experiments for judged in its.judged})),
        tables=[(table.title, to_html(table)) for table in comparison_tables(experiments)],
        corruptions=corruptions,
        reliability=picture(
            evaluation_plots.reliability_diagram([(line, its.pooled.bins) for line, its in pairs]),
            "Shares of right answers by probability, one line for each model",
        ),
        agreement=picture(
            evaluation_plots.agreement_panels(agreement),
            "Divergence and flips by strength of pitch shifts, rooms and masks, one line for each model",
        ),
        agreements=to_html(agreements_table(experiments)),
        runs=[
            (run, judged, judgement_of(judged))
            for its in experiments
            for run, judged in zip(its.experiment.runs, its.judged, strict=True)
        ],
    )


def _robustness(line: Line, its: JudgedExperiment) -> Robustness:
    rates = np.stack(list(its.rates_by_fold().values()))
    errors = np.apply_along_axis(standard_error, 0, rates) if len(rates) > 1 else None
    clean = its.over_folds(lambda judged: judgement_of(judged).accuracy).mean
    return Robustness(line, clean, 1 - rates.mean(axis=0), errors)


def _agreements(line: Line, runs: Sequence[JudgedRun]) -> Agreements:
    jsd = np.mean([[its.jsd.mean(dtype=np.float64) for its in run.agreements] for run in runs], axis=0)
    flipped = np.mean([[its.flipped.mean() for its in run.agreements] for run in runs], axis=0)
    return Agreements(line, jsd, flipped)
