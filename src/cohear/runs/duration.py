"""How long a run will take on this machine."""

import math

import numpy as np

from cohear.data.kept_log_mels import KeptLogMels
from cohear.evaluation.measure import N_VIEWS
from cohear.runs.build import build_schedule, build_view_maker, open_kept_views, shown_recipe
from cohear.runs.config import is_tracked
from cohear.runs.memory import explain_out_of_memory
from cohear.runs.plan import Plan
from cohear.runs.step_cost import measure_step


def estimate_s(plan: Plan) -> float:
    """Estimate the seconds of a run on one process with all cores.

    Raises:
        UserError: where memory runs out.
    """
    config = plan.config
    with explain_out_of_memory(config, "estimate"):
        cost = measure_step(config, len(plan.data.store.classes))
    epochs, items = config.training.epochs, build_schedule(config).items
    n_train, n_clips = len(plan.split.train), len(plan.data.store)
    n_measured = sum(is_tracked(plan.track, epoch, epochs) for epoch in range(epochs))
    n_made = epochs * n_train * sum(view > 0 for item in items for view in item)
    n_fixed = (N_VIEWS - 1) * n_clips
    n_live, n_outcomes = n_made * cost.live_share, n_made * (1 - cost.live_share)
    if config.views.kept:
        n_outcomes = _n_new(plan, n_outcomes)
        n_fixed = _n_new_fixed(plan)
    n_live, n_outcomes = n_live + n_fixed * cost.live_share, n_outcomes + n_fixed * (1 - cost.live_share)
    steps_s = epochs * n_train * len(items) * len(items[0]) * cost.step_s
    measured_s = n_measured * n_clips * N_VIEWS * cost.answer_s
    return steps_s + n_live * cost.live_view_s + n_outcomes * cost.kept_view_s + measured_s


def _n_new(plan: Plan, n_drawn: float) -> float:
    """Return how many spectrograms must be expected to be made, where so many are drawn of those that may be kept."""
    kept, rows = _kept(plan), plan.split.train
    if kept.path is None:
        return n_drawn
    n_outcomes = len(rows) * kept.n_variants
    return (n_outcomes - kept.n_there(rows)) * -math.expm1(-n_drawn / n_outcomes)


def _n_new_fixed(plan: Plan) -> int:
    """Return how many fixed views of measurements are not made yet, clean ones left out."""
    kept, rows = _kept(plan, shown_recipe(plan.config)), np.arange(len(plan.data.store))
    return round((N_VIEWS - 1) * (len(rows) - kept.n_there(rows) / N_VIEWS))


def _kept(plan: Plan, recipe: str | None = None) -> KeptLogMels:
    kept = open_kept_views(plan.config, plan.data.store, build_view_maker(plan.config, recipe), recipe)
    assert kept is not None
    return kept
