"""What `cohear evaluate` shows: the page of one run, several runs beside each other, and everything as JSON.

Several runs of one configuration are averaged as its test is: over seeds within a fold, then over folds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from cohear.evaluation.consistency import PERTURBATIONS
from cohear.evaluation.corruptions import CORRUPTIONS, TRAINED_KINDS
from cohear.evaluation.judgement import Judgement, judge
from cohear.evaluation.robustness import error_rates, mean_corruption_error, relative_corruption_error
from cohear.metrics.accuracy import standard_error
from cohear.reports import evaluation_plots, plots
from cohear.reports.comparison import missing_folds, warning_sentences
from cohear.reports.evaluation_plots import Agreements, Line, Robustness
from cohear.reports.evaluation_tables import (
    BY_LABEL,
    accuracy_sentence,
    by_class,
    judgement_of,
    mean_jsd,
    right_of,
    single_tables,
    task_of,
)
from cohear.reports.experiments import Experiment, cell_of, group_runs
from cohear.reports.pages import picture, write_page
from cohear.reports.paired import Answer, Answers, Pair, compare_pairs, paired_table
from cohear.reports.tables import WARNING, Table, count_text, to_html
from cohear.runs.judging import JudgedRun

SCHEMA = 1
"""Raised when the meaning of a value in the JSON changes."""
_BEFORE, _AFTER = Line("as trained", "#6e6e6e", "--"), Line("after temperature", "#d55e00", "-")
_ONLY = Line("", "#d55e00", "-")


@dataclass(frozen=True)
class OverFolds:
    """A mean with its standard error."""

    mean: float
    error: float | None
    """None where there is one fold."""

    def text(self, digits: int, unit: str = "") -> str:
        """Write both, a share in percent where the unit is `%`."""
        scale = 100 if unit == "%" else 1
        error = "" if self.error is None else f"±{scale * self.error:.{digits}f}"
        return f"{max(0.0, scale * self.mean):.{digits}f}{unit}{error}"


@dataclass(frozen=True, eq=False)
class JudgedExperiment:
    """An experiment and what its runs say of the clips they were judged on."""

    experiment: Experiment
    judged: tuple[JudgedRun, ...]
    """In the order of the experiment's runs."""

    @property
    def label(self) -> str:
        """As in every table."""
        return self.experiment.label

    @cached_property
    def judgements(self) -> tuple[Judgement, ...]:
        """Of each run, as trained."""
        return tuple(map(judgement_of, self.judged))

    @cached_property
    def pooled(self) -> Judgement:
        """All answers of all its runs together: bins of few clips would tell little."""
        logits = np.concatenate([its.logits for its in self.judged])
        truth = np.concatenate([its.clips.truth for its in self.judged])
        return judge(task_of(self.judged[0]), logits, truth)

    @property
    def is_corrupted(self) -> bool:
        """Whether its runs were asked about corrupted clips."""
        return self.judged[0].right_when_corrupted is not None

    @cached_property
    def rates(self) -> dict[int, Float64[np.ndarray, "corruption severity"]]:
        """Error rates of each fold under corruptions, averaged over its seeds."""
        return self._by_fold([error_rates(its.right_when_corrupted) for its in self.judged])  # type: ignore[arg-type]

    def over_folds(self, values: Iterable[float]) -> OverFolds:
        """Average a number of each run over seeds and then folds."""
        return _over_folds([float(value) for value in self._by_fold(list(values)).values()])

    def relative_error(self, baseline: "JudgedExperiment") -> OverFolds | None:
        """Compare errors with a baseline's, corruption by corruption, on the folds that both have.

        Returns:
            None where there is no such fold, or the baseline makes no error under some corruption of one.
        """
        shared = [fold for fold in self.rates if fold in baseline.rates]
        ratios = [relative_corruption_error(self.rates[fold], baseline.rates[fold]) for fold in shared]
        values = [ratio for ratio in ratios if ratio is not None]
        return _over_folds(values) if values and len(values) == len(ratios) else None

    def answers(self, *, corrupted: bool) -> Answers:
        """Return the answers of its runs to clips as they are, or to all their corrupted versions."""
        found = {}
        for run, its in zip(self.experiment.runs, self.judged, strict=True):
            right = its.right_when_corrupted if corrupted else right_of(its)
            assert right is not None
            by_clip = right.reshape(-1, len(its.clips.rows)).T.tolist()
            for path, group, versions in zip(its.clips.paths, its.clips.groups, by_clip, strict=True):
                found[*cell_of(run), path] = Answer(tuple(versions), group or path)
        return found

    def _by_fold(self, values: Sequence[Any]) -> dict[int, Any]:
        runs = self.experiment.runs
        return {
            fold: np.mean([value for run, value in zip(runs, values, strict=True) if run.fold == fold], axis=0)
            for fold in self.experiment.folds
        }


