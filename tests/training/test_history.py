"""Which epoch a history keeps; the loss of guessing against a search for the best answer; what is called a collapse."""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from cohear.metrics.tasks import task_of
from cohear.objectives import BERNOULLI, CATEGORICAL, ClassificationObjective
from cohear.training.batches import Items, balanced_visits
from cohear.training.history import (
    MIN_STEPS,
    N_EPOCHS,
    collapse_warning,
    guessing_loss,
    is_settled,
    kept_epoch,
    warn_of_epoch,
)  # fmt: skip
from cohear.training.inputs import Schedule

RESULTS = Path(__file__).parents[2] / "results"
SINGLE = np.array([0, 0, 0, 0, 1, 1, 2])
MULTI = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 0, 1]], np.float32)


def make_plan(objective: ClassificationObjective, *, equally: bool = False, n_views: int = 3) -> Schedule:
    return Schedule(
        items=Items((tuple(range(n_views)),)),
        objective=objective,
        n_epochs=1,
        batch_size=6,
        seed=0,
        learning_rate=lambda _epoch: 1.0,
        consistency_weight=lambda _epoch: 1.0,
        weight_decay=0.0,
        draws_classes_equally=equally,
    )


def lowest_loss(plan: Schedule, targets: np.ndarray, drawn: np.ndarray) -> float:
    """Search the logits that, the same for every clip and view, have the lowest loss."""

    def loss(logits: np.ndarray) -> float:
        same = torch.from_numpy(logits).expand(len(plan.items.views[0]), len(drawn), -1)
        return plan.objective(same, torch.from_numpy(targets[drawn])).classification.item()

    return minimize(loss, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10}).fun


@pytest.mark.parametrize(("classified_views", "over_views"), [("all", "sum"), ("clean", "sum"), ("all", "mean")])
@pytest.mark.parametrize("weighs", [False, True])
@pytest.mark.parametrize(("targets", "likelihood"), [(SINGLE, CATEGORICAL), (MULTI, BERNOULLI)])
def test_guessing_is_the_lowest_loss_of_one_answer_for_all(targets, likelihood, weighs, classified_views, over_views):
    task = task_of(targets)
    weights = tuple(task.class_weights(task.truth(targets, 3)).tolist()) if weighs else None
    plan = make_plan(
        ClassificationObjective(classified_views, over_views, likelihood=likelihood, class_weights=weights)
    )
    assert guessing_loss(plan, targets) == pytest.approx(lowest_loss(plan, targets, np.arange(len(targets))), rel=1e-5)


@pytest.mark.parametrize(("targets", "likelihood"), [(SINGLE, CATEGORICAL), (MULTI, BERNOULLI)])
def test_classes_drawn_equally_are_guessed_as_they_are_drawn(targets, likelihood):
    plan = make_plan(ClassificationObjective(likelihood=likelihood), equally=True)
    classes = targets if targets.ndim == 1 else np.array([0, 1, 0, 3, 2])
    drawn = np.concatenate([balanced_visits(classes, seed=0, epoch=epoch)[0] for epoch in range(120)])
    assert guessing_loss(plan, targets) == pytest.approx(lowest_loss(plan, targets, drawn), rel=2e-3)


def test_of_equal_classes_it_is_ln_k():
    assert guessing_loss(make_plan(ClassificationObjective()), np.arange(50)) == pytest.approx(math.log(50))


def history_of(losses, consistency=0.001, weight=5.0, n_steps=MIN_STEPS // N_EPOCHS):
    numbers = {"consistency": consistency, "consistency_weight": weight, "n_steps": n_steps}
    return [{"epoch": epoch, "classification": loss, **numbers} for epoch, loss in enumerate(losses, 1)]


STUCK = [2.31, 2.303, 2.303, 2.302, 2.303, 2.303]


def test_a_loss_that_stays_at_ln_k_with_views_that_agree_is_a_collapse():
    warning = collapse_warning(history_of(STUCK), math.log(10))
    assert warning is not None
    assert "objective.consistency_weight" in warning
    assert "optimizer.learning_rate" in warning
    assert collapse_warning(history_of([9.9, 9.7, 9.8, 9.6, 9.5]), math.log(10)) is not None  # sure, and of nothing
    assert "in the last 25 epochs" in (collapse_warning(history_of(5 * STUCK, n_steps=2), math.log(10)) or "")
    assert "consistency_weight" not in (collapse_warning(history_of(STUCK, weight=0.0), math.log(10)) or "")


@pytest.mark.parametrize(
    "history",
    [
        history_of(STUCK[:4]),  # too early to say
        history_of(STUCK, n_steps=2),
        history_of([*STUCK[:-1], 2.2]),  # it begins to learn
        history_of([3.0, 2.9, 2.8, 2.7, 2.6]),  # on its way
        history_of(STUCK, consistency=0.2),  # views that differ
    ],
)
def test_nothing_else_is(history):
    assert collapse_warning(history, math.log(10)) is None


def test_no_run_of_the_results_is_called_so_after_any_epoch():
    paths = sorted(RESULTS.rglob("history.jsonl"))
    assert len(paths) >= 40
    for path in paths:
        n_classes = len(json.loads((path.parent / "config.json").read_text())["classes"])
        history = [json.loads(line) for line in path.read_text().splitlines()]
        for n_epochs in range(1, len(history) + 1):
            assert collapse_warning(history[:n_epochs], math.log(n_classes)) is None, path
        # Nor would it be if views that agree were no condition: a rate that rises has begun to learn by then.
        assert all(record["classification"] < 0.97 * math.log(n_classes) for record in history[N_EPOCHS - 1 :]), path


def test_it_is_said_aloud_once(caplog):
    history = history_of([*STUCK, 2.303, 2.303])
    for n_epochs in range(1, len(history) + 1):
        warn_of_epoch(history[:n_epochs], math.log(10))
    assert len(caplog.records) == 1
    assert "collapsed" in caplog.records[0].getMessage()
    warn_of_epoch([*history_of([2.0]), {"epoch": 2, "classification": 1.0, "n_steps": 9, "n_skipped": 2}], 2.3)
    assert re.search(r"\b2 of 9 steps.*epoch 2\b", caplog.records[-1].getMessage())


VALIDATION_LOSSES = (0.9, 0.5, 0.7, 0.5, 0.6, 0.1)


def validated(losses: Sequence[float]) -> list[dict[str, float]]:
    return [{"epoch": epoch, "validation_nll": loss} for epoch, loss in enumerate(losses, 1)]


def test_the_first_of_equal_losses_is_the_best_and_without_patience_the_last_epoch_is_kept():
    assert kept_epoch(validated(VALIDATION_LOSSES[:5]), patience=3) == 2
    assert kept_epoch(validated(VALIDATION_LOSSES), patience=3) == 6
    assert kept_epoch(validated(VALIDATION_LOSSES[:5]), patience=None) == 5


def test_training_is_settled_after_as_many_epochs_without_a_lower_loss_as_patience_says():
    settled = [is_settled(validated(VALIDATION_LOSSES[:n]), patience=3) for n in range(7)]
    assert settled == [False, False, False, False, False, True, False]
    assert not is_settled(validated((0.1, 0.2, 0.3, 0.4)), patience=None)
