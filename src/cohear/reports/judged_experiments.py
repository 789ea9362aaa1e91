"""Judged runs of one configuration, averaged as its test is: over seeds within a fold, then over folds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64

from cohear.evaluation.judgement import Judgement, judge
from cohear.evaluation.robustness import error_rates, relative_corruption_error
from cohear.experiments.judged_runs import JudgedRun
from cohear.metrics.accuracy import standard_error
from cohear.reports.evaluation_tables import judgement_of
from cohear.reports.grouping import Experiment, group_runs, mean
from cohear.reports.run_folders import RunSummary


@dataclass(frozen=True)
class OverFolds:
    """A mean with its standard error."""

    mean: float
    error: float | None
    """None where there is one fold."""


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
        return tuple(judgement_of(judged) for judged in self.judged)

    @property
    def is_corrupted(self) -> bool:
        """Whether its runs were asked about corrupted clips."""
        return self.judged[0].right_when_corrupted is not None

    def by_fold(self, value: Callable[[JudgedRun], float]) -> dict[int, float]:
        """Average a number of each run over the seeds of each fold."""
        values = {(run.fold, run.seed): value(its) for run, its in zip(self.experiment.runs, self.judged, strict=True)}
        return {fold: mean(v for (its, _), v in values.items() if its == fold) for fold in self.experiment.folds}

    def over_folds(self, value: Callable[[JudgedRun], float]) -> OverFolds:
        """Average a number of each run over seeds and then folds."""
        values = list(self.by_fold(value).values())
        return OverFolds(mean(values), standard_error(values))

    def rates_by_fold(self) -> dict[int, Float64[np.ndarray, "corruption severity"]]:
        """Return the error rates of each fold, averaged over its seeds."""
        rates: dict[int, list[np.ndarray]] = {}
        for run, judged in zip(self.experiment.runs, self.judged, strict=True):
            assert judged.right_when_corrupted is not None
            rates.setdefault(run.fold, []).append(error_rates(judged.right_when_corrupted))
        return {fold: np.mean(its, axis=0) for fold, its in sorted(rates.items())}

    def relative_error(self, baseline: "JudgedExperiment") -> OverFolds | None:
        """Compare errors with a baseline's, corruption by corruption, on the folds that both have.

        Returns:
            None where there is no such fold, or the baseline makes no error under some corruption of one.
        """
        ours, theirs = self.rates_by_fold(), baseline.rates_by_fold()
        ratios = [relative_corruption_error(rates, theirs[fold]) for fold, rates in ours.items() if fold in theirs]
        values = [ratio for ratio in ratios if ratio is not None]
        if not values or len(values) < len(ratios):
            return None
        return OverFolds(mean(values), standard_error(values))

    @cached_property
    def pooled(self) -> Judgement:
        """All answers of all its runs together: bins of few clips would tell little."""
        logits, truth = (np.concatenate([part(its) for its in self.judged]) for part in (_logits, _truth))
        return judge(logits, truth, multi_label=self.judged[0].record.multi_label)


def judged_experiments(runs: Sequence[RunSummary], judged: Sequence[JudgedRun]) -> list[JudgedExperiment]:
    """Sort judged runs into experiments, in the order of the paper's Table 1.

    Args:
        runs: as their folders tell them.
        judged: in the same order.

    Raises:
        UserError: where two runs are the same.
    """
    judged_of = {run.folder: its for run, its in zip(runs, judged, strict=True)}
    return [
        JudgedExperiment(experiment, tuple(judged_of[run.folder] for run in experiment.runs))
        for experiment in group_runs(runs)
    ]


def baseline_of(experiments: Sequence[JudgedExperiment]) -> JudgedExperiment:
    """Choose what others are compared with: the first without augmentation, else the first."""
    return next((its for its in experiments if its.experiment.method == "none"), experiments[0])


def _logits(judged: JudgedRun) -> np.ndarray:
    return judged.logits


def _truth(judged: JudgedRun) -> np.ndarray:
    return judged.clips.truth
