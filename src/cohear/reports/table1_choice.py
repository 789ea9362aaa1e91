"""Which runs make one Table 1, and what is left out of it.

A folder may hold runs of several presets, of other numbers of epochs, of other sounds or rooms, or of another version's
numerics. A table is of one of these only: of the paper's configuration where there are such runs, then of one with runs
of No Augmentation, over which all gains are, then of the one with the most. The others are left out, and named.

What a run is to a table follows from its settings, not from the name that it was made under: in a table in bf16 the
control `Combination-CL, bf16` is the table's own model, and a float32 run of `Combination-CL` is a control.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from cohear.experiments.paper import PaperModel
from cohear.experiments.presets import paper
from cohear.reports.grouping import Experiment, flatten, group_runs
from cohear.reports.method_table import count_text
from cohear.reports.paper_numbers import PAPER_TABLE_1
from cohear.reports.run_folders import RunSummary
from cohear.reports.table1_runs import CHANGED, MODELS, Table1Runs

CLIPS_OF_A_FOLD = 400
"""Of ESC-50."""
_SCHEDULES = {"training.epochs", "objective.ramp_epochs", "optimizer.decay_epochs"}
_NOT_OF_THE_EXPERIMENT = {"preset", "method", "views.transform", "fold", "seed", "training.compile"}
_MADE_UP_ROOMS = {"views.room_bank", "views.n_rooms", "views.room_rt60_s"}
_ONLY_CONSISTENCY = {
    "objective.consistency_weight",
    "objective.ramp_epochs",
    "objective.ramp_offset",
    "objective.divergence",
    "objective.representation",
}
_NOT_AGAINST_THE_PAPER = {"training.precision", "data.pitch_cache", "data.skip_bad", "data.n_folds", "data.esc10"}
_NOT_AGAINST_THE_PAPER |= {"data.sounds"}
"""How it is computed and kept, which the paper does not say, and what the name of the data says: other sentences."""
_N_DETAILS = 3


@dataclass(frozen=True)
class _Configuration:
    """What all runs of a table share."""

    settings: tuple[tuple[str, str], ...]
    """By name, sorted; of the data what came of its settings, as for a run's identity."""

    @classmethod
    @lru_cache(maxsize=2048)
    def of(cls, run: RunSummary) -> "_Configuration":
        settings = {
            name: value
            for name, value in _settings(run).items()
            if not name.startswith("data.") or name == "data.pitch_cache"
        }
        rooms = run.facts.get("rooms")
        if rooms is not None:  # the contents count, wherever they lie
            settings = {name: value for name, value in settings.items() if name not in _MADE_UP_ROOMS}
        facts = {"rooms": rooms, "numerics": run.facts.get("numerics"), "data": run.facts.get("data_fingerprint")}
        settings |= {"dataset": run.dataset, "preset": run.preset} | {name: str(fact) for name, fact in facts.items()}
        return cls(tuple(sorted(settings.items())))

    def differences(self, run: RunSummary) -> dict[str, str]:
        """Return what a run has otherwise, but for options that its method does not look at; `None` what it lacks."""
        ours, theirs = dict(self.settings), dict(_Configuration.of(run).settings)
        unused = set() if run.method == "consistency" else set(_ONLY_CONSISTENCY)
        unused |= {"views.n_transformed"} if run.method == "none" else set()
        return {
            name: str(theirs.get(name))
            for name in sorted(ours.keys() | theirs.keys())
            if name not in unused and ours.get(name) != theirs.get(name)
        }

    def name(self, run: RunSummary) -> str | None:
        """Name what a run is in this table; None where it does not belong to it."""
        different = self.differences(run)
        if not different:
            return PAPER_TABLE_1[run.transform, run.method].model
        for model in CHANGED.values():
            is_alike = (model.method, model.transform) == (run.method, run.transform)
            if is_alike and different == self._changed(model, different):
                return model.name
        return None

    def _changed(self, model: PaperModel, different: Mapping[str, str]) -> dict[str, str]:
        """Return the settings that an ablation or control has otherwise than this configuration.

        Args:
            model: an ablation or control.
            different: settings of a run; its schedules are the model's where they are stretched as they should be.
        """
        own = dict(self.settings)
        changed = {name: value for name, value in flatten(dict(model.changes)).items() if own.get(name) != value}
        stretched = (
            name
            for name in (different.keys() & own.keys() & _SCHEDULES if model.epochs_factor != 1 else ())
            if math.isclose(float(different[name]), model.epochs_factor * float(own[name]))
        )
        return changed | {name: different[name] for name in stretched}

    def usual(self) -> frozenset[str]:
        """Name the ablations and controls that change nothing here."""
        plain = [model for model in CHANGED.values() if model.epochs_factor == 1]
        return frozenset(model.name for model in plain if not self._changed(model, {}))


