"""What came of several runs: the table of methods beside the paper's numbers, paired tests, and the page of both.

The paper is Iqbal, Helwani, Krishnaswamy and Wang, "Enhancing Audio Augmentation Methods with Consistency Learning"
(ICASSP 2021, arXiv 2102.05151): ESC-50, five folds, 72 epochs. It does not say over what its standard error is.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from pathlib import Path
from typing import Any, Literal

from cohear.errors import UserError
from cohear.judging.verdict import Answered, Verdict, answered_by, verdict
from cohear.metrics.accuracy import standard_error
from cohear.reports import plots
from cohear.reports.by_label import class_table, confusions
from cohear.reports.experiments import Experiment, cell_of, closest, group_runs, mean, preset_text
from cohear.reports.pages import WARNING, Table, count_text, nats_text, of_runs, picture, signed, write_page
from cohear.reports.paired import Pair, compare_pairs, name_of_best, paired_table
from cohear.runs.build import shown_recipe
from cohear.runs.identity import ONE_READ
from cohear.runs.run import Run

ErrorOver = Literal["folds", "seeds"]
"""What standard errors are over: folds, each averaged over its seeds; or seeds, each averaged over all folds."""


@dataclass(frozen=True)
class PaperResult:
    """One row of the paper's Table 1, in percent."""

    accuracy_percent: float
    standard_error_percent: float
    improvement_points: float | None = None
    """Over no augmentation, as printed there; None for that row itself."""


PAPER_TABLE_1: dict[str, PaperResult] = {
    "No Augmentation": PaperResult(83.59, 0.15),
    "Pitch-Shift": PaperResult(84.35, 0.25, 0.76),
    "Pitch-Shift-BDA": PaperResult(84.60, 0.31, 1.01),
    "Pitch-Shift-CL": PaperResult(85.48, 0.22, 1.89),
    "Reverb": PaperResult(83.76, 0.19, 0.17),
    "Reverb-BDA": PaperResult(85.12, 0.07, 1.53),
    "Reverb-CL": PaperResult(85.58, 0.22, 1.99),
    "TF-Masking": PaperResult(83.69, 0.20, 0.10),
    "TF-Masking-BDA": PaperResult(84.32, 0.29, 0.73),
    "TF-Masking-CL": PaperResult(85.03, 0.12, 1.44),
    "Combination": PaperResult(83.99, 0.26, 0.40),
    "Combination-BDA": PaperResult(85.83, 0.22, 2.25),
    "Combination-CL": PaperResult(86.22, 0.12, 2.63),
}
"""By the names of `cohear.runs.paper.TABLE_1`; of standard augmentation by that which hears all signals."""


def paper_result(model: str) -> PaperResult | None:
    """Return the paper's row of a model: of standard augmentation the same for both readings."""
    return PAPER_TABLE_1.get(model.removesuffix(ONE_READ))


@dataclass(frozen=True, eq=False)
class MethodRow:
    """One experiment's line of the table; accuracies in [0, 1]."""

    experiment: Experiment
    standard_error: float | None
    """None where there is only one fold, or seed."""
    improvement: float | None
    """Over the experiment without augmentation, on the folds that both have; None where there are none."""


def method_rows(experiments: Sequence[Experiment], error_over: ErrorOver = "folds") -> list[MethodRow]:
    """Compute the lines of the table of methods, in their order."""
    baselines = [experiment for experiment in experiments if experiment.method == "none"]
    rows = []
    for experiment in experiments:
        baseline = None if experiment in baselines else closest(experiment, baselines)
        ours, theirs = experiment.accuracy_by_fold, baseline.accuracy_by_fold if baseline else {}
        gains = [ours[fold] - theirs[fold] for fold in ours if fold in theirs]
        repeated = ours if error_over == "folds" else experiment.accuracy_by_seed
        rows.append(MethodRow(experiment, standard_error(list(repeated.values())), mean(gains) if gains else None))
    return rows


