"""The page on the paper's Table 1: the table, the tests, Figure 1, and a verdict on each claim of the paper."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cohear.data.wording import no_markdown
from cohear.metrics.accuracy import standard_error
from cohear.reports import plots
from cohear.reports.comparison import missing_folds, paper_result
from cohear.reports.experiments import VARIANTS, Experiment, preset_text
from cohear.reports.pages import WARNING, Table, count_text, signed, to_markdown
from cohear.reports.paired import compare_pairs, paired_table
from cohear.runs.identity import NUMERICS, ONE_READ
from cohear.runs.paper import FIGURE_FOLD, HEADLINE
from reproduction.claims import Finding, Verdict, findings
from reproduction.grid import BEST, MODELS, N_FOLDS, NONE, Grid

_FEWEST_SEEDS = 3
_HEADER = ("Model", "Accuracy", "±folds", "±seeds", "Gain", "95% interval", "Runs")
_COMPACT = ("Model", "Accuracy", "Gain", "95% interval", "Paper", "its ±", "its gain")
_PARTS: tuple[tuple[plots.Part, str], ...] = (("train", "training"), ("test", "test"))


def page(grid: Grid, title: str, figure_name: str, more: str = "") -> str:
    """Return the page as Markdown.

    Args:
        grid: the runs.
        title: its heading.
        figure_name: of `pictures`, which lie beside the page.
        more: paragraphs after the sentences on what the runs are, Markdown.
    """
    variants = {name: its for name, its in grid.experiments.items() if name in VARIANTS}
    tests = paired_table(compare_pairs(list(grid.experiments.values())))
    missing = [name for name in VARIANTS if name not in variants]
    left = f"No run of these ablations and controls: {'; '.join(missing)}." if missing else ""
    shown = [to_markdown(table) for table in (table1(grid), _variant_table(grid, variants), tests) if table]
    parts = [title, *_what_this_is(grid), more, *shown, left, *_figure_1(grid, figure_name), *_claims(grid)]
    return "\n\n".join(part for part in parts if part) + "\n"


def summary(grid: Grid) -> str:
    """Return what the runs are, and a small table, as Markdown."""
    table = table1(grid)
    kept = [table.header.index(name) for name in _COMPACT]
    rows = tuple(tuple(row[i] for i in kept) for row in table.rows)
    small = Table(table.title, _COMPACT, rows, tuple(_partial_sentences(grid)))
    return "\n\n".join([*_what_this_is(grid), to_markdown(small)])


def pictures(grid: Grid, name: str) -> dict[str, bytes]:
    """Draw Figure 1, (a) and (b), by file name; none where nothing was measured."""
    followed = _followed(grid)
    return {f"{name}-{part}.svg": plots.figure_1(followed, part) for part, _ in _PARTS if followed}


def table1(grid: Grid) -> Table:
    """Build the table: a row for each model, whether it has runs or not."""
    rows = []
    for name in MODELS:
        paper = paper_result(name)
        assert paper is not None
        gain = "-" if paper.improvement_points is None else f"{paper.improvement_points:+.2f}"
        papers = f"{paper.accuracy_percent:.2f}%", f"{paper.standard_error_percent:.2f}", gain
        rows.append((*_cells(grid, grid.table.get(name), name, NONE), *papers))
    notes = [
        "Accuracy: mean over folds, each averaged over its seeds. ±folds: its standard error over the folds. ±seeds: "
        "that over seeds of means over all five folds, which is probably the paper's; it needs "
        f"{_FEWEST_SEEDS} seeds.",
        f"Gain: percentage points over {NONE} on the same clips, with its interval by source recordings; "
        "where a model has all five folds, of whole seeds only.",
        f"{ONE_READ.strip()}: standard augmentation that hears one signal of each clip in an epoch; without "
        "that word it hears all three. The paper does not say which is its own, so both stand beside its numbers.",
    ]
    if grid.runs:
        notes += _partial_sentences(grid)
        notes += dict.fromkeys(WARNING + warning for run in grid.runs for warning in run.metrics["warnings"])
    return Table("Table 1", (*_HEADER, "Paper", "its ±", "its gain"), tuple(rows), tuple(notes))


def _partial_sentences(grid: Grid) -> Iterable[str]:
    """Say which folds are not there."""
    folds = sorted({run.fold for run in grid.runs})
    if 0 < len(folds) < N_FOLDS:
        yield f"Of five folds only {', '.join(map(str, folds))} so far."
    yield from missing_folds(list(grid.table.values()))


def _variant_table(grid: Grid, variants: dict[str, Experiment]) -> Table | None:
    rows = [_cells(grid, its, name, NONE if its.method == "none" else BEST) for name, its in variants.items()]
    header = tuple("Difference" if name == "Gain" else name for name in _HEADER)
    note = f"Difference: percentage points over {BEST}, for runs without augmentation over {NONE}; the rest as above."
    return Table("Ablations and controls", header, tuple(rows), (note,)) if rows else None


def _cells(grid: Grid, experiment: Experiment | None, name: str, base: str) -> tuple[str, ...]:
    if experiment is None:
        return (name, *["-"] * 5, "0")
    comparison = grid.compare([name], [base])[0] if name != base else None
    gain, interval = "-", "-"
    if comparison:
        gain = signed(100 * comparison.test.difference)
        interval = ", ".join(signed(100 * bound) for bound in comparison.test.interval)
    by_seed = list(experiment.accuracy_by_seed.values()) if len(experiment.folds) == N_FOLDS else []
    return (
        name,
        f"{100 * experiment.accuracy:.2f}%",
        _error_text(list(experiment.accuracy_by_fold.values()), 2),
        _error_text(by_seed, _FEWEST_SEEDS),
        gain,
        interval,
        str(len(experiment.runs)),
    )


def _error_text(values: Sequence[float], fewest: int) -> str:
    error = standard_error(values)
    return "-" if error is None or len(values) < fewest else f"{100 * error:.2f}"


def _what_this_is(grid: Grid) -> Iterable[str]:
    """Say how much is there, and first of all whether it is the paper's experiment."""
    runs = grid.runs
    if grid.deviations:
        presets = " and ".join(sorted(set(map(preset_text, runs))))
        yield (
            f"**These runs are not the paper's: {no_markdown(presets)}.** What differs: "
            f"{no_markdown(', '.join(grid.deviations))}. What follows is a rehearsal; nothing in it confirms or "
            "refutes the paper."
        )
    n_seeds = max(len(grid.seeds), 1)
    seeds = f" x {n_seeds} seeds" if n_seeds > 1 else ""
    n_all = len(MODELS) * N_FOLDS * n_seeds
    yield f"{len(runs)} of {n_all} runs are there ({len(MODELS)} models x {N_FOLDS} folds{seeds})."
    numerics = sorted({run.record.numerics for run in runs})
    if numerics not in ([], [NUMERICS]):
        yield (
            f"They were made by another version (numerics {numerics[0]}; those of this version are {NUMERICS}), which "
            "gives other numbers for the same settings."
        )
    if runs and not grid.deviations:
        precisions = " and ".join(sorted({run.config.training.precision for run in runs}))
        yield f"They were made with the paper's settings as we read it, in {no_markdown(precisions)}."
    if grid.left_out:
        yield f"Left out, since they do not belong to this table: {no_markdown('; '.join(grid.left_out))}."


