"""The paper's Table 1 with both kinds of standard errors, intervals of the gains, and the paper's numbers beside."""

from collections.abc import Iterable

from cohear.experiments.paper import ABLATIONS, CONTROLS
from cohear.metrics.accuracy import standard_error
from cohear.reports.accuracy_claims import BEST, NONE, how_to_make
from cohear.reports.grouping import Experiment
from cohear.reports.method_table import count_text, resolution_sentence, warning_sentences
from cohear.reports.paper_numbers import PAPER_TABLE_1, PaperResult
from cohear.reports.table1_runs import CHANGED, MODELS, N_FOLDS, Table1Runs
from cohear.reports.tables import Table, signed

_FEWEST_SEEDS = 3
_INTERVAL = "95% interval"
_HEADER = ("Model", "Accuracy", "±folds", "±seeds", "Gain", _INTERVAL, "Runs")
_PAPER_HEADER = ("Paper", "its ±", "its gain")


def table1(runs: Table1Runs) -> Table:
    """Build the table: a row for each of the thirteen models, whether it has runs or not."""
    n_seeds = max(len(runs.seeds), 1)
    rows = tuple(
        (*_cells(runs, runs.grid.get(model), model, NONE, f"{N_FOLDS} x {n_seeds}"), *_paper_cells(paper))
        for paper in PAPER_TABLE_1.values()
        for model in (paper.model,)
    )
    return Table("Table 1", _HEADER + _PAPER_HEADER, rows, tuple(_notes(runs)))


def changed_table(runs: Table1Runs) -> Table | None:
    """Build the table of ablations and controls, each beside the model in which it changes one thing; None without."""
    rows = []
    for name, experiment in runs.experiments.items():
        if name not in MODELS:
            base = NONE if experiment.method == "none" else BEST
            n_folds = len(experiment.folds) if CHANGED[name].first_fold_only else N_FOLDS
            rows.append(_cells(runs, experiment, name, base, f"{n_folds} x {len(experiment.seeds)}"))
    if not rows:
        return None
    header = tuple("Difference" if name == "Gain" else name for name in _HEADER)
    note = f"Difference: percentage points over {BEST}, for runs without augmentation over {NONE}; the rest as above."
    return Table("Ablations and controls", header, tuple(rows), (note,))


def missing_changed(runs: Table1Runs) -> str:
    """Say which ablations and controls are not there at all, and which commands make them; empty where none lacks."""
    said = []
    for what, models in (("ablations", ABLATIONS), ("controls", CONTROLS)):
        names = [model.name for model in models if model.name not in (*MODELS, *runs.experiments, *runs.usual)]
        if names and runs.experiments:
            said.append(f"No run yet of the {what} {'; '.join(names)}. {how_to_make(runs, what)}")
        elif names:
            said.append(f"No run yet of any of the {what}. {how_to_make(runs, what)}")
    return " ".join(said)


def compact(table: Table) -> Table:
    """Keep of Table 1 what is needed for a first look."""
    return _columns(table, ("Model", "Accuracy", "Gain", _INTERVAL, *_PAPER_HEADER))


def narrow(table: Table, width: int) -> Table:
    """Leave out the intervals and the paper's errors where the lines would be longer than `width` characters."""
    cells = (table.header, *table.rows)
    needed = sum(max(len(row[i]) for row in cells) + 2 for i in range(len(table.header))) - 2
    if needed <= width:
        return table
    return _columns(table, tuple(name for name in table.header if name not in (_INTERVAL, "its ±")))


def _columns(table: Table, names: tuple[str, ...]) -> Table:
    kept = [table.header.index(name) for name in names]
    rows = tuple(tuple(row[i] for i in kept) for row in table.rows)
    return Table(table.title, names, rows, table.notes)


def _paper_cells(paper: PaperResult) -> tuple[str, ...]:
    gain = "-" if paper.improvement_points is None else f"{paper.improvement_points:+.2f}"
    return f"{paper.accuracy_percent:.2f}%", f"{paper.standard_error_percent:.2f}", gain


def _cells(runs: Table1Runs, experiment: Experiment | None, name: str, base: str, planned: str) -> tuple[str, ...]:
    if experiment is None:
        return (name, *["-"] * 5, f"0 of {planned}")
    test = runs.difference([name], [base]).test if name != base else None
    gain, interval = "-", "-"
    if test:
        gain, interval = signed(100 * test.difference), ", ".join(signed(100 * bound) for bound in test.interval)
    return (
        name,
        f"{100 * experiment.accuracy:.2f}%",
        _error_text(list(experiment.accuracy_by_fold.values())),
        _error_text(_whole_seeds(experiment), _FEWEST_SEEDS),
        gain,
        interval,
        f"{len(experiment.runs)} of {planned}",
    )


def _whole_seeds(experiment: Experiment) -> list[float]:
    return list(experiment.accuracy_by_seed.values()) if len(experiment.folds) == N_FOLDS else []


def _error_text(values: list[float], fewest: int = 2) -> str:
    error = standard_error(values)
    return "-" if error is None or len(values) < fewest else f"{100 * error:.2f}"


def _notes(runs: Table1Runs) -> Iterable[str]:
    if runs.grid_runs:
        yield (
            "Accuracy: mean over folds, each averaged over its seeds. ±folds: its standard error over the folds. "
            "±seeds: the standard error over seeds of means over all five folds, which is probably the paper's; it "
            f"needs {_FEWEST_SEEDS} seeds."
        )
        yield (
            f"Gain: percentage points over {NONE} on the same clips, with the interval of McNemar's test for one seed, "
            "of a bootstrap over source recordings for several; where a model has all five folds, of whole seeds only."
        )
    seeds = count_text([max(len(runs.seeds), 1)], "seed")
    yield f"Runs: those that are finished, of five folds times {seeds}. Paper: Table 1 of Iqbal et al. 2021."
    if not runs.grid_runs:
        return
    yield resolution_sentence(runs.grid_runs)
    yield from partial_sentences(runs)
    yield from warning_sentences(runs.grid_runs)


def partial_sentences(runs: Table1Runs) -> Iterable[str]:
    """Say which folds there are of the models that lack some."""
    by_folds: dict[tuple[int, ...], list[str]] = {}
    for name, experiment in runs.grid.items():
        by_folds.setdefault(experiment.folds, []).append(name)
    if len(by_folds) == 1 and len(next(iter(by_folds))) < N_FOLDS:
        yield f"Of five folds only {_folds_text(next(iter(by_folds)))} so far."
        return
    said = [f"{_folds_text(folds)} of {', '.join(names)}" for folds, names in by_folds.items() if len(folds) < N_FOLDS]
    if said:
        yield f"Not all five folds are there yet, only {'; '.join(said)}: means over different folds do not compare."


def _folds_text(folds: tuple[int, ...]) -> str:
    return f"{'fold' if len(folds) == 1 else 'folds'} {', '.join(map(str, folds))}"