def comparison_tables(runs: Sequence[Run], error_over: ErrorOver = "folds") -> list[Table]:
    """Return the table of methods, that of paired tests where there are pairs, and the best one's labels.

    Args:
        runs: finished runs, at least one.
        error_over: of seeds those count that have all folds.

    Raises:
        UserError: if there are no runs, two are the same, or predictions cannot be read.
    """
    if not runs:
        raise UserError("there is nothing to compare: give at least one finished run")
    experiments = group_runs(runs)
    return _tables(experiments, compare_pairs(experiments), error_over)


def _tables(experiments: Sequence[Experiment], pairs: Sequence[Pair], error_over: ErrorOver) -> list[Table]:
    best, tests = _best(experiments), paired_table(pairs)
    return [
        _method_table(method_rows(experiments, error_over), error_over),
        *([tests] if tests else []),
        class_table(answered_by(best.runs), named("By label", best, experiments)),
    ]


def named(text: str, experiment: Experiment, among: Sequence[Experiment]) -> str:
    """Say of which experiment something is, where there are several."""
    return text if len(among) == 1 else f"{text}, {experiment.label}"


def write_comparison(
    runs: Sequence[Run], out: Path, error_over: ErrorOver = "folds"
) -> tuple[Path, Verdict, list[Table]]:
    """Write the page that compares finished runs.

    Args:
        runs: at least one.
        out: the HTML file to write; its folder exists.
        error_over: as for `comparison_tables`.

    Returns:
        Where the page lies, the verdict on the experiment of the highest accuracy, and the tables of the page.

    Raises:
        UserError: as `comparison_tables`, or if the page cannot be written.
    """
    experiments = group_runs(runs)
    rows, best, pairs = method_rows(experiments, error_over), _best(experiments), compare_pairs(experiments)
    tables, name = _tables(experiments, pairs, error_over), name_of_best(best, experiments, pairs)
    found = verdict(answered_by(best.runs), best.runs, name=name, among=len(experiments))
    place = write_page(
        out,
        "comparison.html",
        of=of_runs(runs, error_over),
        title=" and ".join(sorted({run.subject for run in runs})),
        verdict=found,
        tables=tables[:-1],
        by_label=[labels_of(its.label, answered_by(its.runs)) for its in experiments],
        accuracies=picture(
            plots.accuracy_by_model([(row.experiment, row.standard_error) for row in rows]),
            "Accuracy of each model with its standard error",
        ),
        figures=list(_figures([row.experiment for row in rows])),
        runs=[run for row in rows for run in sorted(row.experiment.runs, key=cell_of)],
    )
    return place, found, tables


def labels_of(name: str, answers: Answered) -> dict[str, Any]:
    """Return what a page shows of an experiment's labels."""
    return {"name": name, "table": class_table(answers), "confusions": confusions(answers)}


def _best(experiments: Sequence[Experiment]) -> Experiment:
    return max(experiments, key=lambda its: its.accuracy)


def _figures(experiments: Sequence[Experiment]) -> Iterable[dict[str, Any]]:
    """One pair of plots for each kind of views that was tracked, since only equal views compare."""
    tracked: dict[str, list[Experiment]] = {}
    for experiment in experiments:
        if any(plots.is_tracked(run, "test_jsd") for run in experiment.runs):
            tracked.setdefault(shown_recipe(experiment.runs[0].config), []).append(experiment)
    for views, chosen in tracked.items():
        yield {
            "views": views,
            "train": picture(plots.figure_1(chosen, "train"), "Divergence of the training clips by epoch"),
            "test": picture(plots.figure_1(chosen, "test"), "Divergence of the test clips by epoch"),
        }


def _method_table(rows: Sequence[MethodRow], error_over: ErrorOver) -> Table:
    runs = [run for row in rows for run in row.experiment.runs]
    header = ["Model", "Accuracy", "Improvement", "JSD, nats", "Runs"]
    cells = [
        [
            row.experiment.label,
            _accuracy_text(100 * row.experiment.accuracy, row.standard_error and 100 * row.standard_error),
            "-" if row.improvement is None else f"{signed(100 * row.improvement)} points",
            nats_text(row.experiment.jsd),
            str(len(row.experiment.runs)),
        ]
        for row in rows
    ]
    with_paper = any(_is_esc50(run) for run in runs)
    if with_paper:
        header.append("Paper")
        for row, its in zip(rows, cells, strict=True):
            its.append(_paper_cell(row.experiment))
    notes = _notes([row.experiment for row in rows], runs, error_over)
    return Table("Accuracy by method", tuple(header), tuple(map(tuple, cells)), tuple(notes))


