"""Runs that differ only in fold and seed are one experiment: a configuration over all folds."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cohear.errors import UserError
from cohear.reports.pages import count_text
from cohear.runs.config import IN_NAME, REPLICATES, SCHEDULES, Config, differences, result_settings, setting_values
from cohear.runs.identity import model_name
from cohear.runs.paper import ABLATIONS, CONTROLS, TABLE_1
from cohear.runs.presets import PRESETS, scale_schedules
from cohear.runs.run import Run

_PLACES = {model.name: place for place, model in enumerate(TABLE_1)}
VARIANTS = {model.name: model for model in (*ABLATIONS, *CONTROLS) if model not in TABLE_1}
"""Ablations and controls by name: what changes one thing in a model of Table 1."""
_NAMED = {*IN_NAME, "training.precision"}
"""What the name of a model says, or the paper does not."""
_OTHERWISE = {*REPLICATES, "training.initial_run"}
"""Runs of one experiment differ in these; weights to begin with are known by their contents."""
_HEARD = ("data.sample_rate", "data.clip_s", "data.short")
"""How clips are heard, which is a part of the model, though the fingerprint of the data tells it too."""


@dataclass(frozen=True, eq=False)
class Experiment:
    """Runs of one model under one configuration."""

    label: str
    """The paper's name, with the settings in which experiments of that name differ."""
    settings: dict[str, str]
    runs: tuple[Run, ...]

    @property
    def method(self) -> str:
        """As in `cohear.runs.config`."""
        return self.runs[0].config.method

    @property
    def transform(self) -> str:
        """As in `cohear.runs.config`."""
        return self.runs[0].config.views.transform

    @property
    def is_variant(self) -> bool:
        """Whether it is an ablation or a control."""
        return self.runs[0].record.model in VARIANTS

    @property
    def is_changed(self) -> bool:
        """Whether a setting of the preset but its epochs was changed: the paper's number is of another model then."""
        preset = PRESETS.get(self.runs[0].config.preset)
        if preset is None:
            return True
        return bool(changes(self.runs[0].config, scale_schedules(preset(), self.runs[0].config.training.epochs)))

    @property
    def folds(self) -> tuple[int, ...]:
        """Folds with at least one run, in order."""
        return tuple(sorted({run.fold for run in self.runs}))

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds with at least one run, in order."""
        return tuple(sorted({run.config.seed for run in self.runs}))

    @property
    def accuracy_by_fold(self) -> dict[int, float]:
        """Accuracy of each fold, in [0, 1], averaged over its seeds."""
        return {fold: mean(run.accuracy for run in self.runs if run.fold == fold) for fold in self.folds}

    @property
    def accuracy_by_seed(self) -> dict[int, float]:
        """Accuracy of each seed, in [0, 1], averaged over the folds; seeds that lack one of them do not count."""
        by_seed = {seed: [run.accuracy for run in self.runs if run.config.seed == seed] for seed in self.seeds}
        return {seed: mean(its) for seed, its in by_seed.items() if len(its) == len(self.folds)}

    @property
    def accuracy(self) -> float:
        """Mean over folds of `accuracy_by_fold`, in [0, 1]."""
        return mean(self.accuracy_by_fold.values())

    @property
    def jsd(self) -> float:
        """Mean over folds of the test clips' divergence, nats, averaged over seeds within a fold."""
        return mean(mean(run.jsd for run in self.runs if run.fold == fold) for fold in self.folds)


def cell_of(run: Run) -> tuple[int, int]:
    """Return fold and seed of a tested run."""
    return run.fold, run.config.seed


def preset_text(run: Run) -> str:
    """Say `preset small, 24 epochs`."""
    return f"preset {run.config.preset}, {count_text([run.config.training.epochs], 'epoch')}"


def mean(values: Iterable[float]) -> float:
    """Compute the arithmetic mean of at least one value."""
    values = list(values)
    return sum(values) / len(values)


def group_runs(runs: Sequence[Run]) -> list[Experiment]:
    """Sort runs into experiments, in the order of the paper's Table 1, other transforms after it.

    Raises:
        UserError: if two runs are of the same experiment, fold and seed: a mean would count one twice.
    """
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        # Two tables of the same clips, as Raven's and Audacity's of one recording, are two data sets.
        key = run.record.model, run.record.experiment, run.record.dataset, run.record.data_fingerprint
        groups.setdefault(key, []).append(run)
    settings = {key: settings_of(group[0]) for key, group in groups.items()}
    experiments = []
    for key, group in groups.items():
        _refuse_repeated(group)
        namesakes = [settings[other] for other in groups if other[0] == key[0]]
        experiments.append(Experiment(_label(group[0], settings[key], namesakes), settings[key], tuple(group)))
    return sorted(experiments, key=lambda e: (_PLACES.get(model_name(e.runs[0].config), len(_PLACES)), e.label))


def settings_of(run: Run) -> dict[str, str]:
    """Return what may differ between experiments: settings by name, numerics, data set, and contents such as rooms."""
    settings = {"dataset": run.record.dataset, "preset": run.config.preset, "numerics": str(run.record.numerics)}
    settings |= {f"contents of {name}": digest for name, digest in run.record.contents.items()}
    for name, value in result_settings(run.config).items():
        settings[name] = f"{value:g}" if isinstance(value, float) else str(value)
        if name in SCHEDULES:
            settings[name] = f"{value / run.config.training.epochs:.3g} of all"
    return {name: value for name, value in settings.items() if name not in _OTHERWISE}


def changes(config: Config, usual: Config) -> dict[str, tuple[Any, Any]]:
    """Return what makes another model of the same name: by setting, what it is and what it usually is."""
    ours, theirs = setting_values(config), setting_values(usual)
    theirs["data.clip_s"] = theirs["data.clip_s"] or 5.0  # chosen from the files, which are those of ESC-50
    heard = {name: ours[name] for name in _HEARD if ours[name] != theirs[name]}
    return {
        name: (value, theirs[name])
        for name, value in {**heard, **differences(config, usual)}.items()
        if name not in _NAMED and not (isinstance(value, float) and math.isclose(value, theirs[name] or 0.0))
    }


def closest(experiment: Experiment, candidates: Iterable[Experiment]) -> Experiment | None:
    """Find the fairest partner: same data set and preset, and the fewest settings that differ."""
    fair = [
        other
        for other in candidates
        if all(other.settings[name] == experiment.settings[name] for name in ("dataset", "preset"))
    ]
    return min(fair, key=lambda other: n_different(experiment, other), default=None)


def n_different(one: Experiment, other: Experiment) -> int:
    """Count the settings in which two experiments differ."""
    names = one.settings.keys() | other.settings.keys()
    return sum(one.settings.get(name) != other.settings.get(name) for name in names)


def _label(run: Run, settings: dict[str, str], namesakes: Sequence[dict[str, str]]) -> str:
    if len(namesakes) == 1:
        return run.record.model
    different = [name for name in settings if len({other.get(name) for other in namesakes}) > 1]
    details = [f"{name.rpartition('.')[2]}={settings[name]}" for name in different]
    return f"{run.record.model} ({', '.join(details) or run.record.experiment})"


def _refuse_repeated(runs: Sequence[Run]) -> None:
    seen: dict[tuple[int, int], Run] = {}
    for run in runs:
        other = seen.setdefault(cell_of(run), run)
        if other is not run:
            raise UserError(
                f"'{other.folder}' and '{run.folder}' are the same run ({run.title}), which would count twice: "
                "leave one of them out"
            )
