"""The runs of one Table 1: all models under one configuration, what changes one thing in it, and differences.

A folder may hold runs of several presets, data sets or versions. A table is of one of these: of the paper's
configuration where there are such runs, then of one with runs of No Augmentation, then of the one with the most.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from cohear.reports.experiments import VARIANTS, Experiment, cell_of, changes, group_runs, preset_text
from cohear.reports.pages import count_text
from cohear.reports.paired import Answers, Comparison, answers_of, compare
from cohear.runs.config import IN_NAME, SCHEDULES
from cohear.runs.paper import TABLE_1
from cohear.runs.presets import paper
from cohear.runs.run import Run

MODELS = tuple(model.name for model in TABLE_1)
NONE, BEST = MODELS[0], MODELS[-1]
N_FOLDS, CLIPS_OF_A_FOLD = 5, 400
"""Of ESC-50."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Experiments of one configuration, by their names in the paper."""

    experiments: dict[str, Experiment]
    """In the order of Table 1; ablations and controls after them."""
    deviations: tuple[str, ...]
    """What is not as in the paper, as `training.epochs 12 instead of 72`; empty for the paper's own experiment."""
    left_out: tuple[str, ...]
    """What else was there."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """Those of the model that all gains are over; others are there for controls."""
        first = self.experiments.get(NONE, next(iter(self.experiments.values()), None))
        return first.seeds if first else ()

    @cached_property
    def table(self) -> dict[str, Experiment]:
        """The models of the table under the seeds of the grid, as far as there are runs."""
        named = {name: its for name, its in self.experiments.items() if name in MODELS}
        kept = {name: [run for run in its.runs if run.config.seed in self.seeds] for name, its in named.items()}
        return {name: replace(named[name], runs=tuple(runs)) for name, runs in kept.items() if runs}

    @property
    def runs(self) -> list[Run]:
        """The runs of the table, model by model."""
        return [run for experiment in self.table.values() for run in experiment.runs]

    @cached_property
    def _answers(self) -> dict[str, Answers]:
        return {name: answers_of(experiment) for name, experiment in self.experiments.items()}

    def compare(self, better: Sequence[str], worse: Sequence[str]) -> tuple[Comparison | None, bool]:
        """Compare the mean of some models with that of others on the same clips, folds and seeds.

        Returns:
            The comparison, None without shared clips; and whether all models have all five folds under a seed: then
            only such seeds count.
        """
        names = (*better, *worse)
        shared = set.intersection(*(self._cells(name) for name in names))
        n_folds = Counter(seed for _, seed in shared)
        whole = {seed for seed, n in n_folds.items() if n == N_FOLDS}
        used = {(fold, seed) for fold, seed in shared if not whole or seed in whole}
        if not used:
            return None, False
        answers = {name: {key: its for key, its in self._answers[name].items() if key[:2] in used} for name in names}
        return compare([answers[name] for name in better], [answers[name] for name in worse]), bool(whole)

    def n_runs(self, names: Iterable[str]) -> int:
        """Count the runs of some models under the seed that has most of them."""
        return max(Counter(seed for name in names for _, seed in self._cells(name)).values(), default=0)

    def _cells(self, name: str) -> set[tuple[int, int]]:
        return set(map(cell_of, self.experiments[name].runs)) if name in self.experiments else set()


def choose(runs: Sequence[Run]) -> Grid:
    """Choose the runs of one Table 1, and say what is left out.

    Raises:
        UserError: if two runs are the same.
    """
    found = group_runs(runs)
    grids = [_members(found, anchor) for anchor in found if anchor.runs[0].record.model in MODELS]
    grids = [its for its in grids if not any(set(its[0].values()) < set(other[0].values()) for other in grids)]
    if not grids:
        return Grid({}, (), tuple(map(_description, found)))
    kept, deviations = max(grids, key=_rank)
    order = [name for name in (*MODELS, *VARIANTS) if name in kept]
    left_out = tuple(_description(its) for its in found if its not in kept.values())
    return Grid({name: replace(kept[name], label=name) for name in order}, deviations, left_out)


def _members(found: Sequence[Experiment], anchor: Experiment) -> tuple[dict[str, Experiment], tuple[str, ...]]:
    """Return what has the settings of an experiment but for its model, by name, and how they deviate from the paper."""
    kept: dict[str, Experiment] = {anchor.runs[0].record.model: anchor}
    for experiment in sorted(found, key=lambda its: -len(its.runs)):
        if _is_member(experiment, anchor):
            kept.setdefault(experiment.runs[0].record.model, experiment)
    return kept, _deviations(anchor)


def _is_member(experiment: Experiment, anchor: Experiment) -> bool:
    ours, theirs = experiment.settings, anchor.settings
    different = {name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]} - {*IN_NAME}
    if experiment.method == "consistency" and anchor.method != "consistency":  # which of several would be chance
        return False
    variant = VARIANTS.get(experiment.runs[0].record.model)
    if variant:
        different -= {name for name, _ in variant.changes}
        different -= {"training.epochs", *SCHEDULES} if variant.epochs_factor != 1 else set()
    return not different and experiment.runs[0].record.data_fingerprint == anchor.runs[0].record.data_fingerprint


def _rank(grid: tuple[dict[str, Experiment], tuple[str, ...]]) -> tuple[bool, bool, int, int]:
    kept, deviations = grid
    n_runs = sum(len(its.runs) for name, its in kept.items() if name in MODELS)
    return not deviations, NONE in kept, n_runs, max(its.runs[0].record.numerics for its in kept.values())


def _deviations(anchor: Experiment) -> tuple[str, ...]:
    run, other = anchor.runs[0], changes(anchor.runs[0].config, paper())
    found = [f"{name} {_short(value)} instead of {_short(usual)}" for name, (value, usual) in other.items()]
    if run.record.dataset != "ESC-50":
        return f"{run.record.dataset} instead of ESC-50", *found
    if run.n_clips != CLIPS_OF_A_FOLD:
        found.append(f"{run.n_clips} clips in fold {run.fold} instead of {CLIPS_OF_A_FOLD}")
    return tuple(found)


def _short(value: str) -> str:
    try:
        return f"{float(value):g}"
    except ValueError:
        return value


def _description(its: Experiment) -> str:
    run = its.runs[0]
    how = f"{run.record.dataset}, {preset_text(run)}, {run.config.training.precision}"
    return f"{count_text([len(its.runs)], 'run')} of {its.label}, {how}"
