"""What `cohear evaluate` shows of several runs beside each other.

Several runs of one configuration are averaged as its test is: over seeds within a fold, then over folds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from cohear.evaluation.consistency import PERTURBATIONS
from cohear.evaluation.corruptions import CORRUPTIONS, TRAINED_KINDS
from cohear.evaluation.judgement import Judgement, judge
from cohear.evaluation.robustness import error_rates, relative_corruption_error
from cohear.judging.judged_runs import JudgedRun
from cohear.judging.verdict import Answered, Verdict, join_answers, verdict
from cohear.metrics.accuracy import standard_error
from cohear.reports import plots
from cohear.reports.by_label import class_table
from cohear.reports.comparison import labels_of, missing_folds, named, spread_text
from cohear.reports.evaluation_report import (
    agreement_picture,
    corruption_picture,
    judgement_of,
    mean_agreements,
    mean_jsd,
    right_of,
)
from cohear.reports.experiments import Experiment, cell_of, group_runs
from cohear.reports.pages import WARNING, Table, of_runs, picture, write_page
from cohear.reports.paired import Answer, Answers, Pair, compare_pairs, name_of_best, paired_table
from cohear.reports.plots import Line, Robustness


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
    def answered(self) -> Answered:
        """All answers of all its runs together."""
        return join_answers([its.answered for its in self.judged])

    @cached_property
    def pooled(self) -> Judgement:
        """Of all answers together: bins of few clips would tell little."""
        return judge(self.answered.task, self.answered.logits, self.answered.truth)

    @property
    def is_corrupted(self) -> bool:
        """Whether its runs were asked about corrupted clips."""
        return self.judged[0].right_when_corrupted is not None

    @cached_property
    def rates(self) -> dict[int, Float64[np.ndarray, "corruption severity"]]:
        """Error rates of each fold under corruptions, averaged over its seeds."""
        return self.by_fold(error_rates(its.right_when_corrupted) for its in self.judged)  # type: ignore[arg-type]

    def by_fold(self, values: Iterable[Any]) -> dict[int, Any]:
        """Average what there is of each run over the seeds of a fold."""
        runs = list(zip(self.experiment.runs, values, strict=True))
        return {
            fold: np.mean([value for run, value in runs if run.fold == fold], axis=0) for fold in self.experiment.folds
        }

    def text(self, values: Iterable[float], digits: int, unit: str = "") -> str:
        """Write the mean of a number of each run with its standard error, a share in percent where the unit is `%`."""
        return _mean_text(list(self.by_fold(values).values()), digits, unit)

    def relative_errors(self, baseline: "JudgedExperiment") -> list[float]:
        """Compare errors with a baseline's, corruption by corruption, on the folds that both have.

        Returns:
            Nothing where the baseline makes no error under some corruption of a fold.
        """
        shared = [fold for fold in self.rates if fold in baseline.rates]
        ratios = [relative_corruption_error(self.rates[fold], baseline.rates[fold]) for fold in shared]
        return [] if None in ratios else [ratio for ratio in ratios if ratio is not None]

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


def _mean_text(values: Sequence[float], digits: int, unit: str = "") -> str:
    scale, error = 100 if unit == "%" else 1, standard_error(values)
    spread = "" if error is None else f"±{scale * error:.{digits}f}"
    return f"{max(0.0, scale * float(np.mean(values))):.{digits}f}{unit}{spread}"


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


def _baseline(experiments: Sequence[JudgedExperiment]) -> JudgedExperiment:
    """Choose what others are compared with: the first without augmentation, else the first."""
    return next((its for its in experiments if its.experiment.method == "none"), experiments[0])


def write_robustness(judged: Sequence[JudgedRun], out: Path) -> tuple[Path, Verdict, list[Table]]:
    """Write the page of several runs.

    Args:
        judged: at least one run, judged on clips of one data set.
        out: the HTML file to write; its folder exists.

    Returns:
        Where the page lies, the verdict on the experiment with the fewest errors, and the tables of the page.

    Raises:
        UserError: where two runs are the same, or the page cannot be written.
    """
    experiments = judged_experiments(judged)
    best, tested = _best(experiments), _tested_pairs(experiments)
    name = name_of_best(best.experiment, [its.experiment for its in experiments], tested["clean"])
    found = verdict(
        best.answered, best.experiment.runs, is_own=best.judged[0].is_own, name=name, among=len(experiments)
    )
    pairs = list(zip(plots.experiment_lines([its.experiment for its in experiments]), experiments, strict=True))
    tables = _tables(experiments, tested)
    place = write_page(
        out,
        "robustness.html",
        of=of_runs((its.run for its in judged), *sorted({its.clips.store.fingerprint for its in judged})),
        title=" and ".join(sorted({its.clips.dataset for its in judged})),
        verdict=found,
        tables=tables[:-1],
        by_label=[labels_of(its.label, its.answered) for its in experiments],
        corruptions=(
            corruption_picture([_robustness(line, its) for line, its in pairs]) if experiments[0].is_corrupted else None
        ),
        reliability=picture(
            plots.reliability_diagram([(line, its.pooled.bins) for line, its in pairs]),
            "Shares of right answers by probability, one line for each model",
        ),
        agreement=agreement_picture([mean_agreements(line, its.judged) for line, its in pairs]),
        runs=[run for its in experiments for run in zip(its.experiment.runs, its.judged, its.judgements, strict=True)],
    )
    return place, found, tables


def comparison_tables(experiments: Sequence[JudgedExperiment]) -> list[Table]:
    """Return the tables of several runs, in the order in which they are read, last the best one's labels."""
    return _tables(experiments, _tested_pairs(experiments))


