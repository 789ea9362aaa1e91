"""The runs that make one Table 1: thirteen models under one configuration, and what changes one thing in it.

A folder may hold runs of several presets, of other numbers of epochs or of other sounds. A table is of one of these
only: of the paper's configuration where there are such runs, else of the one with the most. The others are left out,
and named.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from cohear.experiments.paper import ABLATIONS, CONTROLS, TABLE_1, PaperModel
from cohear.experiments.presets import paper
from cohear.metrics.paired_tests import PairedTest, grouped_bootstrap
from cohear.reports.grouping import Experiment, flatten, group_runs
from cohear.reports.method_table import count_text
from cohear.reports.paired_table import N_RESAMPLES, Comparison, compare
from cohear.reports.run_folders import RunSummary

N_FOLDS = 5
"""Of ESC-50."""
MODELS = tuple(model.name for model in TABLE_1)
CHANGED = {model.name: model for model in (*ABLATIONS, *CONTROLS) if model.name not in MODELS}
"""Ablations and controls, by name."""

_NONE = MODELS[0]
_SCHEDULES = {"training.epochs", "objective.ramp_epochs", "optimizer.decay_epochs"}
_NOT_OF_THE_EXPERIMENT = {"preset", "method", "views.transform", "fold", "seed", "training.compile"}
_NOT_AGAINST_THE_PAPER = {"training.precision", "data.pitch_cache", "data.skip_bad", "data.n_folds"}
"""How it is computed and kept, which the paper does not say; it is said of the runs in a sentence of its own."""


@dataclass(frozen=True)
class Difference:
    """By how much some models are better than others on the same clips."""

    test: PairedTest | None
    """None where they share no clip."""
    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    n_clips: int
    is_whole: bool
    """Whether all the models have all five folds under at least one seed; then only such seeds count."""


@dataclass(frozen=True, eq=False)
class Table1Runs:
    """Experiments of one configuration, by their names in the paper."""

    experiments: dict[str, Experiment]
    """In the order of Table 1; ablations and controls after them."""
    deviations: tuple[str, ...]
    """What is not as in the paper, as `training.epochs 12 instead of 72`; empty for the paper's own experiment."""
    left_out: tuple[str, ...]
    """What else was there, as `2 runs of preset small, 24 epochs`."""
    _compared: dict[tuple[str, ...], Comparison | None] = field(default_factory=dict)

    @property
    def is_rehearsal(self) -> bool:
        """Whether these runs are not the paper's and can say nothing of its claims."""
        return bool(self.deviations)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the grid: those of the model that all gains are over; others are there for controls."""
        named = [self.experiments[_NONE]] if _NONE in self.experiments else self.experiments.values()
        return tuple(sorted({run.seed for experiment in named for run in experiment.runs if run.model in MODELS}))

    @cached_property
    def grid(self) -> dict[str, Experiment]:
        """The thirteen models under the seeds of the grid, as far as there are runs."""
        cells = {(fold, seed) for name in MODELS for fold, seed in self._cells(name) if seed in self.seeds}
        kept = {name: _only(self.experiments[name], cells) for name in MODELS if name in self.experiments}
        return {name: experiment for name, experiment in kept.items() if experiment.runs}

    @property
    def grid_runs(self) -> list[RunSummary]:
        """The runs of the grid, model by model."""
        return [run for experiment in self.grid.values() for run in experiment.runs]

    def compare(self, a: Experiment, b: Experiment) -> Comparison | None:
        """Test A against B as `paired_table.compare` does, once."""
        key = tuple(str(run.folder) for run in (*a.runs, *b.runs))
        if key not in self._compared:
            self._compared[key] = compare(a, b)
        return self._compared[key]

    def difference(self, better: Sequence[str], worse: Sequence[str]) -> Difference:
        """Measure the mean accuracy of some models minus that of others, on the same clips, folds and seeds.

        Two single models are compared as in the table of paired tests. Averages over models are tested by a
        bootstrap over source recordings.

        Args:
            better: names of models.
            worse: names of models.
        """
        shared = set.intersection(*(self._cells(name) for name in (*better, *worse)))
        n_folds = Counter(seed for _, seed in shared)
        whole = {seed for seed, n in n_folds.items() if n == N_FOLDS}
        used = {(fold, seed) for fold, seed in shared if seed in whole} if whole else shared
        test, n_clips = self._test(better, worse, used)
        folds, seeds = ({cell[i] for cell in used} for i in (0, 1))
        is_whole = bool(whole) and test is not None
        return Difference(test, tuple(sorted(folds)), tuple(sorted(seeds)), n_clips, is_whole)

    def n_runs(self, names: Iterable[str]) -> int:
        """Count the runs of some models under the seed that has most of them."""
        by_seed = Counter(seed for name in names for _, seed in self._cells(name))
        return max(by_seed.values(), default=0)

    def _cells(self, name: str) -> set[tuple[int, int]]:
        """Fold and seed of each run of a model."""
        return {(run.fold, run.seed) for run in self.experiments[name].runs} if name in self.experiments else set()

    def _test(
        self, better: Sequence[str], worse: Sequence[str], cells: set[tuple[int, int]]
    ) -> tuple[PairedTest | None, int]:
        if not cells:
            return None, 0
        kept = {name: _only(self.experiments[name], cells) for name in (*better, *worse)}
        if len(better) == len(worse) == 1:
            comparison = self.compare(kept[better[0]], kept[worse[0]])
            return (comparison.test, comparison.answers.n_clips) if comparison else (None, 0)
        return _average_test([kept[name] for name in better], [kept[name] for name in worse])


def choose_table1_runs(runs: Sequence[RunSummary]) -> Table1Runs:
    """Choose the runs of one Table 1, and say what is left out.

    Raises:
        UserError: if two runs are the same.
    """
    configurations: dict[tuple[tuple[str, str], ...], list[RunSummary]] = {}
    for run in runs:
        if run.model in MODELS:
            configurations.setdefault(_key(run), []).append(run)
    if not configurations:
        return Table1Runs({}, (), tuple(_named(runs)))
    is_papers = {key: not _deviations(members[0]) for key, members in configurations.items()}
    chosen = max(configurations, key=lambda key: (is_papers[key], len(configurations[key])))
    members = [run for run in runs if _belongs(run, chosen)]
    found = {experiment.runs[0].model: experiment for experiment in group_runs(members)}
    experiments = {name: found[name] for name in (*MODELS, *CHANGED, *found) if name in found}
    others = [run for run in runs if run not in members]
    return Table1Runs(experiments, _deviations(configurations[chosen][0]), tuple(_named(others)))


def _only(experiment: Experiment, cells: set[tuple[int, int]]) -> Experiment:
    runs = tuple(run for run in experiment.runs if (run.fold, run.seed) in cells)
    return replace(experiment, runs=runs)


def _average_test(better: Sequence[Experiment], worse: Sequence[Experiment]) -> tuple[PairedTest | None, int]:
    answers = [(_answers(experiment), 1 / len(better)) for experiment in better]
    answers += [(_answers(experiment), -1 / len(worse)) for experiment in worse]
    shared = sorted(set.intersection(*(set(correct) for correct, _ in answers)))
    recordings = {
        (run.fold, path): group or path
        for run in better[0].runs
        for path, group in zip(run.predictions.paths, run.predictions.groups, strict=True)
    }
    groups = [recordings[fold, path] for fold, _, path in shared]
    if len(set(groups)) < 2:
        return None, 0
    differences = np.array([sum(share * correct[pair] for correct, share in answers) for pair in shared])
    test = grouped_bootstrap(differences, np.unique(groups, return_inverse=True)[1], N_RESAMPLES)
    return test, len({(fold, path) for fold, _, path in shared})


def _answers(experiment: Experiment) -> dict[tuple[int, int, str], bool]:
    """Whether each clip was answered rightly, by fold, seed and path."""
    return {
        (run.fold, run.seed, path): correct
        for run in experiment.runs
        for path, correct in zip(run.predictions.paths, run.predictions.correct.tolist(), strict=True)
    }


def _settings(run: RunSummary) -> dict[str, str]:
    return {name: value for name, value in flatten(run.config).items() if name not in _NOT_OF_THE_EXPERIMENT}


def _key(run: RunSummary) -> tuple[tuple[str, str], ...]:
    """What all runs of a table share; of the data what came of its settings, as for a run's identity."""
    settings = {
        name: value
        for name, value in _settings(run).items()
        if not name.startswith("data.") or name == "data.pitch_cache"
    }
    settings |= {"dataset": run.dataset, "preset": run.preset, "fingerprint": str(run.facts.get("data_fingerprint"))}
    return tuple(sorted(settings.items()))