def _over_folds(values: Sequence[float]) -> OverFolds:
    return OverFolds(float(np.mean(values)), standard_error(values))


def judged_experiments(judged: Sequence[JudgedRun]) -> list[JudgedExperiment]:
    """Sort judged runs into experiments, in the order of the paper's Table 1.

    Raises:
        UserError: where two runs are the same.
    """
    judged_of = {its.run.folder: its for its in judged}
    return [
        JudgedExperiment(experiment, tuple(judged_of[run.folder] for run in experiment.runs))
        for experiment in group_runs([its.run for its in judged])
    ]


def baseline_of(experiments: Sequence[JudgedExperiment]) -> JudgedExperiment:
    """Choose what others are compared with: the first without augmentation, else the first."""
    return next((its for its in experiments if its.experiment.method == "none"), experiments[0])


def write_evaluation(judged: JudgedRun, out: Path) -> Path:
    """Write the page of one run.

    Args:
        judged: from `judge_runs`.
        out: the HTML file to write; its folder exists.

    Raises:
        UserError: where the page cannot be written.
    """
    before, task, logits = judgement_of(judged), task_of(judged), judged.logits
    diagram = [(_BEFORE, before.bins)]
    if judged.run.calibration.is_fitted:
        diagram.append((_AFTER, judgement_of(judged, judged.run.calibration.temperature).bins))
    corruptions = None
    if judged.right_when_corrupted is not None:
        rates = error_rates(judged.right_when_corrupted)
        corruptions = _corruption_picture([Robustness(_ONLY, before.accuracy, 1 - rates)])
    return write_page(
        out,
        "evaluation.html",
        title=judged.run.title,
        judged=judged,
        judgement=before,
        accuracy=accuracy_sentence(judged),
        tables={table.title: to_html(table) for table in single_tables(judged) if table.title != BY_LABEL},
        reliability=picture(evaluation_plots.reliability_diagram(diagram), "Shares of right answers by probability"),
        by_class=by_class(task, judged.run.record.classes, logits, judged.clips.truth, task.decide(logits)),
        agreement=_agreement_picture([_agreements(_ONLY, [judged])]),
        corruptions=corruptions,
    )


def comparison_tables(experiments: Sequence[JudgedExperiment]) -> list[Table]:
    """Return the tables of several runs, in the order in which they are read."""
    paired = [paired_table(pairs, f"Paired tests, {kind} clips") for kind, pairs in _tested_pairs(experiments).items()]
    by_corruption = [_corruptions_table(experiments)] if experiments[0].is_corrupted else []
    found = [_robustness_table(experiments), *paired, *by_corruption, _belief_table(experiments)]
    return [table for table in found if table is not None]


def write_robustness(experiments: Sequence[JudgedExperiment], out: Path) -> list[Table]:
    """Write the page of several runs.

    Args:
        experiments: at least one, judged on clips of one data set.
        out: the HTML file to write; its folder exists.

    Returns:
        The tables of the page.

    Raises:
        UserError: where the page cannot be written.
    """
    styles = plots.experiment_styles([its.experiment for its in experiments])
    lines = [Line(its.label, color, dashes) for its, (color, dashes) in zip(experiments, styles, strict=True)]
    pairs, tables = list(zip(lines, experiments, strict=True)), comparison_tables(experiments)
    corruptions = None
    if experiments[0].is_corrupted:
        corruptions = _corruption_picture([_robustness(line, its) for line, its in pairs])
    write_page(
        out,
        "robustness.html",
        title=" and ".join(sorted({judged.clips.dataset for its in experiments for judged in its.judged})),
        tables=[(table.title, to_html(table)) for table in tables],
        corruptions=corruptions,
        reliability=picture(
            evaluation_plots.reliability_diagram([(line, its.pooled.bins) for line, its in pairs]),
            "Shares of right answers by probability, one line for each model",
        ),
        agreement=_agreement_picture([_agreements(line, its.judged) for line, its in pairs]),
        runs=[run for its in experiments for run in zip(its.experiment.runs, its.judged, its.judgements, strict=True)],
    )
    return tables