def _tables(experiments: Sequence[JudgedExperiment], tested: dict[str, list[Pair]]) -> list[Table]:
    paired = [paired_table(pairs, f"Paired tests, {kind} clips") for kind, pairs in tested.items()]
    by_corruption = [_corruptions_table(experiments)] if experiments[0].is_corrupted else []
    best = _best(experiments)
    by_label = class_table(best.answered, named("By label", best.experiment, [its.experiment for its in experiments]))
    found = [_robustness_table(experiments), *paired, *by_corruption, _belief_table(experiments), by_label]
    return [table for table in found if table is not None]


def _best(experiments: Sequence[JudgedExperiment]) -> JudgedExperiment:
    return max(experiments, key=lambda its: its.pooled.accuracy)


def _tested_pairs(experiments: Sequence[JudgedExperiment]) -> dict[str, list[Pair]]:
    """Test each step of the method for each transform: on clean clips, and on corrupted ones where there are any."""
    judged_of = {its.experiment: its for its in experiments}
    tested = {"clean": compare_pairs(list(judged_of), lambda its: judged_of[its].answers(corrupted=False))}
    if experiments[0].is_corrupted:
        tested["corrupted"] = compare_pairs(list(judged_of), lambda its: judged_of[its].answers(corrupted=True))
    return tested


def _robustness_table(experiments: Sequence[JudgedExperiment]) -> Table:
    """Error rates, clean and, where they were asked for, corrupted."""
    baseline, corrupted = _baseline(experiments), experiments[0].is_corrupted
    rows = []
    for its in experiments:
        row = [its.label, its.text((1 - made.accuracy for made in its.judgements), 1, "%")]
        if corrupted:
            relative = [1.0] if its is baseline else its.relative_errors(baseline)
            of_folds = [float(rates.mean()) for rates in its.rates.values()]
            row += [_mean_text(of_folds, 1, "%"), _mean_text(relative, 3) if relative else "-"]
        rows.append((*row, str(len(its.judged))))
    title, columns = ("Robustness", ("Corrupted error", "Relative")) if corrupted else ("Errors", ())
    return Table(title, ("Model", "Clean error", *columns, "Runs"), tuple(rows), tuple(_notes(experiments)))


def _notes(experiments: Sequence[JudgedExperiment]) -> Iterable[str]:
    yield f"Errors: mean ± standard error over {spread_text([its.experiment for its in experiments])}."
    if experiments[0].is_corrupted:
        yield (
            f"Corrupted error: mean over {len(CORRUPTIONS)} corruptions in 5 severities. Relative: errors under each "
            f"corruption over those of {_baseline(experiments).label}, mean over corruptions (Hendrycks and "
            "Dietterich 2019)."
        )
    yield from (WARNING + sentence for sentence in missing_folds([its.experiment for its in experiments]))
    heard = {frozenset(path for judged in its.judged for path in judged.clips.paths) for its in experiments}
    if len(heard) > 1:
        sizes = ", ".join(f"{its.label} on {sum(len(j.clips.rows) for j in its.judged)}" for its in experiments)
        yield f"{WARNING}the models were judged on different clips ({sizes}): their errors do not compare."
    warnings = {warning for its in experiments for judged in its.judged for warning in judged.clips.warnings}
    yield from (WARNING + warning for warning in sorted(warnings))


def _belief_table(experiments: Sequence[JudgedExperiment]) -> Table:
    """Probabilities and consistency, as trained, without temperatures."""
    rows = [
        (
            its.label,
            its.text((made.nll for made in its.judgements), 2),
            its.text((made.brier for made in its.judgements), 3),
            f"{its.pooled.ece:.1%} ({its.pooled.ece_by_chance:.1%})",
            its.text((mean_jsd(judged.jsd) for judged in its.judged), 4),
            its.text(map(_flips, its.judged), 1, "%"),
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


def _robustness(line: Line, its: JudgedExperiment) -> Robustness:
    rates = np.stack(list(its.rates.values()))
    errors = np.apply_along_axis(standard_error, 0, rates) if len(rates) > 1 else None
    clean = np.mean(list(its.by_fold(made.accuracy for made in its.judgements).values()))
    return Robustness(line, float(clean), 1 - rates.mean(axis=0), errors)