def _belongs(run: RunSummary, key: tuple[tuple[str, str], ...]) -> bool:
    """Whether a run is of a table's configuration, but for what its model changes in it."""
    changed = _changes(CHANGED[run.model]) if run.model in CHANGED else set()
    ours, theirs = dict(_key(run)), dict(key)
    return all(name in changed or ours.get(name) == theirs.get(name) for name in ours.keys() | theirs.keys())


def _changes(model: PaperModel) -> set[str]:
    return {name for name, _ in model.changes} | (_SCHEDULES if model.epochs_factor != 1 else set())


def _deviations(run: RunSummary) -> tuple[str, ...]:
    papers = flatten(paper().model_dump(mode="json"))
    found = [] if run.dataset == "ESC-50" else [f"{run.dataset} instead of ESC-50"]
    for name, value in _settings(run).items():
        theirs = papers.get(name)
        if theirs is not None and value != theirs and name not in _NOT_AGAINST_THE_PAPER:
            found.append(f"{name} {_short(value)} instead of {_short(theirs)}")
    return tuple(found)


def _short(value: str) -> str:
    try:
        return f"{float(value):g}"
    except ValueError:
        return value


def _named(runs: Sequence[RunSummary]) -> Iterable[str]:
    counts = Counter(
        f"{run.dataset}, preset {run.preset}, {count_text([run.epochs], 'epoch')}, {run.precision}" for run in runs
    )
    for name, n in counts.items():
        yield f"{count_text([n], 'run')} of {name}"
