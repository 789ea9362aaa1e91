"""Runs that differ only in fold and seed are one experiment: a configuration over all folds."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cohear.errors import UserError
from cohear.experiments.presets import PRESETS
from cohear.reports.paper_numbers import METHODS, PAPER_TABLE_1, TRANSFORMS
from cohear.reports.run_folders import RunSummary

_CHOSEN_BY_NAME = {"dataset", "preset", "method", "views.transform"}
"""What the name of an experiment says."""
_FACTS = {"numerics", "rooms"}
"""What beside settings makes results differ: the version's numerics, and contents of a bank of rooms."""
_NOT_SETTINGS = {"fold", "seed"}
"""What may differ within an experiment."""


@dataclass(frozen=True, eq=False)
class Experiment:
    """Runs of one model under one configuration."""

    label: str
    """The paper's name, with the settings in which experiments of that name differ."""
    settings: dict[str, str]
    runs: tuple[RunSummary, ...]

    @property
    def method(self) -> str:
        """As in `METHODS`."""
        return self.runs[0].method

    @property
    def transform(self) -> str:
        """As in `TRANSFORMS`."""
        return self.runs[0].transform

    @property
    def is_in_the_paper(self) -> bool:
        """Whether it bears a name of Table 1; ablations bear names of their own."""
        return self.runs[0].model == PAPER_TABLE_1[self.transform, self.method].model

    @property
    def is_changed(self) -> bool:
        """Whether somebody changed a setting of the preset, so that the paper's number is of another model."""
        preset = PRESETS.get(self.runs[0].preset)
        usual = flatten(preset().model_dump(mode="json")) if preset else {}
        return any(
            usual.get(name) != value
            for name, value in self.settings.items()
            if name not in _CHOSEN_BY_NAME | _FACTS and not name.startswith("data.")
        )

    @property
    def folds(self) -> tuple[int, ...]:
        """Folds with at least one run, in order."""
        return tuple(sorted({run.fold for run in self.runs}))

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds with at least one run, in order."""
        return tuple(sorted({run.seed for run in self.runs}))

    @property
    def accuracy_by_fold(self) -> dict[int, float]:
        """Accuracy of each fold, in [0, 1], averaged over its seeds."""
        return {fold: mean(run.accuracy for run in self.runs if run.fold == fold) for fold in self.folds}

    @property
    def accuracy_by_seed(self) -> dict[int, float]:
        """Accuracy of each seed, in [0, 1], averaged over the folds; seeds that lack one of them do not count."""
        by_seed = {seed: [run for run in self.runs if run.seed == seed] for seed in self.seeds}
        return {
            seed: mean(run.accuracy for run in runs) for seed, runs in by_seed.items() if len(runs) == len(self.folds)
        }

    @property
    def accuracy(self) -> float:
        """Mean over folds of `accuracy_by_fold`, in [0, 1]."""
        return mean(self.accuracy_by_fold.values())

    @property
    def jsd(self) -> float:
        """Mean over folds of the test clips' divergence, nats, averaged over seeds within a fold."""
        return mean(mean(run.jsd for run in self.runs if run.fold == fold) for fold in self.folds)


def mean(values: Iterable[float]) -> float:
    """Compute the arithmetic mean of at least one value."""
    values = list(values)
    return sum(values) / len(values)


def group_runs(runs: Sequence[RunSummary]) -> list[Experiment]:
    """Sort runs into experiments, in the order of the paper's Table 1.

    Raises:
        UserError: if two runs are of the same experiment, fold and seed: a mean would count one twice.
    """
    groups: dict[tuple[str, ...], list[RunSummary]] = {}
    for run in runs:
        # Two tables of the same clips, as Raven's and Audacity's of one recording, are two data sets.
        data = run.dataset, str(run.facts.get("data_fingerprint"))
        groups.setdefault((run.model, run.experiment, *data), []).append(run)
    settings = {key: _settings(group[0]) for key, group in groups.items()}
    experiments = []
    for key, group in groups.items():
        _refuse_repeated(group)
        namesakes = [settings[other] for other in groups if other[0] == key[0]]
        experiments.append(Experiment(_label(key[0], key[1], settings[key], namesakes), settings[key], tuple(group)))
    return sorted(experiments, key=lambda e: (TRANSFORMS.index(e.transform), METHODS.index(e.method), e.label))


def _label(model: str, experiment: str, settings: dict[str, str], namesakes: Sequence[dict[str, str]]) -> str:
    if len(namesakes) == 1:
        return model
    different = [name for name in settings if len({other.get(name) for other in namesakes}) > 1]
    details = [f"{name.rpartition('.')[2]}={settings[name]}" for name in different]
    return f"{model} ({', '.join(details) or experiment})"


def closest(experiment: Experiment, candidates: Iterable[Experiment]) -> Experiment | None:
    """Find the fairest partner: same data set and preset, and the fewest settings that differ."""
    fair = [
        other
        for other in candidates
        if all(other.settings.get(name) == experiment.settings.get(name) for name in ("dataset", "preset"))
    ]
    return min(fair, key=lambda other: n_different(experiment, other), default=None)


def n_different(one: Experiment, other: Experiment) -> int:
    """Count the settings in which two experiments differ."""
    names = one.settings.keys() | other.settings.keys()
    return sum(one.settings.get(name) != other.settings.get(name) for name in names)


def _settings(run: RunSummary) -> dict[str, str]:
    flat = {"dataset": run.dataset} | flatten(run.config)
    flat |= {name: str(run.facts[name]) for name in _FACTS if run.facts.get(name) is not None}
    return {name: value for name, value in flat.items() if name not in _NOT_SETTINGS}


def flatten(config: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Write a nested configuration as `section.field` and text.

    Example:
        >>> flatten({"seed": 0, "network": {"width": 0.125, "name": "vgg"}})
        {'seed': '0', 'network.width': '0.125', 'network.name': 'vgg'}
    """
    flat: dict[str, str] = {}
    for name, value in config.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return flat


def _refuse_repeated(runs: Sequence[RunSummary]) -> None:
    seen: dict[tuple[int, int], RunSummary] = {}
    for run in runs:
        other = seen.setdefault((run.fold, run.seed), run)
        if other is not run:
            raise UserError(
                f"'{other.folder}' and '{run.folder}' are the same run ({run.title}), which would count twice: "
                "leave one of them out."
            )