def choose_table1_runs(runs: Sequence[RunSummary]) -> Table1Runs:
    """Choose the runs of one Table 1, and say what is left out.

    Raises:
        UserError: if two runs are the same.
    """
    configurations: dict[_Configuration, RunSummary] = {}
    for run in runs:
        if run.model in MODELS:
            configurations.setdefault(_Configuration.of(run), run)
    if not configurations:
        return Table1Runs({}, (), tuple(_named(runs)))
    chosen = max(configurations, key=lambda candidate: _rank(candidate, configurations[candidate], runs))
    first = configurations[chosen]
    names = {run.folder: name for run in runs if (name := chosen.name(run)) is not None}
    once = _once([run for run in runs if run.folder in names], names)
    kept = _largest(group_runs([replace(run, model=names[run.folder]) for run in once]))
    experiments = {name: kept[name] for name in (*MODELS, *CHANGED, *kept) if name in kept}
    shown = {run.folder for experiment in kept.values() for run in experiment.runs}
    repeated = [run for run in runs if run.folder in names and run not in once]
    others = [run for run in runs if run.folder not in shown and run not in repeated]
    left_out = [*_named(others, chosen, first)]
    if repeated:
        left_out.append(f"{count_text([len(repeated)], 'run')} that {_is_are(len(repeated))} there under two names")
    return Table1Runs(experiments, _deviations(first), tuple(left_out), _numerics(first), chosen.usual())


def _rank(configuration: _Configuration, first: RunSummary, runs: Sequence[RunSummary]) -> tuple[bool, bool, int, int]:
    """Order configurations: the paper's first, then those with a baseline, with more runs, of a later version."""
    names = [name for run in runs if (name := configuration.name(run)) in MODELS]
    return not _deviations(first), MODELS[0] in names, len(names), _numerics(first) or 0


def _numerics(run: RunSummary) -> int | None:
    found = run.facts.get("numerics")
    return found if isinstance(found, int) else None


def _once(runs: Sequence[RunSummary], names: Mapping[Path, str]) -> list[RunSummary]:
    """Leave out runs that are there a second time under another name than the table's."""
    own = {(names[r.folder], r.experiment, r.fold, r.seed) for r in runs if r.model == names[r.folder]}
    return [
        run
        for run in runs
        if run.model == names[run.folder] or (names[run.folder], run.experiment, run.fold, run.seed) not in own
    ]


def _largest(experiments: Iterable[Experiment]) -> dict[str, Experiment]:
    """Keep of each model one experiment: where settings agree and identities do not, the one with the most runs."""
    kept: dict[str, Experiment] = {}
    for experiment in sorted(experiments, key=lambda e: -len(e.runs)):
        name = experiment.runs[0].model
        kept.setdefault(name, replace(experiment, label=name))
    return kept


def _settings(run: RunSummary) -> dict[str, str]:
    return {name: value for name, value in flatten(run.config).items() if name not in _NOT_OF_THE_EXPERIMENT}


def _deviations(run: RunSummary) -> tuple[str, ...]:
    papers = flatten(paper().model_dump(mode="json"))
    found = [] if run.dataset == "ESC-50" else [f"{run.dataset} instead of ESC-50"]
    if run.dataset == "ESC-50" and run.n_clips != CLIPS_OF_A_FOLD:
        found.append(f"{run.n_clips} clips in fold {run.fold} instead of {CLIPS_OF_A_FOLD}")
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


def _named(
    runs: Sequence[RunSummary], chosen: _Configuration | None = None, first: RunSummary | None = None
) -> Iterable[str]:
    counts = Counter(_description(run) + _details(run, chosen, first) for run in runs)
    for name, n in counts.items():
        yield f"{count_text([n], 'run')} of {name}"


def _description(run: RunSummary) -> str:
    return f"{run.dataset}, preset {run.preset}, {count_text([run.epochs], 'epoch')}, {run.precision}"


def _details(run: RunSummary, chosen: _Configuration | None, first: RunSummary | None) -> str:
    """Say in what a run differs from a table's that reads the same."""
    if chosen is None or first is None or _description(run) != _description(first):
        return ""
    different = chosen.differences(run)
    own = dict(chosen.settings)
    said = [f"numerics {different['numerics']} instead of {own.get('numerics')}"] if "numerics" in different else []
    said += [f"other {name}" for name in ("rooms", "data") if name in different]
    more = [name for name in different if name not in ("numerics", "rooms", "data")]
    said += [f"{name} {_short(different[name])} instead of {_short(own.get(name, 'none'))}" for name in more]
    more_text = f" and {len(said) - _N_DETAILS} more" if len(said) > _N_DETAILS else ""
    return f" ({', '.join(said[:_N_DETAILS])}{more_text})" if said else f" ({run.model}, another experiment)"


def _is_are(n: int) -> str:
    return "is" if n == 1 else "are"