def _followed(grid: Grid) -> list[Experiment]:
    found = []
    for experiment in (grid.table[model.name] for model in HEADLINE if model.name in grid.table):
        on_fold = [run for run in experiment.runs if run.fold == FIGURE_FOLD and plots.is_tracked(run, "test_jsd")]
        found += [replace(experiment, runs=tuple(on_fold))] if on_fold else []
    return found


def _figure_1(grid: Grid, name: str) -> Iterable[str]:
    yield "## Figure 1"
    followed = _followed(grid)
    if not followed:
        yield f"No run of its models on fold {FIGURE_FOLD} was measured after each epoch yet."
        return
    seeds = count_text([len(its.seeds) for its in followed], "seed")
    yield f"Divergence of the training clips and of the test clips of fold {FIGURE_FOLD} after each epoch, {seeds}."
    for part, words in _PARTS:
        yield f"![Divergence of the {words} clips by epoch]({name}-{part}.svg)"


def _claims(grid: Grid) -> Iterable[str]:
    judged = findings(grid)
    yield "## Claims of the paper"
    yield (
        "A claim on accuracies is judged when every model that it speaks of has all five folds under a seed; until "
        "then it cannot be told. Intervals and p are by source recordings and take the seeds as given: "
        f"other seeds may come out otherwise. Nothing is corrected for the number of all {len(judged)} claims: of "
        "twenty such verdicts one would be wrong by chance alone. The paper's numbers are taken as exact, though they "
        "have errors too. Where nothing else is said, standard augmentation is that which hears all signals of a clip."
    )
    lines = (f"- **{its.claim}: {_verdict_words(its, grid)}.** {its.evidence} *{its.rule}*" for its in judged)
    yield "\n".join(lines)


def _verdict_words(its: Finding, grid: Grid) -> str:
    """Runs that are not the paper's say nothing of the paper."""
    return its.verdict.value + (" in this rehearsal" if grid.deviations and its.verdict is not Verdict.OPEN else "")