def _paper_cell(experiment: Experiment) -> str:
    paper = paper_result(experiment.runs[0].record.model)
    if paper is None or experiment.is_changed or not _is_esc50(experiment.runs[0]):
        return "-"
    text = _accuracy_text(paper.accuracy_percent, paper.standard_error_percent)
    return text if paper.improvement_points is None else f"{text} {paper.improvement_points:+.2f}%"


def _accuracy_text(percent: float, error_percent: float | None) -> str:
    return f"{percent:.2f}%" if error_percent is None else f"{percent:.2f}%±{error_percent:.2f}"


def _is_esc50(run: Run) -> bool:
    return run.record.dataset == "ESC-50"


def _notes(experiments: Sequence[Experiment], runs: Sequence[Run], error_over: ErrorOver) -> Iterable[str]:
    yield f"Accuracy: mean ± standard error over {spread_text(experiments, error_over)}."
    yield (
        "Improvement: percentage points over No Augmentation, on the folds that both have. "
        "JSD: between the clean test clip and two views of it, the same views for every model."
    )
    by_data: dict[str, list[Run]] = {}
    for run in runs:
        by_data.setdefault(run.record.data_fingerprint, []).append(run)
    for of_data in by_data.values():
        yield commonest_label_sentence(of_data, is_named=len(by_data) > 1)
    yield from missing_folds(experiments)
    if _are_of_other_clips(experiments):
        yield WARNING + "not all of these models were tested on the same clips: their numbers do not compare."
    if any(_is_esc50(run) for run in runs):
        presets = " and ".join(sorted({preset_text(run) for run in runs}))
        yield (
            "Paper: Table 1 of Iqbal et al. 2021 (ESC-50, 5 folds, 72 epochs), which does not say over what "
            f"its standard error is; these runs: {presets}."
        )
    yield from dict.fromkeys(WARNING + warning for run in runs for warning in run.warnings)


def spread_text(experiments: Sequence[Experiment], error_over: ErrorOver = "folds") -> str:
    """Say over how many folds and seeds means are."""
    folds = count_text((len(experiment.folds) for experiment in experiments), "fold")
    seeds = count_text((len(experiment.seeds) for experiment in experiments), "seed")
    of, others = (folds, seeds) if error_over == "folds" else (seeds, folds)
    return f"{of}, each {error_over[:-1]} averaged over {others}"


def missing_folds(experiments: Sequence[Experiment]) -> Iterable[str]:
    """Say which experiments lack folds that others have."""
    every = {fold for experiment in experiments for fold in experiment.folds}
    for experiment in experiments:
        folds = experiment.folds
        if len(folds) < len(every):
            has = f"fold{'s' * (len(folds) > 1)} {', '.join(map(str, folds))}"
            yield (
                f"{experiment.label} has only {has} of the {len(every)} folds of this table: its mean does not compare "
                "with means over others."
            )


def _are_of_other_clips(experiments: Sequence[Experiment]) -> bool:
    """Whether two models share a fold and not one clip of it, as models of two data sets do."""
    clips: dict[int, list[set[str]]] = {}
    for experiment in experiments:
        for fold in experiment.folds:
            its = [run.predictions.paths for run in experiment.runs if run.fold == fold]
            clips.setdefault(fold, []).append(set(chain.from_iterable(its)))
    return any(one.isdisjoint(other) for of_fold in clips.values() for one, other in combinations(of_fold, 2))


def commonest_label_sentence(runs: Sequence[Run], *, is_named: bool = False) -> str:
    """Say what a classifier is worth that always answers the label with the most test clips.

    Args:
        runs: on the same data.
        is_named: whether the data are named.
    """
    tested = {(run.record.data_fingerprint, run.fold): run.predictions for run in runs}
    counts = Counter(label for answers in tested.values() for label in answers.label_texts)
    what = runs[0].predictions.task.words.target
    what += f" of {runs[0].record.dataset}" if is_named else ""
    return f"Always answering the commonest {what} gives an accuracy of {max(counts.values()) / counts.total():.2%}."