def evaluation_values(judged: Sequence[JudgedRun]) -> dict[str, Any]:
    """Return all that was judged as plain values: shares from 0 to 1, divergences and likelihoods in nats."""
    return {"schema": SCHEMA, "runs": [_run_values(its) for its in judged]}


def _tested_pairs(experiments: Sequence[JudgedExperiment]) -> dict[str, list[Pair]]:
    """Test each step of the method for each transform: on clean clips, and on corrupted ones where there are any."""
    judged_of = {its.experiment: its for its in experiments}
    tested = {"clean": compare_pairs(list(judged_of), lambda its: judged_of[its].answers(corrupted=False))}
    if experiments[0].is_corrupted:
        tested["corrupted"] = compare_pairs(list(judged_of), lambda its: judged_of[its].answers(corrupted=True))
    return tested


def _robustness_table(experiments: Sequence[JudgedExperiment]) -> Table:
    """Error rates, clean and, where they were asked for, corrupted."""
    baseline, corrupted = baseline_of(experiments), experiments[0].is_corrupted
    header, rows = ["Model", "Clean error"], []
    if corrupted:
        header += ["Corrupted error", "Relative"]
    for its in experiments:
        cells = [its.over_folds(1 - made.accuracy for made in its.judgements)]
        if corrupted:
            cells.append(its.over_folds(map(_corruption_error, its.judged)))
        row = [its.label, *(cell.text(1, "%") for cell in cells)]
        if corrupted:
            relative = its.relative_error(baseline) if its is not baseline else OverFolds(1.0, None)
            row.append("-" if relative is None else relative.text(3))
        rows.append((*row, str(len(its.judged))))
    title = "Robustness" if corrupted else "Errors"
    return Table(title, (*header, "Runs"), tuple(rows), tuple(_robustness_notes(experiments)))


def _robustness_notes(experiments: Sequence[JudgedExperiment]) -> Iterable[str]:
    folds = count_text((len(its.experiment.folds) for its in experiments), "fold")
    seeds = count_text((len(its.experiment.seeds) for its in experiments), "seed")
    yield f"Errors: mean ± standard error over {folds}, each fold averaged over {seeds}."
    if experiments[0].is_corrupted:
        yield (
            f"Corrupted error: mean over {len(CORRUPTIONS)} corruptions in 5 severities. Relative: errors under each "
            f"corruption over those of {baseline_of(experiments).label}, mean over corruptions (Hendrycks and "
            "Dietterich 2019)."
        )
    yield from (WARNING + sentence for sentence in missing_folds([its.experiment for its in experiments]))
    heard = {frozenset(path for judged in its.judged for path in judged.clips.paths) for its in experiments}
    if len(heard) > 1:
        sizes = ", ".join(f"{its.label} on {sum(len(j.clips.rows) for j in its.judged)}" for its in experiments)
        yield f"{WARNING}the models were judged on different clips ({sizes}): their errors do not compare."
    warnings = {warning for its in experiments for judged in its.judged for warning in judged.clips.warnings}
    yield from warning_sentences(sorted(warnings))


def _belief_table(experiments: Sequence[JudgedExperiment]) -> Table:
    """Probabilities and consistency, as trained, without temperatures."""
    rows = [
        (
            its.label,
            its.over_folds(made.nll for made in its.judgements).text(2),
            its.over_folds(made.brier for made in its.judgements).text(3),
            f"{its.pooled.ece:.1%} ({its.pooled.ece_by_chance:.1%})",
            its.over_folds(mean_jsd(judged.jsd) for judged in its.judged).text(4),
            its.over_folds(map(_flips, its.judged)).text(1, "%"),
        )
        for its in experiments
    ]
    notes = (
        "Of clean clips, as trained, without temperatures. NLL: negative log-likelihood, nats. ECE: calibration error "
        "of all runs' answers together, in brackets what so many would give on average, were every probability true.",
        "JSD: nats, over a clip and two views of `combination`. Flips: answers that change with the clip, mean over "
        f"{len(PERTURBATIONS)} changes of pitch, room and masks.",
    )
    return Table("Probabilities and consistency", ("Model", "NLL", "Brier", "ECE", "JSD", "Flips"), tuple(rows), notes)


