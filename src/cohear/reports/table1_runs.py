"""The runs of one Table 1: thirteen models under one configuration, what changes one thing in it, and differences."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from cohear.experiments.identity import NUMERICS
from cohear.experiments.paper import ABLATIONS, CONTROLS, TABLE_1
from cohear.metrics.paired_tests import PairedTest, grouped_bootstrap
from cohear.reports.grouping import Experiment
from cohear.reports.paired_table import N_RESAMPLES, Comparison, compare
from cohear.reports.run_folders import RunSummary

N_FOLDS = 5
"""Of ESC-50."""
MODELS = tuple(model.name for model in TABLE_1)
CHANGED = {model.name: model for model in (*ABLATIONS, *CONTROLS) if model.name not in MODELS}
"""Ablations and controls, by name."""

_NONE = MODELS[0]


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
    numerics: int | None = None
    """Of the runs, as `cohear.experiments.identity.NUMERICS`; None where there are no runs or it is not recorded."""
    usual: frozenset[str] = frozenset()
    """Controls that change nothing here, as bf16 of runs in bf16: they are the table's own model."""
    _compared: dict[tuple[str, ...], Comparison | None] = field(default_factory=dict)

    @property
    def is_rehearsal(self) -> bool:
        """Whether these runs are not the paper's and can say nothing of its claims."""
        return bool(self.deviations)

    @property
    def is_current(self) -> bool:
        """Whether this version would keep these runs and go on with what is missing."""
        return not self.experiments or self.numerics == NUMERICS

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