def _corruptions_table(experiments: Sequence[JudgedExperiment]) -> Table:
    """Error rates by corruption."""
    rates = np.array([100 * np.mean(list(its.rates.values()), axis=0).mean(axis=1) for its in experiments])
    is_new = np.array([corruption.name not in TRAINED_KINDS for corruption in CORRUPTIONS])
    lines = [(corruption.name, rates[:, place]) for place, corruption in enumerate(CORRUPTIONS)]
    lines += [("all", rates.mean(axis=1)), (f"all but {' and '.join(TRAINED_KINDS)}", rates[:, is_new].mean(axis=1))]
    rows = tuple((name, *(f"{rate:.1f}" for rate in its)) for name, its in lines)
    note = "Percent, mean over folds and severities. The views of `combination` are of rooms and pitch."
    return Table("Error by corruption", ("Corruption", *(its.label for its in experiments)), rows, (note,))


def _flips(judged: JudgedRun) -> float:
    return float(np.mean([agreement.flipped.mean() for agreement in judged.agreements]))


def _corruption_error(judged: JudgedRun) -> float:
    assert judged.right_when_corrupted is not None
    return mean_corruption_error(judged.right_when_corrupted)


def _corruption_picture(models: Sequence[Robustness]) -> Any:
    return picture(evaluation_plots.corruption_panels(models), "Accuracy by corruption and severity, a line each model")


def _agreement_picture(models: Sequence[Agreements]) -> Any:
    drawn = evaluation_plots.agreement_panels(models)
    return picture(drawn, "Divergence and flips by strength of pitch shifts, rooms and masks, a line each model")


def _robustness(line: Line, its: JudgedExperiment) -> Robustness:
    rates = np.stack(list(its.rates.values()))
    errors = np.apply_along_axis(standard_error, 0, rates) if len(rates) > 1 else None
    clean = its.over_folds(made.accuracy for made in its.judgements).mean
    return Robustness(line, clean, 1 - rates.mean(axis=0), errors)


def _agreements(line: Line, runs: Sequence[JudgedRun]) -> Agreements:
    jsd = np.mean([[mean_jsd(its.jsd) for its in run.agreements] for run in runs], axis=0)
    flipped = np.mean([[its.flipped.mean() for its in run.agreements] for run in runs], axis=0)
    return Agreements(line, jsd, flipped)


def _run_values(judged: JudgedRun) -> dict[str, Any]:
    record, clips, calibration = judged.run.record, judged.clips, judged.run.calibration
    right, corrupted = right_of(judged).tolist(), judged.right_when_corrupted
    values: dict[str, Any] = {
        "folder": str(judged.run.folder),
        "model": record.model,
        "fold": judged.run.fold,
        "seed": judged.run.config.seed,
        "trained_on": record.dataset,
        "judged_on": clips.dataset,
        "clips": clips.description,
        "notes": list(clips.notes),
        "warnings": list(clips.warnings),
        "calibration": calibration.to_json(),
        "as_trained": _judgement_values(judgement_of(judged)),
        "after_temperature": _judgement_values(judgement_of(judged, calibration.temperature)),
        "jsd": mean_jsd(judged.jsd),
        "agreement": [
            {
                "transform": its.perturbation.kind,
                "strength": its.perturbation.strength,
                "jsd": mean_jsd(its.jsd),
                "flip_rate": float(its.flipped.mean()),
            }
            for its in judged.agreements
        ],
        "answers": [
            {"path": path, "group": group, "right": one}
            for path, group, one in zip(clips.paths, clips.groups, right, strict=True)
        ],
    }
    if corrupted is not None:
        values["mean_corruption_error"] = mean_corruption_error(corrupted)
        values["corruptions"] = [
            {"name": its.name, "unit": its.unit, "levels": list(its.levels), "error_rates": rates.tolist()}
            for its, rates in zip(CORRUPTIONS, error_rates(corrupted), strict=True)
        ]
        for row, share in zip(values["answers"], corrupted.mean(axis=(0, 1)).tolist(), strict=True):
            row["right_when_corrupted"] = share
    return values


def _judgement_values(made: Judgement) -> dict[str, Any]:
    return {"accuracy": made.accuracy, **asdict(made)}
